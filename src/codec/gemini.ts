import type { JsonObject } from "../domain/json.ts";
import { describe, inputSchemaOf } from "./definition.ts";
import type { Codec, Stop } from "./form-codec.ts";
import { isObject, notAResponse, pickStrings, toDecoded, type RawCall, type Reading, type Unknowns } from "./reading.ts";
import { echoed, pairAnswers, replyObject, replyOf, type AnsweredCall, type MediaPart } from "./result-text.ts";

const form = "gemini";

/**
 * Gemini generateContent. Calls often have no id and are then matched by name and order, so an answer repeats the provider's name, and the id only
 * where there was one. The thought signature of a part stays in the echo: whoever replays the model's turn must send it back.
 */
export const gemini: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(readGemini(response), names, limits),
  answer: (answers, calls) => (answers.length === 0 ? [] : [{ role: "user", parts: pairAnswers(answers, calls).map(responsePart) }]),
  tools: (tools, names) => {
    if (tools.length === 0) return [];
    const declarations = tools.map((tool): JsonObject => ({
      name: names.ofTool(tool),
      description: describe(tool),
      parametersJsonSchema: inputSchemaOf(tool),
    }));
    return [{ functionDeclarations: declarations }];
  },
};

/** Reads a response, a candidate's content, or a list of parts; the streaming assembler reads each chunk with it. */
export function readGemini(response: unknown): Reading {
  if (Array.isArray(response)) return readParts(response, undefined, []);
  if (!isObject(response)) throw notAResponse(form, "a response, its content or its parts", response);
  if (isObject(response["functionCall"])) return readParts([response], undefined, []);
  if (Array.isArray(response["parts"])) return readParts(response["parts"], undefined, []);
  const { candidates, promptFeedback } = response;
  const isBlocked = isObject(promptFeedback) && promptFeedback["blockReason"] !== undefined;
  if (isBlocked && (candidates === undefined || (Array.isArray(candidates) && candidates.length === 0)))
    return { items: [], stop: "refused", problems: ["the prompt was blocked"], isLastItemLast: false };
  const candidate: unknown = Array.isArray(candidates) ? candidates[0] : undefined;
  if (!Array.isArray(candidates) || !isObject(candidate)) throw notAResponse(form, "`candidates[0]`", candidate);
  const problems = candidates.length > 1 ? [`only the first of ${candidates.length} candidates was read`] : [];
  const { content, finishReason } = candidate;
  // A candidate that was stopped at once has no content or no parts.
  const parts: unknown = isObject(content) ? (content["parts"] ?? []) : [];
  if (!Array.isArray(parts)) throw notAResponse(form, "`candidates[0].content.parts` to be a list", parts);
  return readParts(parts, finishReason, problems);
}

function readParts(parts: readonly unknown[], finishReason: unknown, problems: readonly string[]): Reading {
  const items = parts.flatMap((part) => (isCallPart(part) ? [readCall(part)] : []));
  const odd = parts.some((part) => !isObject(part)) ? ["the content holds parts that are not objects"] : [];
  const broken = finishReason === "MALFORMED_FUNCTION_CALL" ? ["the provider dropped a function call that it could not read"] : [];
  return {
    items,
    stop: geminiStop(finishReason, items.length),
    problems: [...problems, ...odd, ...broken],
    isLastItemLast: isCallPart(parts.at(-1)),
  };
}

function isCallPart(part: unknown): part is Unknowns & { readonly functionCall: Unknowns } {
  return isObject(part) && isObject(part["functionCall"]);
}

function readCall(part: Unknowns & { readonly functionCall: Unknowns }): RawCall {
  const { functionCall } = part;
  return {
    id: functionCall["id"],
    name: functionCall["name"],
    source: { kind: "object", value: functionCall["args"] },
    echo: { ...pickStrings(functionCall, ["id", "name"]), ...pickStrings(part, ["thoughtSignature"]) },
    // Arguments streamed in pieces (`partialArgs`) are not on the Gemini API; such a call is never taken for whole.
    isIncomplete: functionCall["willContinue"] === true || functionCall["partialArgs"] !== undefined,
  };
}

const refusals: ReadonlySet<unknown> = new Set(["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"]);

/** Stop reason of this form. */
export function geminiStop(reason: unknown, callCount: number): Stop {
  if (reason === "MAX_TOKENS") return "truncated";
  if (refusals.has(reason)) return "refused";
  if (reason === "STOP" || reason === undefined || reason === null) return callCount > 0 ? "tool-calls" : "end";
  return "other";
}

function responsePart({ answer, call }: AnsweredCall): JsonObject {
  const reply = replyOf(answer.outcome, mediaRefusal);
  const id = echoed(call, "id");
  const media = reply.kind === "result" ? reply.parts.flatMap((part) => (part.kind === "media" ? [part.part] : [])) : [];
  return {
    functionResponse: {
      ...(id !== undefined && { id }),
      name: echoed(call, "name") ?? answer.tool,
      response: responseObject(replyObject(reply)),
      ...(media.length > 0 && { parts: media.map((part) => ({ inlineData: { mimeType: part.mediaType, data: part.dataBase64 } })) }),
    },
  };
}

// The API names a success `output` and a failure `error`.
function responseObject(body: JsonObject): JsonObject {
  const { result, ...rest } = body;
  return result === undefined ? rest : { output: result, ...rest };
}

const mediaTypes: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"]);

function mediaRefusal(part: MediaPart): string | undefined {
  return mediaTypes.has(part.mediaType) ? undefined : "this form takes PNG, JPEG and WebP images, PDF and plain text";
}
