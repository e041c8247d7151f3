import fc from "fast-check";
import { expect, test } from "vitest";
import { anyCodePoint } from "../support/any-text.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import { forms } from "../../src/codec/codec.ts";
import type { Form } from "../../src/domain/tool-call.ts";
import { ToolCallError } from "../../src/errors/tool-call-error.ts";
import { shopBox } from "../support/box.ts";
import { ledgerHolds } from "../support/records.ts";
import { verifies } from "../verifies.ts";

const unlimited = {
  rateBurstCalls: 1_000_000,
  rateCallsPerMinute: 1_000_000,
  sessionCallsMax: 1_000_000,
  sessionDenialsMax: 1_000_000,
  approvalsPendingMax: 1_000_000,
};

/** Names and keys that decoders look for, so that random JSON comes close to what they take. */
const words = [
  "tool_calls",
  "choices",
  "message",
  "function",
  "name",
  "arguments",
  "id",
  "type",
  "output",
  "function_call",
  "call_id",
  "content",
  "tool_use",
  "input",
  "candidates",
  "parts",
  "functionCall",
  "args",
  "params",
  "method",
  "tools/call",
  "tool",
  "order.get",
  "order_get",
  "finish_reason",
  "stop_reason",
  "length",
  "tool_calls",
  "_meta",
  "echo",
  "key",
  "__proto__",
  "constructor",
];
const scalar = fc.oneof(
  fc.constantFrom<unknown>(...words, null, true, 0, -1, 1.5, "", "{}", '{"orderId":"A-1"}', undefined),
  fc.string({ maxLength: 6 }),
  fc.integer(),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 4 })), tie("tree"), { maxKeys: 4 }),
  ),
}));

/** A response that is nearly right: the form's own shape with something random in one place. */
function nearly(form: Form, odd: unknown, place: number): unknown {
  const pick = (index: number, right: unknown): unknown => (place === index ? odd : right);
  switch (form) {
    case "openai-chat":
      return {
        choices: pick(0, [
          {
            finish_reason: pick(1, "tool_calls"),
            message: pick(2, {
              tool_calls: pick(3, [
                {
                  id: pick(4, "c1"),
                  type: pick(5, "function"),
                  function: pick(6, { name: pick(7, "order_get"), arguments: pick(8, '{"orderId":"A-1"}') }),
                },
              ]),
            }),
          },
        ]),
      };
    case "openai-responses":
      return {
        status: pick(0, "completed"),
        output: pick(1, [
          pick(2, {
            type: pick(3, "function_call"),
            call_id: pick(4, "c1"),
            id: pick(5, "f1"),
            name: pick(6, "order_get"),
            arguments: pick(7, '{"orderId":"A-1"}'),
          }),
        ]),
      };
    case "anthropic":
      return {
        stop_reason: pick(0, "tool_use"),
        content: pick(1, [
          pick(2, { type: pick(3, "tool_use"), id: pick(4, "c1"), name: pick(5, "order_get"), input: pick(6, { orderId: "A-1" }) }),
        ]),
      };
    case "gemini":
      return {
        candidates: pick(0, [
          {
            finishReason: pick(1, "STOP"),
            content: pick(2, {
              parts: pick(3, [
                { functionCall: pick(4, { name: pick(5, "order.get"), args: pick(6, { orderId: "A-1" }), id: pick(7, "c1") }) },
              ]),
            }),
          },
        ]),
      };
    case "mcp":
      return {
        jsonrpc: "2.0",
        id: pick(0, 1),
        method: pick(1, "tools/call"),
        params: pick(2, { name: pick(3, "order.get"), arguments: pick(4, { orderId: "A-1" }), _meta: pick(5, { "signalbox/key": odd }) }),
      };
    case "plain":
      return [
        { tool: pick(0, "order.get"), arguments: pick(1, { orderId: "A-1" }), id: pick(2, "c1"), key: pick(3, "k") },
        pick(4, { name: "order.get", arguments: {} }),
      ];
  }
}

async function answered(box: Signalbox, form: Form, response: unknown): Promise<void> {
  const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
  const turn = session.turn();
  try {
    const answers = await turn.answer(form, response);
    expect(Array.isArray(answers)).toBe(true);
    // What goes back is JSON that nothing of the machinery shows in.
    expect(JSON.stringify(answers)).not.toMatch(/"stack"|"cause"|"INTERNAL"|node_modules/);
  } catch (error) {
    if (!(error instanceof ToolCallError)) throw error;
    expect(error.code).toBe("REQUEST_INVALID");
    expect(error.message).toMatch(/^[^\n]{5,500}$/);
  }
}

test.each(forms)(
  verifies(
    "SAFE-05",
    "CALL-06",
    "whatever comes as a response in the form %s is answered or refused as REQUEST_INVALID, and nothing else (property)",
  ),
  async (form) => {
    const { box } = await shopBox({ limits: unlimited });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          tree,
          fc.string({ unit: anyCodePoint }),
          fc.uint8Array(),
          fc.anything({ withBigInt: true, withMap: true, withDate: true }),
        ),
        async (response) => await answered(box, form, response),
      ),
      { numRuns: 250 },
    );
    expect(await ledgerHolds(box)).toMatchObject({ ok: true });
    await box.close();
  },
);

test.each(forms)(
  verifies(
    "SAFE-05",
    "CALL-06",
    "a response in the form %s with something odd in one place is answered or refused, and nothing else (property)",
  ),
  async (form) => {
    const { box } = await shopBox({ limits: unlimited });
    await fc.assert(
      fc.asyncProperty(tree, fc.nat({ max: 8 }), async (odd, place) => await answered(box, form, nearly(form, odd, place))),
      { numRuns: 250 },
    );
    expect(await ledgerHolds(box)).toMatchObject({ ok: true });
    await box.close();
  },
);

test.each(forms)("the right response in the form %s is answered with the result, so that the property above is not empty", async (form) => {
  const { session, box } = await shopBox();
  expect(JSON.stringify(await session.turn().answer(form, nearly(form, "ignored", 99)))).toMatch(/region/);
  await box.close();
});

test(verifies("SAFE-05", "objects whose getters throw, and forms that are none, are refused without a word of theirs"), async () => {
  const { box, session } = await shopBox();
  const refuse = (): never => {
    throw new Error("hunter2");
  };
  const evil = new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getOwnPropertyDescriptor: refuse });
  for (const form of [...forms, "__proto__" as Form, "constructor" as Form, "soap" as Form])
    for (const response of [
      evil,
      [evil],
      { content: [evil] },
      { output: [evil] },
      { choices: [evil] },
      { candidates: [evil] },
      { params: evil },
    ]) {
      const refusal: unknown = await session
        .turn()
        .answer(form, response)
        .catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: "REQUEST_INVALID", message: expect.not.stringContaining("hunter2") as string });
    }
  await box.close();
});

test(verifies("CALL-06", "a program's call by name that is no call at all is malformed, not our fault"), async () => {
  const { box, session } = await shopBox();
  for (const request of [
    {},
    { tool: 5, arguments: {} },
    { tool: "order.get", arguments: {}, key: 5 },
    { tool: "order.get", arguments: {}, callId: {} },
    { tool: ["order.get"], arguments: {} },
  ])
    expect((await session.turn().call(request as never)).outcome).toMatchObject({ kind: "failed", error: { code: "CALL_MALFORMED" } });
  await box.close();
});
