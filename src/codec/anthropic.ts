import type { JsonObject } from "../domain/json.ts";
import { describe, inputSchemaOf } from "./definition.ts";
import type { Codec, Stop } from "./form-codec.ts";
import { isObject, notAResponse, pickStrings, toDecoded, type RawCall, type Reading, type Source, type Unknowns } from "./reading.ts";
import { pairAnswers, replyBlocks, replyOf, sizeBytes, type AnsweredCall, type MediaPart, type ReplyBlock } from "./result-text.ts";

const form = "anthropic";

/**
 * Anthropic Messages. All answers of a turn go into one user message that holds nothing but `tool_result` blocks, as callers from code execution
 * require. A `tool_result` has no field for the `caller` of its call; it stays in the call's echo for those who judge it.
 */
export const anthropic: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(read(response), names, limits),
  answer: (answers, calls) => (answers.length === 0 ? [] : [{ role: "user", content: pairAnswers(answers, calls).map(resultBlock) }]),
  tools: (tools, names) =>
    tools.map((tool): JsonObject => ({ name: names.ofTool(tool), description: describe(tool), input_schema: inputSchemaOf(tool) })),
};

function read(response: unknown): Reading {
  if (Array.isArray(response)) return readBlocks(response, undefined);
  if (!isObject(response)) throw notAResponse(form, "a message, its `content` or a `tool_use` block", response);
  if (response["type"] === "tool_use") return readBlocks([response], undefined);
  const { content } = response;
  // A message may carry plain text instead of blocks.
  if (typeof content === "string") return readBlocks([], response["stop_reason"]);
  if (!Array.isArray(content)) throw notAResponse(form, "a message with a list `content`", content);
  return readBlocks(content, response["stop_reason"]);
}

function readBlocks(content: readonly unknown[], stopReason: unknown): Reading {
  const items = content.flatMap((block) => (isToolUse(block) ? [anthropicCall(block, { kind: "object", value: block["input"] })] : []));
  const problems = content.some((block) => !isObject(block)) ? ["the content holds blocks that are not objects"] : [];
  return { items, stop: anthropicStop(stopReason, items.length), problems, isLastItemLast: isToolUse(content.at(-1)) };
}

function isToolUse(block: unknown): block is Unknowns {
  return isObject(block) && block["type"] === "tool_use";
}

/** A call of this form; streamed blocks bring their input as text. */
export function anthropicCall(block: Unknowns, source: Source, isIncomplete = false): RawCall {
  const caller = pickStrings(block["caller"], ["type", "tool_id"]);
  const echo = { ...pickStrings(block, ["toolset_name"]), ...(Object.keys(caller).length > 0 && { caller }) };
  return { id: block["id"], name: block["name"], source, echo, isIncomplete };
}

/** Stop reason of this form. */
export function anthropicStop(reason: unknown, callCount: number): Stop {
  switch (reason) {
    case "max_tokens":
    case "model_context_window_exceeded":
      return "truncated";
    case "refusal":
      return "refused";
    case "tool_use":
    case "end_turn":
    case "stop_sequence":
    case null:
    case undefined:
      return callCount > 0 ? "tool-calls" : "end";
    default:
      return "other";
  }
}

function resultBlock({ answer }: AnsweredCall): JsonObject {
  const reply = replyOf(answer.outcome, mediaRefusal);
  return {
    type: "tool_result",
    tool_use_id: answer.providerCallId,
    content: replyBlocks(reply).map(contentBlock),
    ...(reply.kind === "error" && { is_error: true }),
  };
}

const imageTypes: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);
/** @see Anthropic's API reference, "Vision": one image has at most 5 MB. */
const imageBytesMax = 5_242_880;

function mediaRefusal(part: MediaPart): string | undefined {
  if (part.kind === "image") {
    if (!imageTypes.has(part.mediaType)) return "this form takes PNG, JPEG, WebP and GIF images";
    return sizeBytes(part) > imageBytesMax ? `this form takes images of at most ${imageBytesMax} bytes` : undefined;
  }
  if (part.kind === "file") return part.mediaType === "application/pdf" ? undefined : "this form takes PDF files";
  return `this form takes no ${part.kind}`;
}

function contentBlock(block: ReplyBlock): JsonObject {
  if (block.kind === "text") return { type: "text", text: block.text };
  const source = { type: "base64", media_type: block.part.mediaType, data: block.part.dataBase64 };
  return { type: block.part.kind === "image" ? "image" : "document", source };
}
