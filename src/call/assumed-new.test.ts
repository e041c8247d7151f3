import { expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy, type Shop } from "../../test/support/box.ts";
import { world, type World } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import type { Store } from "../store/store.ts";
import { libraryCredential } from "./box/signalbox.ts";
import type { BoxSession } from "./box/box-session.ts";

const credential = libraryCredential("acme");
const small = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };

/** Which spaces are read, in the order of the reads. */
function reading(store: Store): { readonly store: Store; readonly spaces: string[][] } {
  const spaces: string[][] = [];
  return {
    spaces,
    store: {
      ...store,
      read(keys) {
        spaces.push(keys.map(({ space }) => space));
        return store.read(keys);
      },
    },
  };
}

/** What a session answers to the one message that both processes are handed, under the same turn. */
async function delivered(session: BoxSession): Promise<unknown> {
  const called = { name: "order_refund", arguments: JSON.stringify(small.arguments) };
  const message = { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: called }] };
  const [answer] = await session.turn({ id: "t1" }).answer("openai-chat", message);
  return JSON.parse(answer?.["content"] as string);
}

/** The same session in two processes; the shop counts what was done. */
async function pair(shared: World = world(shopPolicy)): Promise<{
  readonly shared: World;
  readonly made: Shop;
  readonly first: Awaited<ReturnType<typeof shopBox>>;
  readonly second: Awaited<ReturnType<typeof shopBox>>;
  readonly same: BoxSession;
}> {
  const made = shop();
  const first = await shopBox({ ...shared, shop: made });
  const second = await shopBox({ ...shared, shop: made });
  return { shared, made, first, second, same: await second.box.resume(first.session.id, credential) };
}

test("a call under a key that nobody chose reads nothing before its gate, where reading is a round trip", async () => {
  const shared = world({ ...shopPolicy, facts: {}, rules: shopPolicy.rules.slice(1) });
  const seen = reading(shared.store);
  const { turn } = await shopBox({ ...shared, store: seen.store });
  await turn.call({ ...small, arguments: { orderId: "A-1", amount: 10 } });
  seen.spaces.length = 0;
  expect((await turn.call(small)).outcome.kind).toBe("completed");
  expect(seen.spaces).toEqual([]);
  await turn.call({ ...small, arguments: { orderId: "A-2", amount: 20 }, key: "chosen" });
  expect(seen.spaces[0]).toEqual(["key", "meaning", "session", "principal"]);
});

test("a row that the process recalls is looked at before the gate", async () => {
  const shared = world({ ...shopPolicy, facts: {}, rules: shopPolicy.rules.slice(1) });
  const seen = reading(shared.store);
  const { turn } = await shopBox({ ...shared, store: { ...seen.store, recalls: ({ space }) => space === "meaning" } });
  seen.spaces.length = 0;
  await turn.call(small);
  expect(seen.spaces[0]).toEqual(["meaning", "session", "principal"]);
});

test(verifies("OPS-02", "the gate finds the same meaning that another process was asked for, and a person is asked"), async () => {
  const { first, same, made } = await pair();
  expect((await first.turn.call(small)).outcome.kind).toBe("completed");
  const again = await same.turn().call(small);
  expect(again.outcome.kind).toBe("pending");
  expect(made.refunds).toHaveLength(1);
});

test(verifies("OPS-02", "the gate finds the same delivery that another process carried out, and answers as that one did"), async () => {
  const { first, same, made } = await pair();
  const before = await delivered(first.session);
  expect(await delivered(same)).toEqual(before);
  expect(made.refunds).toHaveLength(1);
});

test("a delivery that would be denied by now is still answered as it was when another process carried it out", async () => {
  const { first, second, same, made } = await pair();
  const before = await delivered(first.session);
  made.orders.set("A-1", { region: "us", owner: "ada" });
  expect(await delivered(same)).toEqual(before);
  expect(codeOf(await same.turn().call({ ...small, arguments: { orderId: "A-1", amount: 30 } }))).toBe("PERMISSION_DENIED");
  expect(made.refunds).toHaveLength(1);
  await second.box.close();
});

test("nobody is asked about a call that waits for a person in another process already", async () => {
  const { first, same, second } = await pair();
  const large = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } };
  const asked = await first.turn.call(large);
  const again = await same.turn().call(large);
  expect(approvalIdOf(again)).toBe(approvalIdOf(asked));
  expect(await second.box.approvals.list({ tenant: "acme", limit: 9 })).toHaveLength(1);
});

test("a session that another process stopped lets no call through that assumed it to be new", async () => {
  const { first, same, made } = await pair();
  await first.box.stopSession(first.session.id, "acme", "over");
  expect(codeOf(await same.turn().call(small))).toBe("SESSION_STOPPED");
  expect(made.refunds).toHaveLength(0);
});

test("of what calls claim, only the key of one that never waited is an id that was just made", async () => {
  const shared = world(shopPolicy);
  const minted: string[] = [];
  const { store } = shared;
  const watched: Store = {
    ...store,
    commit(unit) {
      for (const operation of unit.operations)
        if (operation.op === "put" && operation.isMinted === true) minted.push(`${operation.key.space}/${operation.key.key}`);
      return store.commit(unit);
    },
  };
  const { box, turn } = await shopBox({ ...shared, store: watched });
  const ran = await turn.call(small);
  expect(minted).toEqual([`key/${ran.callId}`]);
  await turn.call({ ...small, arguments: { orderId: "A-2", amount: 20 }, key: "chosen" });
  const asked = await turn.call({ ...small, arguments: { orderId: "A-1", amount: 80 } });
  const { answer } = await box.approvals.decide(approvalIdOf(asked), { approve: true, by: "eve" }, lead);
  expect(answer?.outcome.kind).toBe("completed");
  expect(minted).toHaveLength(1);
});
