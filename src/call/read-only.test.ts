import { expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shopBox } from "../../test/support/box.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { systemRandom } from "../base/random.ts";
import { memoryKeyring } from "../ledger/keyring.ts";
import { createMemoryStore } from "../store/memory.ts";
import type { ReadOnlyScope } from "./read-only.ts";

const why = { reason: "a drill", by: "operator" };
const refund = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };
const read = { tool: "order.get", arguments: { orderId: "A-1" } };

test(
  verifies("AUTH-20", "from the moment the switch is on nothing but reads passes the gate, in another process too, until it is off"),
  async () => {
    const clock = manualClock();
    const store = { ...createMemoryStore({ clock }), survivesRestart: true, close: async () => undefined };
    const options = { clock, store, keys: memoryKeyring(systemRandom) };
    const first = await shopBox(options);
    const second = await shopBox({ ...options, shop: first.shop });
    const scopes: readonly ReadOnlyScope[] = [
      { kind: "all" },
      { kind: "tenant", tenant: "acme" },
      { kind: "session", tenant: "acme", sessionId: second.session.id },
    ];
    let refunds = 0;
    for (const scope of scopes) {
      // The session has looked before, so only the gate can notice.
      expect((await second.turn.call(read)).outcome.kind).toBe("completed");
      await first.box.readOnly.turn({ scope, isOn: true, ...why });
      expect(await first.box.readOnly.list("acme")).toMatchObject([{ scope, reason: "a drill" }]);
      // Many more than the denials that stop a session: the switch is no offence.
      for (let again = 0; again < 8; again += 1) expect(codeOf(await second.turn.call(refund))).toBe("READ_ONLY");
      expect((await second.turn.call(read)).outcome.kind).toBe("completed");
      expect(first.shop.refunds).toHaveLength(refunds);
      await first.box.readOnly.turn({ scope, isOn: false, ...why });
      refunds += 1;
      const once = { ...refund, arguments: { orderId: "A-1", amount: refunds } };
      expect((await second.turn.call(once)).outcome.kind).toBe("completed");
      expect(first.shop.refunds).toHaveLength(refunds);
    }
    const trail = await first.box.trail({ tenant: "acme", limit: 1_000 });
    expect(trail.filter(({ entry }) => entry.kind === "read-only-turned")).toHaveLength(4);
    await first.box.close();
    await second.box.close();
  },
);

test(
  verifies("AUTH-20", "a switch concerns its own tenant and session only, and a call that a person lets through does not pass it"),
  async () => {
    const { box, turn, shop } = await shopBox();
    const waiting = await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 80 } });
    await box.readOnly.turn({ scope: { kind: "tenant", tenant: "other" }, isOn: true, ...why });
    const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" } });
    await box.readOnly.turn({ scope: { kind: "session", tenant: "acme", sessionId: other.id }, isOn: true, ...why });
    expect((await turn.call(refund)).outcome.kind).toBe("completed");
    expect(codeOf(await other.turn().call(refund))).toBe("READ_ONLY");
    await box.readOnly.turn({ scope: { kind: "all" }, isOn: true, ...why });
    const { answer } = await box.approvals.decide(approvalIdOf(waiting), { approve: true, by: "eve" }, lead);
    expect(codeOf(answer)).toBe("READ_ONLY");
    expect(shop.refunds).toHaveLength(1);
    const unknown = box.readOnly.turn({ scope: { kind: "session", tenant: "acme", sessionId: "ses_no" }, isOn: true, ...why });
    await expect(unknown).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
    await box.close();
  },
);

test(verifies("AUTH-20", "a box that was started for reads lets nothing else through"), async () => {
  const { box, turn, shop } = await shopBox({ readOnly: true });
  expect(codeOf(await turn.call(refund))).toBe("READ_ONLY");
  expect((await turn.call(read)).outcome.kind).toBe("completed");
  expect(shop.refunds).toEqual([]);
  await box.close();
});
