import { describe, expect, it } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Form } from "../domain/tool-call.ts";
import type { Tool } from "../domain/tool.ts";
import { codecs } from "./codec.ts";
import { createNameMap } from "./names.ts";

const schema: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: { id: { type: "string" }, note: { type: "string" } },
  required: ["id"],
};

// What the export reads of a tool; the rest is the registry's.
const refund = {
  name: "order.refund",
  version: "1.0.0",
  title: "Refund",
  description: "Refund a paid order.",
  whenToUse: "the user asks for money back",
  whenNotToUse: "the order is unpaid",
  tier: "irreversible",
  isEgress: false,
  inputSchema: schema,
  outputSchema: { type: "object" },
  idempotency: "key",
  deprecated: { since: "1.2.0", useInstead: "order.repay" },
} as unknown as Tool;
const open = {
  ...refund,
  name: "note.add",
  tier: "read",
  inputSchema: { ...schema, additionalProperties: true },
  outputSchema: { type: "array" },
} as Tool;

const description =
  "Refund a paid order.\nUse it when: the user asks for money back\nDo not use it when: the order is unpaid\nDeprecated since 1.2.0; use order.repay instead.";
const { $schema: _dialect, ...bare } = schema;
const strict = {
  type: "object",
  properties: { id: { type: "string" }, note: { type: ["string", "null"] } },
  required: ["id", "note"],
  additionalProperties: false,
};
const exported = (form: Form, ...tools: Tool[]): readonly JsonObject[] => codecs[form].tools(tools, createNameMap(tools, form));

describe("tool definitions", () => {
  it("openai-chat and openai-responses: strict where the schema can be projected, and expressly not where it cannot", () => {
    expect(exported("openai-chat", refund)).toEqual([
      { type: "function", function: { name: "order_refund", description, parameters: strict, strict: true } },
    ]);
    expect(exported("openai-responses", refund)).toEqual([
      { type: "function", name: "order_refund", description, parameters: strict, strict: true },
    ]);
    expect(exported("openai-responses", open)).toEqual([
      { type: "function", name: "note_add", description, parameters: { ...bare, additionalProperties: true }, strict: false },
    ]);
  });

  it("anthropic and gemini: the tool's own schema", () => {
    expect(exported("anthropic", refund)).toEqual([{ name: "order_refund", description, input_schema: bare }]);
    expect(exported("gemini", refund)).toEqual([
      { functionDeclarations: [{ name: "order.refund", description, parametersJsonSchema: bare }] },
    ]);
    expect(exported("gemini")).toEqual([]);
  });

  it("mcp: annotations from the tier, and an output schema only where structured content can carry it", () => {
    expect(exported("mcp", refund, open)).toEqual([
      {
        name: "order.refund",
        title: "Refund",
        description,
        inputSchema: schema,
        outputSchema: { type: "object" },
        annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
      },
      {
        name: "note.add",
        title: "Refund",
        description,
        inputSchema: { ...schema, additionalProperties: true },
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
      },
    ]);
  });

  it("plain: everything a program wants to know", () => {
    expect(exported("plain", refund)).toEqual([
      { name: "order.refund", version: "1.0.0", tier: "irreversible", description, inputSchema: schema, outputSchema: { type: "object" } },
    ]);
  });

  it("names several versions of one tool apart, and decodes them apart", () => {
    const newer = { ...refund, version: "2.0.0" } as Tool;
    const names = createNameMap([refund, newer], "anthropic");
    const sent = codecs.anthropic
      .tools([refund, newer], names)
      .map((definition) => ({ type: "tool_use", id: definition["name"], name: definition["name"], input: {} }));
    const { calls } = codecs.anthropic.decode(sent, names, defaultLimits);
    expect(calls.map((call) => call.name)).toEqual(["order.refund@1.0.0", "order.refund@2.0.0"]);
  });
});
