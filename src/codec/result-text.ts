/**
 * What a model reads of an outcome. SAFE-12: a tool's own words never stand at the top level of an answer. They sit in the field `result` (or in a media
 * part), and `error`, `pending`, `notices` and `omitted` beside it are the runtime's; a result that spells `{"error":…}` is still inside `result`.
 */
import type { Json, JsonObject } from "../domain/json.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import type { ResultPart, ToolCall } from "../domain/tool-call.ts";
import type { ToolCallError } from "../errors/tool-call-error.ts";
import { errorBody } from "../errors/wire.ts";

/** A part that is not text. */
export type MediaPart = Extract<ResultPart, { readonly dataBase64: string }>;

/** One part of a result as a form can take it. */
export type ReplyPart =
  | { readonly kind: "value"; readonly value: Json; readonly text?: string | undefined }
  | { readonly kind: "media"; readonly part: MediaPart }
  | { readonly kind: "omitted"; readonly about: JsonObject };

/** An outcome, ready for a form. */
export type Reply =
  | { readonly kind: "result"; readonly parts: readonly ReplyPart[]; readonly notices: readonly string[] }
  | { readonly kind: "error"; readonly body: JsonObject }
  | { readonly kind: "pending"; readonly body: JsonObject };

/**
 * Turns an outcome into a reply.
 *
 * @param refusal why the form cannot take a media part, or `undefined` where it can; a part that it cannot take becomes a stated placeholder.
 */
export function replyOf(outcome: Outcome, refusal: (part: MediaPart) => string | undefined): Reply {
  switch (outcome.kind) {
    case "completed":
      return { kind: "result", parts: outcome.result.parts.map((part) => replyPart(part, refusal)), notices: outcome.notices };
    case "pending":
      return { kind: "pending", body: pendingBody(outcome) };
    case "failed":
    case "denied":
    case "unknown":
      return { kind: "error", body: errorJson(outcome.error) };
  }
}

/** The error body as JSON. */
export function errorJson(error: ToolCallError): JsonObject {
  // Members that are absent are left out by `errorBody`, so the interface is JSON.
  return errorBody(error) as unknown as JsonObject;
}

/** The body of an outcome that waits. */
export function pendingBody(outcome: Extract<Outcome, { readonly kind: "pending" }>): JsonObject {
  const { waiting, message, retryAfterMs } = outcome;
  return {
    pending: {
      ...(waiting.kind === "person" && { approvalId: waiting.approvalId }),
      waitingFor: waiting.kind === "person" ? waiting.gate : waiting.kind,
      message,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  };
}

const mediaType = /^[a-z0-9][a-z0-9.+-]{0,63}\/[a-z0-9][a-z0-9.+-]{0,63}$/i;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** One part of a result, media checked to be sound and taken by the form. */
export function replyPart(part: ResultPart, refusal: (part: MediaPart) => string | undefined): ReplyPart {
  switch (part.kind) {
    case "text":
      return { kind: "value", value: part.text };
    case "json":
      return { kind: "value", value: part.value, text: part.text };
    default: {
      const isSound = mediaType.test(part.mediaType) && part.dataBase64.length % 4 === 0 && base64.test(part.dataBase64);
      // One unsound part would make the provider refuse the whole conversation.
      const why = isSound ? refusal(part) : "the tool sent it without a valid media type or base64 data";
      return why === undefined ? { kind: "media", part } : { kind: "omitted", about: omitted(part, why) };
    }
  }
}

function omitted(part: MediaPart, reason: string): JsonObject {
  return { kind: part.kind, mediaType: mediaType.test(part.mediaType) ? part.mediaType : "unknown", bytes: sizeBytes(part), reason };
}

/** Bytes that a media part holds once decoded. */
export function sizeBytes(part: MediaPart): number {
  const { dataBase64 } = part;
  const padding = dataBase64.endsWith("==") ? 2 : dataBase64.endsWith("=") ? 1 : 0;
  return Math.max(0, Math.floor((dataBase64.length * 3) / 4) - padding);
}

/** A reply as one JSON object, for forms that take a single text: media that were accepted must have been taken out before. */
export function replyObject(reply: Reply): JsonObject {
  if (reply.kind !== "result") return reply.body;
  const values = reply.parts.flatMap((part) => (part.kind === "value" ? [part.value] : []));
  const gaps = reply.parts.flatMap((part) => (part.kind === "omitted" ? [part.about] : []));
  const isMediaOnly = values.length === 0 && reply.parts.length > 0;
  return {
    ...(!isMediaOnly && { result: values.length === 1 ? (values[0] as Json) : values.length === 0 ? null : values }),
    ...(gaps.length > 0 && { omitted: gaps }),
    ...(reply.notices.length > 0 && { notices: reply.notices }),
  };
}

/** The same as JSON text. A result alone, whose text is at hand, is not written a second time. */
export function replyText(reply: Reply): string {
  if (reply.kind === "result" && reply.parts.length === 1 && reply.notices.length === 0) {
    const [part] = reply.parts;
    if (part?.kind === "value" && part.text !== undefined) return `{"result":${part.text}}`;
  }
  return JSON.stringify(replyObject(reply));
}

/** One block of a reply, for forms that take several: a text that is JSON, or media. */
export type ReplyBlock = { readonly kind: "text"; readonly text: string } | { readonly kind: "media"; readonly part: MediaPart };

/** A reply as blocks: each part of the result in a block of its own, then what the runtime has to say. */
export function replyBlocks(reply: Reply): readonly ReplyBlock[] {
  if (reply.kind !== "result") return [textBlock(reply.body)];
  const blocks = reply.parts.map((part): ReplyBlock => {
    if (part.kind === "media") return part;
    return textBlock(part.kind === "value" ? { result: part.value } : { omitted: part.about });
  });
  if (blocks.length === 0) blocks.push(textBlock({ result: null }));
  if (reply.notices.length > 0) blocks.push(textBlock({ notices: reply.notices }));
  return blocks;
}

function textBlock(body: JsonObject): ReplyBlock {
  return { kind: "text", text: JSON.stringify(body) };
}

/** An answer with the call that it answers; `undefined` for a call that is not among those given. */
export interface AnsweredCall {
  readonly answer: Answer;
  readonly call: ToolCall | undefined;
}

/** Pairs answers with calls by the provider's id; where one id was used twice, in order. */
export function pairAnswers(answers: readonly Answer[], calls: readonly ToolCall[]): readonly AnsweredCall[] {
  const [answer, call] = [answers[0], calls[0]];
  if (answers.length === 1 && calls.length === 1 && answer !== undefined)
    return [{ answer, call: call?.id === answer.providerCallId ? call : undefined }];
  const byId = new Map<string, ToolCall[]>();
  for (const call of calls) {
    const known = byId.get(call.id);
    if (known === undefined) byId.set(call.id, [call]);
    else known.push(call);
  }
  return answers.map((answer) => {
    const waiting = byId.get(answer.providerCallId);
    return { answer, call: waiting !== undefined && waiting.length > 1 ? waiting.shift() : waiting?.[0] };
  });
}

/** A string member of a call's echo. */
export function echoed(call: ToolCall | undefined, name: string): string | undefined {
  const echo = call?.echo;
  if (typeof echo !== "object" || echo === null || Array.isArray(echo)) return undefined;
  const value = (echo as JsonObject)[name];
  return typeof value === "string" ? value : undefined;
}

/** The data URL of a media part. */
export function dataUrl(part: MediaPart): string {
  return `data:${part.mediaType};base64,${part.dataBase64}`;
}
