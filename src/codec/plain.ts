import type { Json, JsonObject } from "../domain/json.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import { describe } from "./definition.ts";
import type { Codec } from "./form-codec.ts";
import { isObject, notAResponse, toDecoded, type RawCall, type Reading } from "./reading.ts";
import { errorJson, pendingBody } from "./result-text.ts";

const form = "plain";

/** Our own form, for programs: `{ tool, arguments, id?, key? }` or a list of them; `name` is read where `tool` is absent. */
export const plain: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(read(response), names, limits),
  answer: (answers) => answers.map(plainAnswer),
  tools: (tools, names) =>
    tools.map((tool) => ({
      name: names.ofTool(tool),
      version: tool.version,
      tier: tool.tier,
      description: describe(tool),
      inputSchema: tool.inputSchema,
      ...(tool.outputSchema !== undefined && { outputSchema: tool.outputSchema }),
    })),
};

function read(response: unknown): Reading {
  const list: readonly unknown[] = Array.isArray(response) ? response : [response];
  const items = list.map((item): RawCall => {
    if (!isObject(item)) throw notAResponse(form, "an object `{ tool, arguments }` or a list of them", item);
    const name = item["tool"] ?? item["name"];
    if (typeof name !== "string") throw notAResponse(form, "a string `tool`", name);
    return { id: item["id"], name, source: { kind: "object", value: item["arguments"] }, echo: {}, key: item["key"] };
  });
  return { items, stop: items.length > 0 ? "tool-calls" : "end", problems: [], isLastItemLast: false };
}

function plainAnswer(answer: Answer): JsonObject {
  return {
    id: answer.providerCallId,
    callId: answer.callId,
    tool: answer.tool,
    ...(answer.version !== undefined && { version: answer.version }),
    outcome: answer.outcome.kind,
    ...body(answer.outcome),
  };
}

function body(outcome: Outcome): JsonObject {
  if (outcome.kind === "pending") return pendingBody(outcome);
  if (outcome.kind !== "completed")
    return { ...errorJson(outcome.error), ...(outcome.kind !== "denied" && outcome.isReplay && { isReplay: true }) };
  const { result } = outcome;
  const [first] = result.parts;
  const isValue = result.value !== undefined && (result.parts.length === 0 || (result.parts.length === 1 && first?.kind === "json"));
  return {
    // Parts are plain JSON already.
    ...(isValue ? { result: result.value as Json } : { parts: result.parts as unknown as Json }),
    effect: outcome.effect,
    ...(result.cutChars > 0 && { cutChars: result.cutChars }),
    ...(result.handle !== undefined && { handle: result.handle }),
    ...(outcome.notices.length > 0 && { notices: outcome.notices }),
    ...(outcome.isReplay && { isReplay: true }),
    ...(outcome.isFallback && { isFallback: true }),
  };
}
