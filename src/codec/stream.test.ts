import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { codecs } from "./codec.ts";
import type { Decoded } from "./form-codec.ts";
import { createNameMap } from "./names.ts";
import { createStreamAssembler, type StreamForm } from "./stream.ts";

interface Sent {
  readonly id: string;
  readonly name: string;
  readonly text: string;
}

const streamForms: readonly StreamForm[] = ["openai-chat", "openai-responses", "anthropic", "gemini"];
const names = (form: StreamForm) => createNameMap([{ name: "order.refund", version: "1.0.0" }], form);

function assemble(form: StreamForm, events: readonly unknown[], limits = defaultLimits): Decoded {
  const assembler = createStreamAssembler(form, names(form), limits);
  for (const event of events) assembler.push(event);
  return assembler.finish();
}

// The same response whole, and as the events that each provider streams.
const wholes: Readonly<Record<StreamForm, (calls: readonly Sent[]) => unknown>> = {
  "openai-chat": (calls) => ({
    choices: [
      {
        finish_reason: "tool_calls",
        message: {
          role: "assistant",
          tool_calls: calls.map(({ id, name, text }) => ({ id, type: "function", function: { name, arguments: text } })),
        },
      },
    ],
  }),
  "openai-responses": (calls) => ({
    status: "completed",
    output: calls.map(({ id, name, text }) => ({ type: "function_call", call_id: id, name, arguments: text, status: "completed" })),
  }),
  anthropic: (calls) => ({
    stop_reason: "tool_use",
    content: calls.map(({ id, name, text }) => ({ type: "tool_use", id, name, input: JSON.parse(text) as unknown })),
  }),
  gemini: (calls) => ({
    candidates: [
      {
        finishReason: "STOP",
        content: { parts: calls.map(({ id, name, text }) => ({ functionCall: { id, name, args: JSON.parse(text) as unknown } })) },
      },
    ],
  }),
};

const streams: Readonly<Record<StreamForm, (calls: readonly Sent[], size: number) => readonly unknown[]>> = {
  "openai-chat": (calls, size) => {
    const delta = (tool_calls: unknown) => ({ choices: [{ index: 0, delta: { tool_calls }, finish_reason: null }] });
    const starts = calls.map(({ id, name }, index) => delta([{ index, id, type: "function", function: { name, arguments: "" } }]));
    // Pieces of all calls, interleaved: only the index tells them apart.
    const pieces = interleave(
      calls.map(({ text }, index) => chunks(text, size).map((piece) => delta([{ index, function: { arguments: piece } }]))),
    );
    return [
      { choices: [{ index: 0, delta: { role: "assistant" } }] },
      ...starts,
      ...pieces,
      { choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] },
      { choices: [], usage: {} },
    ];
  },
  "openai-responses": (calls, size) => [
    { type: "response.created", response: { status: "in_progress" } },
    ...calls.flatMap(({ id, name, text }, output_index) => {
      const item = { type: "function_call", id: `fc_${id}`, call_id: id, name, arguments: "", status: "in_progress" };
      return [
        { type: "response.output_item.added", output_index, item },
        ...chunks(text, size).map((delta) => ({ type: "response.function_call_arguments.delta", output_index, delta })),
        { type: "response.function_call_arguments.done", output_index, arguments: text },
        { type: "response.output_item.done", output_index, item: { ...item, arguments: text, status: "completed" } },
      ];
    }),
    { type: "response.completed", response: { status: "completed", output: [] } },
  ],
  anthropic: (calls, size) => [
    { type: "message_start", message: { role: "assistant" } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "ping" },
    { type: "content_block_stop", index: 0 },
    ...calls.flatMap(({ id, name, text }, position) => {
      const index = position + 1;
      return [
        { type: "content_block_start", index, content_block: { type: "tool_use", id, name, input: {} } },
        ...chunks(text, size).map((partial_json) => ({
          type: "content_block_delta",
          index,
          delta: { type: "input_json_delta", partial_json },
        })),
        { type: "content_block_stop", index },
      ];
    }),
    { type: "message_delta", delta: { stop_reason: "tool_use" } },
    { type: "message_stop" },
  ],
  gemini: (calls) => [
    { candidates: [{ content: { parts: [{ text: "let me see" }] } }] },
    ...calls.map(({ id, name, text }) => ({
      candidates: [{ content: { parts: [{ functionCall: { id, name, args: JSON.parse(text) as unknown } }] } }],
    })),
    { candidates: [{ content: { parts: [{ text: "" }] }, finishReason: "STOP" }] },
    { usageMetadata: {} },
  ],
};

function chunks(text: string, size: number): readonly string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  return pieces;
}

function interleave<Item>(lists: readonly (readonly Item[])[]): readonly Item[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, index) => lists.flatMap((list) => list.slice(index, index + 1))).flat();
}

const essence = ({ calls, stop }: Decoded): unknown => ({
  stop,
  calls: calls.map((call) => ({
    id: call.id,
    name: call.name,
    arguments: call.arguments.kind === "parsed" ? call.arguments.value : "malformed",
  })),
});

const args = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,8}$/),
  fc.oneof(fc.string({ unit: "grapheme" }), fc.integer(), fc.array(fc.boolean())),
);
const sentCalls = fc
  .array(args, { minLength: 1, maxLength: 4 })
  .map((list) => list.map((each, index): Sent => ({ id: `call_${index}`, name: "order_refund", text: JSON.stringify(each) })));

describe.each(streamForms)("the stream of %s", (form) => {
  it(verifies("CALL-01", "CALL-02", "CALL-03", "ends in what the whole response decodes to, however it is cut into pieces"), () => {
    fc.assert(
      fc.property(sentCalls, fc.integer({ min: 1, max: 9 }), (calls, size) => {
        const whole = codecs[form].decode(wholes[form](calls), names(form), defaultLimits);
        expect(whole.stop).toBe("tool-calls");
        expect(essence(assemble(form, streams[form](calls, size)))).toEqual(essence(whole));
      }),
      { numRuns: 40 },
    );
  });

  it("never makes a usable call of half its arguments, wherever the stream breaks off", () => {
    fc.assert(
      fc.property(sentCalls, fc.integer({ min: 1, max: 9 }), fc.nat(), (calls, size, pick) => {
        const events = streams[form](calls, size);
        const { calls: found, stop } = assemble(form, events.slice(0, pick % events.length));
        if (stop !== "truncated") expect(stop).toBe("tool-calls");
        for (const call of found) {
          if (call.arguments.kind === "malformed") continue;
          const sent = calls.find((each) => each.id === call.id);
          expect(call.arguments.value).toEqual(JSON.parse(sent?.text ?? "null"));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("never throws, and passes over what it does not know", () => {
    const words =
      "choices delta tool_calls index function arguments name id type item output_index response content_block partial_json candidates content parts functionCall finishReason promptFeedback".split(
        " ",
      );
    const types = [
      "response.output_item.added",
      "response.output_item.done",
      "response.function_call_arguments.delta",
      "content_block_start",
      "content_block_delta",
      "function_call",
      "tool_use",
      "message_delta",
    ];
    const event = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.jsonValue(),
        fc.constantFrom(...types),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...words), tie("node"), { maxKeys: 5 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), (events) => {
        expect(assemble(form, [...events, null, "x", undefined]).calls.every((call) => typeof call.id === "string")).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it("keeps no more calls than one over the limit, and refuses that one", () => {
    const many = Array.from({ length: 9 }, (_, index): Sent => ({ id: `c${index}`, name: "order_refund", text: "{}" }));
    const { calls } = assemble(form, streams[form](many, 5), { ...defaultLimits, turnCallsMax: 3 });
    expect(calls.map((call) => call.arguments.kind)).toEqual(["parsed", "parsed", "parsed", "malformed"]);
  });
});

describe("streams of text arguments", () => {
  it.each(["openai-chat", "openai-responses", "anthropic"] as const)(
    "%s: refuses broken and oversized arguments like the whole response would",
    (form) => {
      const broken: Sent = { id: "1", name: "order_refund", text: '{"a":1,"a":2}' };
      const large: Sent = { id: "2", name: "order_refund", text: `{"a":"${"x".repeat(100)}"}` };
      const { calls } = assemble(form, streams[form]([broken, large], 7), { ...defaultLimits, argumentsBytesMax: 50 });
      const words = calls.map((call) => (call.arguments.kind === "malformed" ? call.arguments.error.message : ""));
      expect(words[0]).toContain("the key `a` appears twice");
      expect(words[1]).toContain("larger than 50 bytes");
      expect(calls[1]?.raw.length).toBe(50);
    },
  );

  it("openai-chat: takes no free text for whole in a stream that broke off", () => {
    const start = (index: number) => ({
      choices: [{ delta: { tool_calls: [{ index, id: `c${index}`, type: "custom", custom: { name: "sh", input: "rm -r ./cache" } }] } }],
    });
    expect(assemble("openai-chat", [start(0), start(1)]).calls.map((call) => call.arguments.kind)).toEqual(["malformed", "malformed"]);
  });

  it("openai-chat: assembles custom tools", () => {
    const events = [
      { choices: [{ delta: { tool_calls: [{ index: 0, id: "1", type: "custom", custom: { name: "sh", input: "ls" } }] } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, custom: { input: " -l" } }] }, finish_reason: "tool_calls" }] },
    ];
    expect(assemble("openai-chat", events).calls[0]?.arguments).toEqual({ kind: "parsed", value: { input: "ls -l" } });
  });

  it("anthropic: takes no call for whole whose block never ended", () => {
    const events = [
      { type: "content_block_start", index: 0, content_block: { type: "tool_use", id: "t", name: "a", input: {} } },
      { type: "message_delta", delta: { stop_reason: "tool_use" } },
      { type: "message_stop" },
    ];
    expect(assemble("anthropic", events).calls.map((call) => call.arguments.kind)).toEqual(["malformed"]);
  });

  it("anthropic: marks a call that max_tokens cut off", () => {
    const events = [
      { type: "content_block_start", index: 0, content_block: { type: "tool_use", id: "t", name: "a", input: {} } },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: '{"path": "/et' } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "max_tokens" } },
      { type: "message_stop" },
    ];
    const { calls, stop } = assemble("anthropic", events);
    expect(stop).toBe("truncated");
    expect(calls[0]?.arguments.kind === "malformed" && calls[0].arguments.error.message).toContain("inside a string");
  });
});
