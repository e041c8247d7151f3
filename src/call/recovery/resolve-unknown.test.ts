import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead, shopBox, shopPolicy } from "../../../test/support/box.ts";
import { settled } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { RegisteredTool } from "../../domain/tool.ts";
import { tool } from "../../registry/define.ts";
import type { Signalbox } from "../box/box.ts";
import { libraryCredential } from "../box/signalbox.ts";
import type { BoxTurn, CallRequest } from "../box/box-session.ts";

const credential = libraryCredential("acme");
const policy = { ...shopPolicy, rules: [{ id: "all", on: "order.*", when: "true", effect: "allow", waives: "tier" }] };
const lateMs = 120_000;

/** A tool that loses its first reply and that nothing can look into. */
function lossyTool(): RegisteredTool & { readonly sent: string[] } {
  const sent: string[] = [];
  const made = tool({
    name: "order.ship",
    tier: "irreversible",
    costMicrosUsd: 400,
    description: "Ship a paid order. Not for others.",
    input: z.object({ order: z.string() }),
    retry: { attempts: 1 },
    run: ({ order }) => {
      sent.push(order);
      if (sent.length === 1) throw new Error("the line dropped");
      return { shipped: order };
    },
  });
  return { ...made, sent };
}

const call: CallRequest = { tool: "order.ship", arguments: { order: "A-1" }, key: "ship-A-1" };

async function lost(request: CallRequest = call): Promise<{
  readonly box: Signalbox;
  readonly turn: BoxTurn;
  readonly sent: readonly string[];
  readonly made: Answer;
  readonly later: () => Promise<void>;
}> {
  const lossy = lossyTool();
  const { box, turn, clock } = await shopBox({ tools: [lossy], policy: { ...policy, budgets: { session: { usd: 0.0005 } } } });
  const made = await turn.call(request);
  expect(made.outcome.kind).toBe("unknown");
  return { box, turn, sent: lossy.sent, made, later: () => clock.advance(lateMs) };
}

const found = (happened: boolean, note = "looked into the warehouse's list") => ({ tenant: "acme", happened, by: "eve", note });

test(verifies("EXEC-07", "a person who saw that it happened settles the call, and its key answers with that from then on"), async () => {
  const { box, turn, sent, made } = await lost();
  expect(await box.deadLetters.list({ tenant: "acme", limit: 10 })).toMatchObject({
    letters: [{ id: made.callId, kind: "unknown", tool: "order.ship" }],
    next: undefined,
  });
  const resolved = await box.deadLetters.resolve(made.callId, found(true));
  expect(resolved).toMatchObject({
    callId: made.callId,
    outcome: { kind: "completed", effect: "applied", result: { value: null }, notices: [expect.stringContaining("a person has looked")] },
  });
  expect(await turn.call(call)).toMatchObject({ callId: made.callId, outcome: { kind: "completed", isReplay: true } });
  const again = await turn.call({ tool: "order.ship", arguments: { order: "A-1" } });
  expect(again.outcome).toMatchObject({ kind: "pending", waiting: { kind: "person" } });
  expect(sent).toEqual(["A-1"]);
  expect((await box.deadLetters.list({ tenant: "acme", limit: 10 })).letters).toEqual([]);
  await box.close();
});

test(verifies("EXEC-07", "a person who saw that it did not happen frees key, meaning and cost for another attempt"), async () => {
  const { box, turn, sent, made, later } = await lost();
  await later();
  const resolved = await box.deadLetters.resolve(made.callId, found(false));
  expect(resolved?.outcome).toMatchObject({ kind: "failed", error: { code: "TOOL_FAILED", effect: "none", retry: "later" } });
  expect((await box.outcome(made.callId, credential)).outcome.kind).toBe("failed");
  // The budget holds one such call, so it could not be made if the cost of the first were still held.
  expect((await turn.call(call)).outcome).toMatchObject({ kind: "completed", result: { value: { shipped: "A-1" } } });
  expect(sent).toEqual(["A-1", "A-1"]);
  await box.close();
});

test("a no does not count while the lost attempt may still arrive", async () => {
  const { box, turn, made } = await lost();
  await expect(box.deadLetters.resolve(made.callId, found(false))).rejects.toMatchObject({
    code: "REQUEST_INVALID",
    message: expect.stringContaining("may still arrive") as string,
  });
  expect((await turn.call(call)).outcome.kind).toBe("unknown");
  await box.close();
});

test(verifies("OBS-06", "the trail says who settled it and why, beside what was recorded before"), async () => {
  const { box, made } = await lost({ tool: "order.ship", arguments: { order: "A-1" } });
  await box.deadLetters.resolve(made.callId, found(true, "the parcel is in Graz"));
  const trail = await box.trail({ tenant: "acme", callId: made.callId, limit: 10 });
  expect(trail.map(({ entry, body }) => [entry.kind, (body as { outcome?: string }).outcome])).toEqual([
    ["call-intended", undefined],
    ["call-settled", "unknown"],
    ["call-settled", "completed"],
  ]);
  expect(trail[2]).toMatchObject({
    body: { resolvedBy: "eve", effect: "applied" },
    private: { note: "the parcel is in Graz" },
    values: "opened",
  });
  // What a person wrote may tell of people: it is erasable, so it is not part of what is hashed.
  expect(trail[2]?.entry.text).not.toContain("Graz");
  await box.close();
});

test("nothing but an unknown call of the tenant can be settled, and only once", async () => {
  const { box, turn, made } = await lost();
  const read = await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  const invalid = { code: "REQUEST_INVALID" };
  await expect(box.deadLetters.resolve(read.callId, found(true))).rejects.toMatchObject(invalid);
  await expect(box.deadLetters.resolve("call_none", found(true))).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(box.deadLetters.resolve(made.callId, { ...found(true), tenant: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(box.deadLetters.resolve(made.callId, found(true, " "))).rejects.toMatchObject(invalid);
  const both = await Promise.allSettled([
    box.deadLetters.resolve(made.callId, found(true)),
    box.deadLetters.resolve(made.callId, found(true)),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  await expect(box.deadLetters.resolve(made.callId, found(true))).rejects.toMatchObject(invalid);
  expect((await box.trail({ tenant: "acme", callId: made.callId, limit: 10 })).length).toBe(3);
  await box.close();
});

test("a call that was approved can be settled too, and its approval stays used", async () => {
  const lossy = lossyTool();
  const { box, turn } = await shopBox({ tools: [lossy] });
  const parked = await turn.call(call);
  const { answer } = await box.approvals.decide(approvalIdOf(parked), { approve: true, by: "lead" }, lead);
  expect(answer?.outcome.kind).toBe("unknown");
  expect((await box.deadLetters.resolve(parked.callId, found(true)))?.outcome.kind).toBe("completed");
  expect((await box.approvals.get(approvalIdOf(parked), "acme")).state).toBe("used");
  await box.close();
});

test("a listing goes on where the page before ended", async () => {
  const made = ["A-1", "A-2", "B-1"];
  const failing = tool({
    name: "order.pack",
    tier: "reversible",
    description: "Pack an order. Not for shipping it.",
    input: z.object({ order: z.string() }),
    retry: { attempts: 1 },
    run: () => {
      throw new Error("the line dropped");
    },
  });
  const { box, turn } = await shopBox({ tools: [failing], policy });
  const calls = await Promise.all(made.map((order) => turn.call({ tool: "order.pack", arguments: { order } })));
  const first = await box.deadLetters.list({ tenant: "acme", limit: 2 });
  const second = await box.deadLetters.list({ tenant: "acme", limit: 2, after: first.next as string });
  const listed = [...first.letters, ...second.letters].map(({ id }) => id);
  expect(listed.toSorted()).toEqual(calls.map(({ callId }) => callId).toSorted());
  expect((await box.deadLetters.list({ tenant: "other", limit: 2 })).letters).toEqual([]);
  await box.close();
});

test(verifies("EXEC-07", "a person cannot settle a call that the runtime is looking into at that moment"), async () => {
  let letGo = (): void => undefined;
  let sentCount = 0;
  const resent = tool({
    name: "order.bill",
    tier: "irreversible",
    idempotency: "key",
    description: "Bill an order. Not for shipping it.",
    input: z.object({ order: z.string() }),
    retry: { attempts: 1 },
    run: ({ order }) => {
      sentCount += 1;
      if (sentCount === 1) throw new Error("the line dropped");
      return new Promise<{ readonly billed: string }>((resolve) => (letGo = () => resolve({ billed: order })));
    },
  });
  const { box, turn } = await shopBox({ tools: [resent], policy });
  const request = { tool: "order.bill", arguments: { order: "A-1" }, key: "bill-1" };
  const made = await turn.call(request);
  expect(made.outcome.kind).toBe("unknown");
  const again = turn.call(request);
  await settled();
  await expect(box.deadLetters.resolve(made.callId, found(true))).rejects.toMatchObject({
    code: "REQUEST_INVALID",
    message: expect.stringContaining("looking into") as string,
  });
  letGo();
  expect((await again).outcome).toMatchObject({ kind: "completed", result: { value: { billed: "A-1" } } });
  await expect(box.deadLetters.resolve(made.callId, found(true))).rejects.toMatchObject({
    message: expect.stringContaining("is not unknown") as string,
  });
  await box.close();
});
