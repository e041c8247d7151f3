import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { describe, inputSchemaOf } from "./definition.ts";
import type { Codec, Stop } from "./form-codec.ts";
import { isObject, notAResponse, pickStrings, toDecoded, type RawCall, type Reading, type Unknowns } from "./reading.ts";
import { pairAnswers, replyOf, replyText } from "./result-text.ts";
import { strictSchema } from "./strict-schema.ts";

const form = "openai-chat";

/** OpenAI Chat Completions, and the many servers that speak it. Answers are text only, so a reply is one JSON object. */
export const openaiChat: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(read(response), names, limits),
  answer: (answers, calls) =>
    pairAnswers(answers, calls).map(({ answer }) => ({
      role: "tool",
      tool_call_id: answer.providerCallId,
      content: replyText(replyOf(answer.outcome, () => "this form takes text only")),
    })),
  tools: (tools, names) =>
    tools.map((tool): JsonObject => {
      const name = names.ofTool(tool);
      const strict = strictSchema(tool.inputSchema);
      const parameters = strict.isStrict ? strict.schema : inputSchemaOf(tool);
      return { type: "function", function: { name, description: describe(tool), parameters, strict: strict.isStrict } };
    }),
};

function read(response: unknown): Reading {
  const problems: string[] = [];
  if (Array.isArray(response)) return readMessage({ tool_calls: response }, undefined, problems);
  if (!isObject(response)) throw notAResponse(form, "a chat completion, its message or its `tool_calls`", response);
  if (response["choices"] === undefined) {
    const isMessage = response["role"] === "assistant" || response["tool_calls"] !== undefined || response["function_call"] !== undefined;
    if (!isMessage) throw notAResponse(form, "a chat completion with `choices`, or an assistant message", response);
    return readMessage(response, undefined, problems);
  }
  const choices: unknown = response["choices"];
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = isObject(choice) ? choice["message"] : undefined;
  if (!Array.isArray(choices) || !isObject(choice) || !isObject(message)) throw notAResponse(form, "`choices[0].message`", message);
  if (choices.length > 1) problems.push(`only the first of ${choices.length} choices was read`);
  return readMessage(message, choice["finish_reason"], problems);
}

function readMessage(message: Unknowns, finish: unknown, problems: string[]): Reading {
  if (isObject(message["function_call"]))
    throw toolCallError(
      "REQUEST_INVALID",
      "the message has the legacy `function_call`; offer the functions as `tools`, so that calls come as `tool_calls`",
    );
  const list = message["tool_calls"] ?? [];
  if (!Array.isArray(list)) throw notAResponse(form, "`tool_calls` to be a list", list);
  const items = list.map(readCall);
  const isRefused = typeof message["refusal"] === "string" && message["refusal"] !== "";
  return { items, stop: isRefused && items.length === 0 ? "refused" : chatStop(finish, items.length), problems, isLastItemLast: true };
}

function readCall(item: unknown): RawCall {
  if (!isObject(item)) return { id: undefined, name: undefined, source: { kind: "text", text: item }, echo: {} };
  const isCustom = item["type"] === "custom";
  const body = item[isCustom ? "custom" : "function"];
  const inner: Unknowns = isObject(body) ? body : {};
  return chatCall({ id: item["id"], name: inner["name"], text: isCustom ? inner["input"] : inner["arguments"], isCustom, item });
}

/** A call item of this form; the streaming assembler makes the same from deltas. */
export function chatCall(parts: {
  readonly id: unknown;
  readonly name: unknown;
  readonly text: unknown;
  readonly isCustom: boolean;
  readonly item: unknown;
}): RawCall {
  const { id, name, text, isCustom, item } = parts;
  return {
    id,
    name,
    source: isCustom ? { kind: "free-text", text } : { kind: "text", text },
    // Gemini's OpenAI-compatible endpoint hangs its signature here.
    echo: { type: isCustom ? "custom" : "function", ...pickStrings(item, ["thought_signature"]) },
    isProjected: !isCustom,
  };
}

/** Stop reason of this form. Some servers say `stop` beside calls. */
export function chatStop(finish: unknown, callCount: number): Stop {
  switch (finish) {
    case "length":
      return "truncated";
    case "content_filter":
      return "refused";
    case "stop":
    case "tool_calls":
    case "function_call":
    case null:
    case undefined:
      return callCount > 0 ? "tool-calls" : "end";
    default:
      return "other";
  }
}
