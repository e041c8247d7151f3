import { expect, test } from "vitest";
import { z } from "zod";
import { sessionCounter } from "../../src/budget/holds.ts";
import { libraryCredential } from "../../src/call/box/signalbox.ts";
import { systemRandom } from "../../src/base/random.ts";
import { memoryKeyring, type Keyring } from "../../src/ledger/keyring.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { approvalIdOf, lead, shop, shopBox } from "../support/box.ts";
import { manualClock, settled } from "../support/manual-clock.ts";
import { ledgerHolds } from "../support/records.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };
const yes = { approve: true, by: "eve" };
const no = { approve: false, by: "eve" };

/** A store and its keys that outlive their box, as files do. */
function lasting(): { readonly store: Store; readonly keys: Keyring } {
  return {
    store: { ...createMemoryStore({ clock: manualClock() }), survivesRestart: true, close: async () => undefined },
    keys: memoryKeyring(systemRandom),
  };
}

test(verifies("EXEC-06", "a call that was repaired, approved and run answers again under its key for the very same request"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const request = { tool: "order.refund", arguments: { orderId: "A-1", amount: "80" }, key: "k1" };
  const id = approvalIdOf(await turn.call(request));
  expect((await box.approvals.decide(id, yes, lead)).answer?.outcome.kind).toBe("completed");
  expect((await turn.call(request)).outcome).toMatchObject({ kind: "completed", isReplay: true });
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test("a repeatable call that was rejected frees or answers its key, and never waits for ever", async () => {
  const post = tool({
    name: "chat.post",
    tier: "irreversible",
    isRepeatable: true,
    description: "Post a message.",
    input: z.object({ text: z.string() }),
    run: () => "posted",
  });
  const { box, turn, clock } = await shopBox({ policy, tools: [post] });
  const request = { tool: "chat.post", arguments: { text: "hello" }, key: "m1" };
  await box.approvals.decide(approvalIdOf(await turn.call(request)), no, lead);
  expect((await turn.call(request)).outcome).toMatchObject({ kind: "denied", error: { code: "APPROVAL_REJECTED" } });
  const second = { ...request, key: "m2" };
  const expired = approvalIdOf(await turn.call(second));
  clock.jump(86_400_001);
  await box.recover();
  expect(approvalIdOf(await turn.call(second))).not.toBe(expired);
  await box.close();
});

test("a call that is judged again runs with the arguments that were judged, repaired as before", async () => {
  const ran: unknown[] = [];
  let refusals = 1;
  const set = tool({
    name: "level.set",
    tier: "reversible",
    description: "Set the level.",
    input: { type: "object", properties: { level: { type: "integer" } }, required: ["level"] },
    retry: { attempts: 1 },
    run: (args) => {
      refusals -= 1;
      if (refusals >= 0) throw new ToolFailure({ kind: "rejected", message: "the level is locked" });
      ran.push(args);
      return true;
    },
  });
  const { store } = lasting();
  // The second gate meets the first call's claim, and by the time it looks again that claim is gone.
  let gates = 0;
  let letGo: (() => void) | undefined;
  async function hold(unit: Parameters<Store["commit"]>[0]): Promise<Awaited<ReturnType<Store["commit"]>>> {
    const isIntent = unit.entries.some(({ kind }) => kind === "call-intended");
    gates += isIntent ? 1 : 0;
    const result = await store.commit(unit);
    if (isIntent && gates === 1) await settled();
    if (isIntent && result.kind === "refused") await new Promise<void>((resolve) => (letGo = resolve));
    return result;
  }
  const { box, turn } = await shopBox({ policy, tools: [set], store: { ...store, commit: (unit) => hold(unit) } });
  const request = { tool: "level.set", arguments: { level: "7" }, key: "k1" };
  const first = turn.call(request);
  const second = turn.call(request);
  expect((await first).outcome).toMatchObject({ error: { code: "TOOL_REFUSED" } });
  expect(letGo).toBeTypeOf("function");
  letGo?.();
  expect((await second).outcome.kind).toBe("completed");
  expect(ran).toEqual([{ level: 7 }]);
  await box.close();
});

test("money held by a call whose process died is given back when a look-up shows that nothing happened", async () => {
  const clock = manualClock();
  const { store, keys } = lasting();
  const tools = [
    tool({
      name: "parcel.find",
      tier: "read",
      description: "Find a parcel by key.",
      input: z.object({ key: z.string() }),
      run: () => null,
    }),
    tool({
      name: "parcel.send",
      tier: "reversible",
      idempotency: "lookup",
      lookupTool: "parcel.find",
      costMicrosUsd: 500,
      description: "Send a parcel.",
      input: z.object({}),
      run: () => new Promise(() => undefined),
    }),
  ];
  const first = await shopBox({ policy, tools, store, keys, clock });
  void first.turn.call({ tool: "parcel.send", arguments: {}, key: "p1" });
  await settled();
  const counter = sessionCounter("acme", first.session.id, "cost-micros-usd");
  expect(await store.counters([counter])).toEqual([500]);
  clock.jump(3_600_000);
  const second = await shopBox({ policy, tools, store, keys, clock });
  expect(await store.counters([counter])).toEqual([0]);
  await second.box.close();
});

test(verifies("SAFE-13", "the arguments of a parked call are gone once it has ended, also when its process died in between"), async () => {
  const { store, keys } = lasting();
  const clock = manualClock();
  const made = shop();
  made.script = ["hang"];
  const first = await shopBox({ store, keys, clock, shop: made });
  const id = approvalIdOf(await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  void first.box.approvals.decide(id, yes, lead);
  await settled();
  const second = await shopBox({ store, keys, clock, shop: made });
  const approval = await second.box.approvals.get(id, "acme");
  expect((await second.box.outcome(approval.callId, libraryCredential("acme"))).outcome.kind).toBe("completed");
  expect(await second.box.approvals.arguments(id, "acme")).toBeUndefined();
  expect(await store.scan({ space: "parked", tenant: "acme", limit: 10 })).toEqual([]);
  await second.box.close();
});

test(verifies("SAFE-13", "one person's data is erased, nobody else's, and the ledger still proves itself"), async () => {
  const { store, keys } = lasting();
  const { box } = await shopBox({ policy, store, keys });
  const callsOf = async (dataSubject: string): Promise<string> => {
    const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"], dataSubject });
    return (await session.turn({ said: `about ${dataSubject}` }).call({ tool: "order.get", arguments: { orderId: "A-1" } })).callId;
  };
  const [gone, kept] = [await callsOf("person-1"), await callsOf("person-2")];
  expect(await box.erase({ tenant: "acme", dataSubject: "person-1", by: "operator" })).toBe(1);
  const privateOf = async (callId: string): Promise<unknown> =>
    (await box.trail({ tenant: "acme", callId, limit: 10 })).map((item) => item.private);
  expect(await privateOf(gone)).toEqual([undefined, undefined]);
  expect(await privateOf(kept)).toMatchObject([{ arguments: { orderId: "A-1" }, said: "about person-2" }, { result: { orderId: "A-1" } }]);
  expect(await ledgerHolds(box)).toMatchObject({ ok: true });
  await box.close();
});
