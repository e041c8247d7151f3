import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { verifies } from "../../test/verifies.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Form, ToolCall } from "../domain/tool-call.ts";
import { ToolCallError, toolCallError } from "../errors/tool-call-error.ts";
import { answerWith, completed } from "./answer.fixture.ts";
import { codecFor, codecs, forms } from "./codec.ts";
import type { Decoded } from "./form-codec.ts";
import { createNameMap } from "./names.ts";

const limits = defaultLimits;
const noNames = (form: Form) => createNameMap([], form);
const decode = (form: Form, response: unknown): Decoded => codecs[form].decode(response, noNames(form), limits);

interface Sent {
  readonly id: string;
  readonly name: string;
  readonly args: JsonObject;
}

const encoders: Readonly<Record<Form, (calls: readonly Sent[]) => unknown>> = {
  "openai-chat": (calls) => ({
    choices: [
      {
        finish_reason: "tool_calls",
        message: {
          role: "assistant",
          content: null,
          tool_calls: calls.map(({ id, name, args }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(args) } })),
        },
      },
    ],
  }),
  "openai-responses": (calls) => ({
    status: "completed",
    output: [
      { type: "reasoning" },
      ...calls.map(({ id, name, args }) => ({
        type: "function_call",
        id: `fc_${id}`,
        call_id: id,
        name,
        arguments: JSON.stringify(args),
        status: "completed",
      })),
    ],
  }),
  anthropic: (calls) => ({
    role: "assistant",
    stop_reason: "tool_use",
    content: [{ type: "text", text: "let me see" }, ...calls.map(({ id, name, args }) => ({ type: "tool_use", id, name, input: args }))],
  }),
  gemini: (calls) => ({
    candidates: [
      {
        finishReason: "STOP",
        content: {
          role: "model",
          parts: calls.map(({ id, name, args }) => ({ functionCall: { id, name, args }, thoughtSignature: "c2ln" })),
        },
      },
    ],
  }),
  mcp: (calls) => calls.map(({ id, name, args }) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } })),
  plain: (calls) => calls.map(({ id, name, args }) => ({ id, tool: name, arguments: args })),
};

function malformedMessage(call: ToolCall | undefined): string {
  return call?.arguments.kind === "malformed" ? call.arguments.error.message : "";
}

const wellFormed = fc.string({ unit: "grapheme" });
const value: fc.Arbitrary<Json> = fc.oneof(
  { maxDepth: 3 },
  wellFormed,
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(wellFormed),
  fc.dictionary(wellFormed, fc.integer()),
);
const args = fc.dictionary(wellFormed, value).filter((each) => !/"(__proto__|constructor|prototype)":/.test(JSON.stringify(each)));
const toolNames = ["order.refund", "order_refund", "crm.get", "a-b"];

describe("every form", () => {
  it.each(forms)(
    verifies("CALL-01", "CALL-02", "CALL-03", "CALL-04", "%s: decodes what was encoded, names and arguments alike"),
    (form) => {
      const names = createNameMap(
        toolNames.map((name) => ({ name, version: "1.0.0" })),
        form,
      );
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.record({ id: fc.stringMatching(/^[a-z0-9_]{1,12}$/), name: fc.constantFrom(...toolNames), args }), {
            selector: (each) => each.id,
            maxLength: 6,
          }),
          (calls) => {
            const sent = calls.map((call) => ({ ...call, name: names.toProvider(call.name), args: call.args as JsonObject }));
            const decoded = codecs[form].decode(encoders[form](sent), names, limits);
            expect(
              decoded.calls.map((call) => ({
                id: call.id,
                name: call.name,
                args: call.arguments.kind === "parsed" ? call.arguments.value : "malformed",
              })),
            ).toEqual(calls.map((call) => ({ ...call, args: JSON.parse(JSON.stringify(call.args)) as unknown })));
            for (const call of decoded.calls) {
              expect(call.hasProviderId).toBe(true);
              if (call.arguments.kind === "parsed") expect(canonicalJson(JSON.parse(call.raw))).toBe(canonicalJson(call.arguments.value));
            }
          },
        ),
        { numRuns: 50 },
      );
    },
  );

  it.each(forms)("%s: refuses what is no response with REQUEST_INVALID and never throws anything else", (form) => {
    const words =
      "choices message tool_calls function arguments input output content parts functionCall args candidates type tool_use function_call id name tool method params status stop_reason".split(
        " ",
      );
    const shaped = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 6 },
        fc.jsonValue(),
        fc.constantFrom("tool_use", "function_call", "assistant", "tools/call", "custom_tool_call", undefined),
        fc.array(tie("node"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...words), tie("node"), { maxKeys: 5 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.oneof(shaped, fc.jsonValue(), fc.string({ unit: anyCodePoint }), fc.anything()), (response) => {
        try {
          const decoded = decode(form, response);
          codecs[form].answer([], decoded.calls);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ToolCallError);
          expect((thrown as ToolCallError).code).toBe("REQUEST_INVALID");
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each(forms)("%s: names what it expected", (form) => {
    expect(() => decode(form, "text")).toThrow(/^not a response in the form `[a-z-]+`: expected .+, found a string$/);
  });

  it.each(forms)("%s: refuses the second call under one id and keeps the first", (form) => {
    const { calls } = decode(
      form,
      encoders[form]([
        { id: "x", name: "a", args: {} },
        { id: "x", name: "b", args: {} },
      ]),
    );
    expect(calls.map((call) => call.arguments.kind)).toEqual(["parsed", "malformed"]);
    expect(malformedMessage(calls[1])).toContain("the call id `x` was used twice");
  });

  it.each(forms)("%s: mints ids that no other call has", (form) => {
    const { calls } = decode(
      form,
      encoders[form]([
        { id: "", name: "a", args: {} },
        { id: "call_0", name: "b", args: {} },
        { id: "", name: "c", args: {} },
      ]),
    );
    expect(calls.map((call) => [call.id, call.hasProviderId])).toEqual([
      ["call_0_", false],
      ["call_0", true],
      ["call_2", false],
    ]);
  });

  it.each(forms)("%s: refuses the calls over the limit of a turn, not the others", (form) => {
    const many = Array.from({ length: 4 }, (_, index) => ({ id: `c${index}`, name: "a", args: {} }));
    const { calls } = codecs[form].decode(encoders[form](many), noNames(form), { ...limits, turnCallsMax: 3 });
    expect(calls.map((call) => call.arguments.kind)).toEqual(["parsed", "parsed", "parsed", "malformed"]);
    expect(malformedMessage(calls[3])).toContain("at most 3");
  });

  it.each(forms)("%s: passes on a name that it did not give out, dangerous ones included", (form) => {
    for (const name of ["nope", "__proto__", "toString"])
      expect(decode(form, encoders[form]([{ id: "1", name, args: {} }])).calls[0]?.name).toBe(name);
  });
});

describe("single forms", () => {
  it("openai-chat: reads a message, a list, custom tools and empty arguments", () => {
    const list = [
      { id: "1", type: "function", function: { name: "a", arguments: "" } },
      { id: "2", type: "custom", custom: { name: "sh", input: "ls -l" } },
    ];
    for (const shape of [list, { role: "assistant", tool_calls: list }]) {
      const { calls, stop } = decode("openai-chat", shape);
      expect(stop).toBe("tool-calls");
      expect(calls.map((call) => call.arguments)).toEqual([
        { kind: "parsed", value: {} },
        { kind: "parsed", value: { input: "ls -l" } },
      ]);
      expect(calls[1]?.raw).toBe("ls -l");
    }
  });

  it("openai-chat: refuses the legacy function_call with the way out", () => {
    expect(() => decode("openai-chat", { role: "assistant", function_call: { name: "a", arguments: "{}" } })).toThrow(
      /legacy `function_call`; offer the functions as `tools`/,
    );
  });

  it(verifies("CALL-06", "keeps the raw bytes of arguments that cannot be read"), () => {
    const { calls } = decode("openai-chat", [{ id: "1", function: { name: "a", arguments: '{"a": 1, "a": 2}' } }]);
    expect(calls[0]?.raw).toBe('{"a": 1, "a": 2}');
    expect(malformedMessage(calls[0])).toContain("appears twice");
  });

  it("says cut off for the last call of a truncated response unless it is provably whole", () => {
    const chat = (text: string): ToolCall | undefined =>
      decode("openai-chat", {
        choices: [
          {
            finish_reason: "length",
            message: {
              role: "assistant",
              tool_calls: [
                { id: "0", function: { name: "a", arguments: "{}" } },
                { id: "1", function: { name: "a", arguments: text } },
              ],
            },
          },
        ],
      }).calls[1];
    expect(malformedMessage(chat('{"a":'))).toContain("cut off");
    expect(malformedMessage(chat(""))).toContain("cut off");
    expect(chat('{"a":1}')?.arguments.kind).toBe("parsed");
    const { calls, stop } = decode("anthropic", {
      stop_reason: "max_tokens",
      content: [
        { type: "tool_use", id: "1", name: "a", input: { x: 1 } },
        { type: "tool_use", id: "2", name: "b", input: {} },
      ],
    });
    expect(stop).toBe("truncated");
    expect(calls.map((call) => call.arguments.kind)).toEqual(["parsed", "malformed"]);
    expect(
      decode("openai-responses", {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
        output: [{ type: "function_call", call_id: "1", name: "a", arguments: "", status: "incomplete" }],
      }).calls[0]?.arguments.kind,
    ).toBe("malformed");
  });

  it.each([
    ["openai-chat", { choices: [{ finish_reason: "content_filter", message: { role: "assistant" } }] }, "refused"],
    ["openai-chat", { choices: [{ finish_reason: "stop", message: { role: "assistant", refusal: "no" } }] }, "refused"],
    ["openai-chat", { choices: [{ finish_reason: "stop", message: { role: "assistant", content: "hi" } }] }, "end"],
    ["openai-chat", { choices: [{ finish_reason: "new_reason", message: { role: "assistant" } }] }, "other"],
    ["openai-responses", { status: "completed", output: [] }, "end"],
    ["openai-responses", { status: "incomplete", incomplete_details: { reason: "content_filter" }, output: [] }, "refused"],
    ["openai-responses", { status: "failed", output: [] }, "other"],
    ["openai-responses", { status: "completed", output: [{ type: "message", content: [{ type: "refusal", refusal: "no" }] }] }, "refused"],
    ["anthropic", { stop_reason: "end_turn", content: [] }, "end"],
    ["anthropic", { stop_reason: "refusal", content: [] }, "refused"],
    ["anthropic", { stop_reason: "pause_turn", content: [] }, "other"],
    ["gemini", { candidates: [{ finishReason: "STOP", content: { parts: [{ text: "hi" }] } }] }, "end"],
    ["gemini", { candidates: [{ finishReason: "SAFETY" }] }, "refused"],
    ["gemini", { candidates: [{ finishReason: "MAX_TOKENS" }] }, "truncated"],
    ["gemini", { promptFeedback: { blockReason: "SAFETY" } }, "refused"],
    ["gemini", { candidates: [{ finishReason: "MALFORMED_FUNCTION_CALL" }] }, "other"],
  ] as [Form, unknown, string][])("%s: %j stops as %s with %s", (form, response, stop) => {
    expect(decode(form, response).stop).toBe(stop);
  });

  it(verifies("CALL-02", "openai-responses: answers by call_id, echoes the caller, and keeps custom tools apart"), () => {
    const caller = { type: "program", caller_id: "call_p" };
    const { calls } = decode("openai-responses", {
      output: [
        { type: "function_call", id: "fc_1", call_id: "call_1", name: "a", arguments: "{}", caller: { ...caller, extra: { x: 1 } } },
        { type: "custom_tool_call", call_id: "call_2", name: "sh", input: "ls" },
      ],
    });
    const items = codecs["openai-responses"].answer(
      [answerWith(completed({ ok: true }), "call_1"), answerWith(completed({ ok: true }), "call_2")],
      calls,
    );
    expect(items).toEqual([
      { type: "function_call_output", call_id: "call_1", output: '{"result":{"ok":true}}', caller },
      { type: "custom_tool_call_output", call_id: "call_2", output: '{"result":{"ok":true}}' },
    ]);
  });

  it(verifies("CALL-04", "gemini: repeats the provider's name, the id only where there was one, and keeps the thought signature"), () => {
    const names = createNameMap([{ name: "a b", version: "1.0.0" }], "gemini");
    const { calls } = codecs.gemini.decode(
      [{ functionCall: { name: "a_b", args: { x: 1 } }, thoughtSignature: "c2ln" }, { functionCall: { id: "g1", name: "a_b" } }],
      names,
      limits,
    );
    expect(calls.map((call) => [call.name, call.id, call.hasProviderId])).toEqual([
      ["a b", "call_0", false],
      ["a b", "g1", true],
    ]);
    expect(calls[0]?.echo).toEqual({ name: "a_b", thoughtSignature: "c2ln" });
    expect(codecs.gemini.answer([answerWith(completed(1), "call_0"), answerWith(completed(2), "g1")], calls)).toEqual([
      {
        role: "user",
        parts: [
          { functionResponse: { name: "a_b", response: { output: 1 } } },
          { functionResponse: { id: "g1", name: "a_b", response: { output: 2 } } },
        ],
      },
    ]);
  });

  it(verifies("CALL-03", "anthropic: answers a whole turn in one user message, in order"), () => {
    const messages = codecs.anthropic.answer(
      [answerWith(completed(1), "t1"), answerWith({ kind: "denied", error: toolCallError("PERMISSION_DENIED", "you may not") }, "t2")],
      [],
    );
    expect(messages).toHaveLength(1);
    const content = messages[0]?.["content"] as readonly JsonObject[];
    expect(content.map((block) => [block["tool_use_id"], block["is_error"]])).toEqual([
      ["t1", undefined],
      ["t2", true],
    ]);
    expect(codecs.anthropic.answer([], [])).toEqual([]);
  });

  it("mcp: reads a request or its params, with the idempotency key of its meta", () => {
    const parameters = { name: "a", arguments: { x: 1 }, _meta: { "signalbox/key": "k1" } };
    const [whole] = decode("mcp", { jsonrpc: "2.0", id: 7, method: "tools/call", params: parameters }).calls;
    expect([whole?.id, whole?.key, whole?.echo]).toEqual(["7", "k1", { requestId: 7 }]);
    expect(decode("mcp", parameters).calls[0]?.key).toBe("k1");
    expect(() => decode("mcp", { method: "tools/list" })).toThrow(/the method `tools\/call`/);
  });

  it("undoes the strict projection only for tools that it was exported for", () => {
    const schema = { type: "object", properties: { a: { type: "string" }, b: { type: "string" } }, required: ["a"] };
    const open = { ...schema, additionalProperties: true };
    const names = createNameMap(
      [
        { name: "strict", version: "1.0.0", inputSchema: schema },
        { name: "open", version: "1.0.0", inputSchema: open },
      ],
      "openai-chat",
    );
    const sent = ["strict", "open"].map((name) => ({ id: name, function: { name, arguments: '{"a":"x","b":null}' } }));
    const { calls } = codecs["openai-chat"].decode(sent, names, limits);
    expect(calls.map((call) => (call.arguments.kind === "parsed" ? call.arguments.value : undefined))).toEqual([
      { a: "x" },
      { a: "x", b: null },
    ]);
    expect(calls[0]?.raw).toBe('{"a":"x","b":null}');
  });

  it("refuses a form that does not exist", () => {
    expect(() => codecFor("__proto__" as Form)).toThrow(/no form named `__proto__`; there are `openai-chat`/);
  });
});
