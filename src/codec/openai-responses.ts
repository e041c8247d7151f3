import type { JsonObject } from "../domain/json.ts";
import { describe, inputSchemaOf } from "./definition.ts";
import type { Codec, Stop } from "./form-codec.ts";
import { isObject, notAResponse, pickStrings, toDecoded, type RawCall, type Reading, type Unknowns } from "./reading.ts";
import { dataUrl, echoed, pairAnswers, replyBlocks, replyOf, type AnsweredCall, type MediaPart, type ReplyBlock } from "./result-text.ts";
import { strictSchema } from "./strict-schema.ts";

const form = "openai-responses";

/** OpenAI Responses. A call is answered by its `call_id`, never by its item id, and with the `caller` it came from. */
export const openaiResponses: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(read(response), names, limits),
  answer: (answers, calls) => pairAnswers(answers, calls).map(answerItem),
  tools: (tools, names) =>
    tools.map((tool): JsonObject => {
      const strict = strictSchema(tool.inputSchema);
      const parameters = strict.isStrict ? strict.schema : inputSchemaOf(tool);
      // This API takes an absent `strict` for true, so it is always said.
      return { type: "function", name: names.ofTool(tool), description: describe(tool), parameters, strict: strict.isStrict };
    }),
};

function read(response: unknown): Reading {
  if (Array.isArray(response)) return readItems(response, undefined);
  if (!isObject(response)) throw notAResponse(form, "a response, its `output` or a call item", response);
  if (response["output"] !== undefined && isCallType(response["type"]) === false) {
    if (!Array.isArray(response["output"])) throw notAResponse(form, "`output` to be a list", response["output"]);
    return readItems(response["output"], response);
  }
  if (isCallType(response["type"])) return readItems([response], undefined);
  throw notAResponse(form, "a response with `output`, or a `function_call` item", response);
}

function isCallType(type: unknown): boolean {
  return type === "function_call" || type === "custom_tool_call";
}

function readItems(output: readonly unknown[], response: Unknowns | undefined): Reading {
  const items = output.flatMap((item) => (isObject(item) && isCallType(item["type"]) ? [responsesCall(item)] : []));
  const last = output.at(-1);
  const problems = output.some((item) => !isObject(item)) ? ["the output holds items that are not objects"] : [];
  const hasRefusal = output.some((item) => isObject(item) && item["type"] === "message" && hasRefusalPart(item["content"]));
  return {
    items,
    stop: hasRefusal && items.length === 0 ? "refused" : responsesStop(response, items.length),
    problems,
    isLastItemLast: isObject(last) && isCallType(last["type"]),
  };
}

function hasRefusalPart(content: unknown): boolean {
  return Array.isArray(content) && content.some((part: unknown) => isObject(part) && part["type"] === "refusal");
}

/** A call item of this form; the streaming assembler hands in the item as its last event had it. */
export function responsesCall(item: Unknowns): RawCall {
  const isCustom = item["type"] === "custom_tool_call";
  const caller = pickStrings(item["caller"], ["type", "caller_id"]);
  return {
    id: item["call_id"],
    name: item["name"],
    source: isCustom ? { kind: "free-text", text: item["input"] } : { kind: "text", text: item["arguments"] },
    echo: {
      type: isCustom ? "custom_tool_call" : "function_call",
      ...pickStrings(item, ["namespace"]),
      ...(Object.keys(caller).length > 0 && { caller }),
    },
    isIncomplete: item["status"] === "incomplete" || item["status"] === "in_progress",
    isProjected: !isCustom,
  };
}

/** Stop reason of a response of this form. */
export function responsesStop(response: Unknowns | undefined, callCount: number): Stop {
  const status = response?.["status"];
  if (status === "incomplete") {
    const details = response?.["incomplete_details"];
    return isObject(details) && details["reason"] === "content_filter" ? "refused" : "truncated";
  }
  if (status === undefined || status === null || status === "completed") return callCount > 0 ? "tool-calls" : "end";
  return "other";
}

function answerItem({ answer, call }: AnsweredCall): JsonObject {
  const blocks = replyBlocks(replyOf(answer.outcome, mediaRefusal));
  const [only] = blocks;
  const isText = blocks.length === 1 && only?.kind === "text";
  const caller = isObject(call?.echo) ? pickStrings(call.echo["caller"], ["type", "caller_id"]) : {};
  return {
    type: echoed(call, "type") === "custom_tool_call" ? "custom_tool_call_output" : "function_call_output",
    call_id: answer.providerCallId,
    output: isText ? only.text : blocks.map(contentPart),
    ...(Object.keys(caller).length > 0 && { caller }),
  };
}

const imageTypes: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/webp", "image/gif"]);

function mediaRefusal(part: MediaPart): string | undefined {
  if (part.kind === "image") return imageTypes.has(part.mediaType) ? undefined : "this form takes PNG, JPEG, WebP and GIF images";
  if (part.kind === "file") return part.mediaType === "application/pdf" ? undefined : "this form takes PDF files";
  return `this form takes no ${part.kind}`;
}

function contentPart(block: ReplyBlock): JsonObject {
  if (block.kind === "text") return { type: "input_text", text: block.text };
  if (block.part.kind === "image") return { type: "input_image", image_url: dataUrl(block.part), detail: "auto" };
  return { type: "input_file", filename: block.part.name ?? "result.pdf", file_data: dataUrl(block.part) };
}
