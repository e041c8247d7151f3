import { expect, test } from "vitest";
import { z } from "zod";
import { systemRandom } from "../../src/base/random.ts";
import { libraryCredential } from "../../src/call/box/signalbox.ts";
import { memoryKeyring } from "../../src/ledger/keyring.ts";
import { tool } from "../../src/registry/define.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { approvalIdOf, codeOf, lead, shop, shopBox, shopPolicy } from "../support/box.ts";
import { manualClock } from "../support/manual-clock.ts";
import { ledgerText } from "../support/records.ts";
import { verifies } from "../verifies.ts";

const yes = { approve: true, by: "eve" };
const large = (amount = 80): { readonly tool: string; readonly arguments: { orderId: string; amount: number } } => ({
  tool: "order.refund",
  arguments: { orderId: "A-1", amount },
});

test(
  verifies("AUTH-07", "SAFE-06", "an approver of another tenant neither sees nor answers an approval, and cannot tell that it exists"),
  async () => {
    const { box, turn, shop: made } = await shopBox();
    const id = approvalIdOf(await turn.call(large()));
    const foreign = { ...lead, tenant: "evil" };
    const refusal = async (asked: string): Promise<unknown> =>
      await box.approvals.decide(asked, yes, foreign).then(
        () => "answered",
        (error: Error) => error.message.replace(asked, "X"),
      );
    expect(await refusal(id)).toBe(await refusal("apr_00000000000000000000000000"));
    await expect(box.approvals.get(id, "evil")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(box.approvals.arguments(id, "evil")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await box.approvals.list({ tenant: "evil", limit: 10 })).toEqual([]);
    expect(made.refunds).toEqual([]);
    await box.close();
  },
);

test(verifies("AUTH-07", "an approval that was used, rejected or expired cannot be replayed by anybody"), async () => {
  const { box, turn, shop: made, clock } = await shopBox();
  const ids = [];
  for (const amount of [80, 81, 82]) ids.push(approvalIdOf(await turn.call(large(amount))));
  const [used, rejected, expired] = ids as [string, string, string];
  await box.approvals.decide(used, yes, lead);
  await box.approvals.decide(rejected, { approve: false, by: "eve" }, lead);
  await clock.advance(86_400_001);
  await box.recover();
  for (const id of [used, rejected, expired]) {
    for (const by of ["eve", "joe"])
      await expect(box.approvals.decide(id, { approve: true, by }, { ...lead, id: `lead-${by}` })).rejects.toMatchObject({
        code: "APPROVAL_INVALID",
      });
  }
  await box.recover();
  expect(made.refunds.map(({ amount }) => amount)).toEqual([80]);
  await box.close();
});

test(verifies("AUTH-07", "an approval is for its session's call: the same call of another session asks for itself"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = approvalIdOf(await turn.call(large()));
  const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" } });
  const second = approvalIdOf(await other.turn().call(large()));
  expect(second).not.toBe(first);
  await box.approvals.decide(first, yes, lead);
  expect(made.refunds).toHaveLength(1);
  expect((await other.turn().call(large())).outcome.kind).toBe("pending");
  await box.close();
});

test(verifies("AUTH-07", "an approval is for its arguments: a cent more asks for itself"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const first = approvalIdOf(await turn.call(large(80)));
  await box.approvals.decide(first, yes, lead);
  const more = await turn.call(large(80.01));
  expect(approvalIdOf(more)).not.toBe(first);
  expect(made.refunds.map(({ amount }) => amount)).toEqual([80]);
  await box.close();
});

/** Two boxes over one store, the second with other tools, as after a deployment. */
async function redeployed(changes: {
  readonly tier?: "irreversible" | "privileged";
  readonly description?: string;
  readonly policy?: unknown;
}) {
  const clock = manualClock();
  const store = { ...createMemoryStore({ clock }), survivesRestart: true, close: async () => undefined };
  const keys = memoryKeyring(systemRandom);
  const first = await shopBox({ store, keys, clock });
  const id = approvalIdOf(await first.turn.call(large()));
  await first.box.close();
  const made = shop();
  const ran: unknown[] = [];
  const renewed = tool({
    name: "order.refund",
    tier: changes.tier ?? "irreversible",
    idempotency: "key",
    description: changes.description ?? "Refund a paid order. Not for cancelling an unpaid one.",
    input: z.object({ orderId: z.string(), amount: z.number().positive() }),
    arguments: { orderId: "ref", amount: "amount" },
    retry: { attempts: 1 },
    run: (args) => ran.push(args),
  });
  Object.assign(made, { tools: [made.tools[0], renewed] });
  const second = await shopBox({ store, keys, clock, shop: made, policy: changes.policy ?? shopPolicy });
  return { id, ran, box: second.box, answer: (await second.box.approvals.decide(id, yes, lead)).answer };
}

test(verifies("AUTH-07", "an approval survives a restart and covers the same call under the same definition"), async () => {
  const { answer, ran, box } = await redeployed({});
  expect(answer?.outcome.kind).toBe("completed");
  expect(ran).toEqual([{ orderId: "A-1", amount: 80 }]);
  await box.close();
});

test(
  verifies("AUTH-07", "an approval does not cover a tool whose description or tier changed while it waited: somebody is asked anew"),
  async () => {
    for (const changes of [{ description: "Refund a paid order, and close the account." }, { tier: "privileged" as const }]) {
      const { answer, ran, box, id } = await redeployed(changes);
      expect(answer?.outcome.kind).toBe("pending");
      expect((await box.approvals.get(id, "acme")).state).toBe("void");
      expect(ran).toEqual([]);
      await box.close();
    }
  },
);

test(verifies("AUTH-07", "an approval does not cover what the policy forbids by now, nor a stricter question"), async () => {
  const denying = { ...shopPolicy, rules: [{ id: "freeze", on: "order.*", effect: "deny" }] };
  const denied = await redeployed({ policy: denying });
  expect(codeOf(denied.answer)).toBe("PERMISSION_DENIED");
  const stricter = { ...shopPolicy, rules: [{ id: "two", on: "order.refund", effect: "ask", approvers: ["approver"], quorum: 2 }] };
  const asked = await redeployed({ policy: stricter });
  expect(asked.answer?.outcome.kind).toBe("pending");
  expect([...denied.ran, ...asked.ran]).toEqual([]);
  await denied.box.close();
  await asked.box.close();
});

test("one person cannot make up a quorum, neither by another credential nor under another name", async () => {
  const policy = { ...shopPolicy, rules: [{ id: "two", on: "order.refund", effect: "ask", approvers: ["approver"], quorum: 2 }] };
  const { box, turn, shop: made } = await shopBox({ policy });
  const id = approvalIdOf(await turn.call(large()));
  await box.approvals.decide(id, yes, lead);
  await expect(box.approvals.decide(id, yes, { ...lead, id: "lead-2" })).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  await expect(box.approvals.decide(id, { approve: true, by: "joe" }, lead)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  expect(made.refunds).toEqual([]);
  await box.approvals.decide(id, { approve: true, by: "joe" }, { ...lead, id: "lead-2" });
  expect(made.refunds).toHaveLength(1);
  await box.close();
});

test(verifies("AUTH-07", "no credential that can make calls can answer, whatever else it may"), async () => {
  const { box, turn, shop: made } = await shopBox();
  const id = approvalIdOf(await turn.call(large()));
  const both = { ...libraryCredential("acme"), id: "both", approves: ["approver"], administers: true };
  await expect(box.approvals.decide(id, yes, both)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
  expect(made.refunds).toEqual([]);
  await box.close();
});

test("a parked call's arguments are readable by its approvers and by nobody from the ledger's text", async () => {
  const { box, turn } = await shopBox();
  const id = approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 73_519 } }));
  expect(await box.approvals.arguments(id, "acme")).toEqual({ orderId: "A-1", amount: 73_519 });
  expect(await ledgerText(box)).not.toContain("73519");
  await box.approvals.decide(id, { approve: false, by: "eve" }, lead);
  expect(await box.approvals.arguments(id, "acme")).toBeUndefined();
  await box.close();
});
