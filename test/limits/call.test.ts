import { expect, test } from "vitest";
import { z } from "zod";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const get = { tool: "order.get", arguments: { orderId: "A-1" } };
const policy = { roles: { support: ["*"] } };

/** A read that answers with whatever it is told to. */
function answering(run: () => unknown): ReturnType<typeof tool> {
  return tool({ name: "note.read", tier: "read", description: "Read the note.", input: z.object({}), retry: { attempts: 1 }, run });
}

test("a tool name, a call id and a key may be as long as their limits, and no longer", async () => {
  const { box, turn } = await shopBox({ policy, limits: { toolNameCharsMax: 9, callIdCharsMax: 8, keyCharsMax: 7 } });
  expect((await turn.call({ ...get, callId: "c".repeat(8), key: "k".repeat(7) })).outcome.kind).toBe("completed");
  for (const request of [
    { ...get, tool: "order.get2" },
    { ...get, callId: "c".repeat(9) },
    { ...get, key: "k".repeat(8) },
    { ...get, key: "" },
  ])
    expect(codeOf(await turn.call(request))).toBe("CALL_MALFORMED");
  await box.close();
});

test("what a model says of a tool's name is bounded in the ledger too", async () => {
  const { box, turn } = await shopBox({ limits: { toolNameCharsMax: 50 } });
  const { callId } = await turn.call({ tool: "x".repeat(100_000), arguments: {} });
  const [denied] = await box.store.entries({ tenant: "acme", callId, limit: 5 });
  expect(denied?.text.length).toBeLessThan(3_000);
  await box.close();
});

test("the user's words and the model's reasoning are taken up to their limits, and a turn with more is refused", async () => {
  const { box, session } = await shopBox({ policy, limits: { saidCharsMax: 20, reasoningCharsMax: 10 } });
  expect((await session.turn({ said: "s".repeat(20), reasoning: "r".repeat(10) }).call(get)).outcome.kind).toBe("completed");
  expect(() => session.turn({ said: "s".repeat(21) })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }) as Error);
  expect(() => session.turn({ reasoning: "r".repeat(11) })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }) as Error);
  for (const name of ["id", "model", "traceId"]) {
    session.turn({ [name]: "x".repeat(200) });
    expect(() => session.turn({ [name]: "x".repeat(201) })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }) as Error);
    expect(() => session.turn({ [name]: 5 })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }) as Error);
  }
  await box.close();
});

test("a tenant, a user and a role may have names as long as the limit, and a session with other ones is refused", async () => {
  const { box } = await shopBox({ policy, limits: { principalCharsMax: 7 } });
  expect((await box.session({ tenant: "t".repeat(7), user: "u".repeat(7), roles: ["support"] })).principal.user).toBe("u".repeat(7));
  const wrong = [
    { tenant: "t".repeat(8), user: "ada", roles: [] },
    { tenant: "acme", user: "u".repeat(8), roles: [] },
    { tenant: "acme", user: "ada", roles: ["r".repeat(8)] },
    { tenant: "acme", user: "\ud800", roles: [] },
    { tenant: "acme", user: "ada", roles: "support" },
    { tenant: 5, user: "ada", roles: [] },
    { tenant: "acme", user: "ada" },
  ];
  for (const options of wrong)
    await expect(box.session(options as never), JSON.stringify(options)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  await box.close();
});

test("calls of one turn beyond the limit are answered, not run", async () => {
  let runCount = 0;
  const { box, turn } = await shopBox({ policy, tools: [answering(() => (runCount += 1))], limits: { turnCallsMax: 3 } });
  const calls = Array.from({ length: 5 }, (_, index) => ({ id: `c${index}`, tool: "note.read", arguments: {} }));
  const answers = await turn.answers("plain", calls);
  expect(answers.map(codeOf)).toEqual([undefined, undefined, undefined, "CALL_MALFORMED", "CALL_MALFORMED"]);
  expect(runCount).toBe(3);
  await box.close();
});

test("arguments at the limits of bytes, depth and keys run, beyond them they are refused", async () => {
  const open = tool({
    name: "open.put",
    tier: "read",
    description: "Take anything.",
    input: { type: "object", additionalProperties: true },
    run: () => 1,
  });
  const limits = { argumentsBytesMax: 200, argumentsDepthMax: 3, argumentsKeysMax: 5 };
  const { box, turn } = await shopBox({ policy, tools: [open], limits });
  const outcome = async (args: object): Promise<string> => {
    const answer = await turn.call({ tool: "open.put", arguments: args as never });
    return codeOf(answer) ?? answer.outcome.kind;
  };
  expect(await outcome({ a: "x".repeat(192) })).toBe("completed");
  expect(await outcome({ a: "x".repeat(193) })).toBe("CALL_MALFORMED");
  expect(await outcome({ a: { b: { c: 1 } } })).toBe("completed");
  expect(await outcome({ a: { b: { c: {} } } })).toBe("CALL_MALFORMED");
  expect(await outcome({ a: 1, b: 2, c: { d: 4, e: 5 } })).toBe("completed");
  expect(await outcome({ a: 1, b: 2, c: { d: 4, e: 5, f: 6 } })).toBe("CALL_MALFORMED");
  await box.close();
});

test(verifies("CALL-14", "a result over the limit is cut, keeps valid structure, and says how much is missing"), async () => {
  const rows = Array.from({ length: 300 }, (_, index) => ({ id: index, note: "a row of the table" }));
  const { box, turn } = await shopBox({ policy, tools: [answering(() => rows)], limits: { resultCharsMax: 400 } });
  const [message] = await turn.answer("openai-chat", {
    tool_calls: [{ id: "c1", type: "function", function: { name: "note_read", arguments: "{}" } }],
  });
  const content = message?.["content"] as string;
  expect(content.length).toBeLessThan(700);
  expect(JSON.parse(content)).toBeTypeOf("object");
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  if (outcome.kind !== "completed") throw new Error(outcome.kind);
  expect(JSON.stringify(outcome.result.parts).length).toBeLessThan(450);
  expect(outcome.result.cutChars).toBeGreaterThan(JSON.stringify(rows).length - 400);
  expect(outcome.result).toMatchObject({
    value: undefined,
    handle: expect.stringMatching(/^res_/) as string,
    label: { integrity: "untrusted" },
  });
  await box.close();
});

test(verifies("CALL-14", "a result of exactly the limit is whole and has no handle"), async () => {
  const { box, turn } = await shopBox({ policy, tools: [answering(() => "x".repeat(398))], limits: { resultCharsMax: 400 } });
  expect((await turn.call({ tool: "note.read", arguments: {} })).outcome).toMatchObject({
    result: { value: "x".repeat(398), handle: undefined, cutChars: 0 },
  });
  await box.close();
});

test(verifies("CALL-14", "a handle gives the rest page by page, no page longer than the limit, until it expires"), async () => {
  const text = Array.from({ length: 1_000 }, (_, index) => String(index)).join(" ");
  const limits = { resultCharsMax: 400, handlePageCharsMax: 1_500, handleExpiryMs: 60_000 };
  const { box, session, turn, clock } = await shopBox({ policy, tools: [answering(() => text)], limits });
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  const handle = (outcome.kind === "completed" && outcome.result.handle) || "";
  let read = "";
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const page = await box.readHandle(handle, session, { offset, limit: 1_000_000 });
    expect(page.text.length).toBeLessThanOrEqual(1_500);
    read += page.text;
    offset = page.nextOffset;
  }
  expect(JSON.parse(read)).toBe(text);
  await clock.advance(59_999);
  await expect(box.readHandle(handle, session, { offset: 0, limit: 10 })).resolves.toMatchObject({ text: read.slice(0, 10) });
  await clock.advance(1);
  await expect(box.readHandle(handle, session, { offset: 0, limit: 10 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await box.close();
});

test("a handle is of its session alone, and is authorised anew", async () => {
  const { box, session, turn } = await shopBox({ policy, tools: [answering(() => "x".repeat(5_000))] });
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  const handle = (outcome.kind === "completed" && outcome.result.handle) || "";
  const page = { offset: 0, limit: 10 };
  for (const [tenant, user] of [
    ["acme", "ada"],
    ["acme", "bob"],
    ["evil", "ada"],
  ] as const) {
    const other = await box.session({ tenant, user, roles: ["support"] });
    await expect(box.readHandle(handle, other, page)).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
  await box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "operator" });
  await expect(box.readHandle(handle, session, page)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await box.close();
});

test("a result nested as deep as the limit is taken, a deeper one is refused and says so", async () => {
  let depth = 5;
  const nested = (): unknown => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);
  const { box, turn } = await shopBox({ policy, tools: [answering(nested)], limits: { resultDepthMax: 5 } });
  expect((await turn.call({ tool: "note.read", arguments: {} })).outcome.kind).toBe("completed");
  depth = 6;
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  expect(outcome).toMatchObject({ error: { code: "RESULT_INVALID", message: expect.stringContaining("deeper than 5 levels") as string } });
  await box.close();
});

test("a result of as many values as the limit is taken, one of more is refused and says so", async () => {
  let count = 10;
  const many = (): unknown => Array.from({ length: count - 1 }, () => ({}));
  const { box, turn } = await shopBox({ policy, tools: [answering(many)], limits: { resultNodesMax: 10 } });
  expect((await turn.call({ tool: "note.read", arguments: {} })).outcome.kind).toBe("completed");
  count = 11;
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  expect(outcome).toMatchObject({ error: { code: "RESULT_INVALID", message: expect.stringContaining("more than 10 values") as string } });
  await box.close();
});

test("what a handler returns that is no JSON is told as the tool's fault, after the fact for a write", async () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  for (const value of [10n, Number.NaN, cycle, new Map([["a", 1]]), () => 1, { a: { b: Symbol("x") } }]) {
    const put = tool({ name: "note.write", tier: "reversible", description: "Write the note.", input: z.object({}), run: () => value });
    const { box, turn } = await shopBox({ policy, tools: [answering(() => value), put] });
    expect((await turn.call({ tool: "note.read", arguments: {} })).outcome).toMatchObject({
      error: { code: "RESULT_INVALID", effect: "none" },
    });
    expect((await turn.call({ tool: "note.write", arguments: {} })).outcome).toMatchObject({
      error: { code: "RESULT_INVALID", effect: "applied", retry: "never" },
    });
    await box.close();
  }
});

test("a handler that returns nothing has done its work", async () => {
  const { box, turn } = await shopBox({ policy, tools: [answering(() => undefined)] });
  expect((await turn.call({ tool: "note.read", arguments: {} })).outcome).toMatchObject({ kind: "completed", result: { value: null } });
  await box.close();
});

test("at most so many wrong fields are named in one error", async () => {
  const wide = tool({
    name: "wide.put",
    tier: "read",
    description: "Take many numbers.",
    input: z.object(Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`n${index}`, z.number()]))),
    run: () => 1,
  });
  const { box, turn } = await shopBox({ policy, tools: [wide], limits: { errorFieldsMax: 4 } });
  const { outcome } = await turn.call({ tool: "wide.put", arguments: { n0: "not a number" } });
  expect(outcome.kind === "failed" && outcome.error.fields.length).toBe(4);
  await box.close();
});

test("an upstream's own words are cut to their limit, apart from our message", async () => {
  const connector = {
    kind: "test",
    execute: async () =>
      ({
        kind: "failure",
        failure: { kind: "failed", message: "the upstream failed", effect: "none", detail: "d".repeat(5_000) },
      }) as const,
  };
  const wordy = tool({ name: "note.wordy", tier: "read", description: "Fail with many words.", input: z.object({}), connector });
  const { box, turn } = await shopBox({ policy, tools: [wordy], limits: { errorDetailCharsMax: 70 } });
  const { outcome } = await turn.call({ tool: "note.wordy", arguments: {} });
  expect(outcome).toMatchObject({ error: { message: "the upstream failed", detail: "d".repeat(70) } });
  await box.close();
});

test("a tool's refusal passes through, bounded, in one line and without secrets", async () => {
  const refusing = answering(() => {
    throw new ToolFailure({ kind: "rejected", message: `the order\r\n\u001b[31mis closed ${"!".repeat(5_000)}` });
  });
  const { box, turn } = await shopBox({ policy, tools: [refusing], limits: { errorDetailCharsMax: 70 } });
  const { outcome } = await turn.call({ tool: "note.read", arguments: {} });
  if (outcome.kind !== "failed") throw new Error(outcome.kind);
  expect(outcome.error.code).toBe("TOOL_REFUSED");
  expect(outcome.error.message).toMatch(/^the order \P{Cc}*is closed !+$/u);
  expect(outcome.error.message.length).toBeLessThanOrEqual(70);
  await box.close();
});
