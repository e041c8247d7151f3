import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, codeOf, lead, shopBox, shopPolicy } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";

import type { Outcome } from "../domain/outcome.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { tool } from "../registry/define.ts";

const cap = { id: "cap", on: ["order.pay", "order.credit"], effect: "modify", change: { amount: { cap: 50 } } };
const hold = { id: "hold", on: "order.notify", effect: "modify", change: { to: { subset: ["ada@shop.test", "bob@shop.test"] } } };
const dry = { id: "dry", on: "order.purge", effect: "modify", change: { dryRun: { flag: true } } };

/** Reversible things to do, and what was done. */
function desk(): { readonly tools: readonly RegisteredTool[]; readonly done: object[] } {
  const done: object[] = [];
  const common = { description: "Does something to an order. Not for anything else." } as const;
  const run = (args: object): { readonly done: true } => {
    done.push(args);
    return { done: true };
  };
  const credit = tool({
    name: "order.credit",
    tier: "reversible",
    ...common,
    input: z.object({ orderId: z.string(), amount: z.number().positive() }),
    arguments: { orderId: "ref", amount: "amount" },
    narrows: { amount: "cap" },
    run,
  });
  const pay = tool({
    name: "order.pay",
    tier: "irreversible",
    ...common,
    input: z.object({ orderId: z.string(), amount: z.number().positive() }),
    arguments: { orderId: "ref", amount: "amount" },
    asks: ["pay"],
    narrows: { amount: "cap" },
    run,
  });
  const notify = tool({
    name: "order.notify",
    tier: "reversible",
    ...common,
    input: z.object({ to: z.array(z.string()).optional() }),
    narrows: { to: "subset" },
    run,
  });
  const purge = tool({
    name: "order.purge",
    tier: "reversible",
    ...common,
    input: z.object({ dryRun: z.boolean().optional() }),
    narrows: { dryRun: "flag" },
    run,
  });
  return { tools: [credit, pay, notify, purge], done };
}

function withRules(...rules: readonly object[]): object {
  return { ...shopPolicy, rules: [...shopPolicy.rules, ...rules] };
}

function noticesOf(outcome: Outcome): string {
  return outcome.kind === "completed" ? outcome.notices.join("\n") : "";
}

test(verifies("AUTH-15", "a reversible call runs with less of it, says so, and is recorded as it was sent and as it ran"), async () => {
  const { tools, done } = desk();
  const { box, turn } = await shopBox({ tools, policy: withRules(cap), flow: { mode: "observe" } });
  const answer = await turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount: 80 } });
  expect(done).toEqual([{ orderId: "A-1", amount: 50 }]);
  expect(noticesOf(answer.outcome)).toContain("`amount` was lowered to 50 (rule `cap`)");
  const [intended] = (await box.trail({ tenant: "acme", callId: answer.callId, limit: 10 })).filter(
    ({ entry }) => entry.kind === "call-intended",
  );
  expect(intended?.private).toMatchObject({ requested: { amount: 80 }, arguments: { amount: 50 } });
  const body = intended?.body as { readonly requestDigest: string; readonly effectiveDigest: string; readonly decision: object };
  expect(body.requestDigest).not.toBe(body.effectiveDigest);
  expect(body.decision).toMatchObject({ effect: "modify", narrowed: [{ argument: "amount", operator: "cap", rule: "cap" }] });
  await box.close();
});

test(verifies("AUTH-15", "the same key stands for what was sent, and a replay says the same"), async () => {
  const { tools, done } = desk();
  const { box, turn } = await shopBox({ tools, policy: withRules(cap), flow: { mode: "observe" } });
  const call = { tool: "order.credit", key: "k1", arguments: { orderId: "A-1", amount: 80 } };
  const first = await turn.call(call);
  const again = await turn.call(call);
  expect(again.outcome).toMatchObject({ kind: "completed", isReplay: true });
  expect(noticesOf(again.outcome)).toBe(noticesOf(first.outcome));
  expect(codeOf(await turn.call({ ...call, arguments: { orderId: "A-1", amount: 50 } }))).toBe("KEY_REUSED");
  // Another way to ask for what was done a moment ago.
  expect((await turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount: 90 } })).outcome.kind).toBe("pending");
  expect(done).toHaveLength(1);
  await box.close();
});

test(
  verifies(
    "AUTH-15",
    "lists are cut to what may stay, flags are set; where nothing may stay or nobody knows what is missing, nothing runs",
  ),
  async () => {
    const { tools, done } = desk();
    const { box, turn } = await shopBox({ tools, policy: withRules(hold, dry, cap), flow: { mode: "observe" } });
    const notify = async (to?: readonly string[]): Promise<string | undefined> =>
      codeOf(await turn.call({ tool: "order.notify", arguments: to === undefined ? {} : { to } }));
    expect(await notify(["ada@shop.test", "eve@evil.test"])).toBeUndefined();
    expect(await notify(["eve@evil.test"])).toBe("PERMISSION_DENIED");
    expect(await notify([])).toBe("PERMISSION_DENIED");
    expect(await notify()).toBe("DECISION_FAILED");
    await turn.call({ tool: "order.purge", arguments: {} });
    expect(done).toEqual([{ to: ["ada@shop.test"] }, { dryRun: true }]);
    await box.close();
  },
);

const waive = { id: "waive", on: "order.pay", effect: "allow", waives: "tier" };

test.each([
  ["asks", []],
  ["is waived", [waive]],
] as const)(
  verifies("AUTH-15", "an irreversible call whose tier %s is never narrowed silently: a person sees what was sent and what would run"),
  async (_what, more) => {
    const { tools, done } = desk();
    const { box, session } = await shopBox({ tools, policy: withRules(cap, ...more) });
    const turn = session.turn({ said: "pay 80 for order A-1" });
    const id = approvalIdOf(await turn.call({ tool: "order.pay", arguments: { orderId: "A-1", amount: 80 } }));
    expect(done).toEqual([]);
    const card = await box.approvals.card(id, "acme");
    expect(card.headline).toContain("amount 50");
    expect(card.narrowed).toEqual([{ name: "amount", was: "80" }]);
    expect(card.reasons.map(({ rule }) => rule)).toEqual(expect.arrayContaining(["cap", "changed"]));
    const { answer } = await box.approvals.decide(id, { approve: true, by: "lead" }, lead);
    expect(done).toMatchObject([{ amount: 50 }]);
    expect(noticesOf(answer?.outcome as Outcome)).toContain("`amount` was lowered to 50");
    await box.close();
  },
);

test(verifies("AUTH-15", "an approval does not cover a call that the rules narrow otherwise by then"), async () => {
  const { tools, done } = desk();
  const { box, turn } = await shopBox({ tools, policy: withRules(cap) });
  const id = approvalIdOf(await turn.call({ tool: "order.pay", arguments: { orderId: "A-1", amount: 80 } }));
  await box.activatePolicy(withRules({ ...cap, change: { amount: { cap: 40 } } }), "operator");
  const { answer } = await box.approvals.decide(id, { approve: true, by: "lead" }, lead);
  expect(answer?.outcome.kind).toBe("pending");
  expect(done).toEqual([]);
  await box.close();
});

test.each([
  ["a tool that does not say so", "order.refund", { ...cap, on: "order.refund" }],
  ["another operator than it says", "order.credit", { ...cap, change: { amount: { subset: [1] } } }],
  ["what would not fit the schema", "order.credit", { ...cap, change: { amount: { cap: 0 } } }],
  ["by what is no number", "order.credit", { ...cap, change: { amount: { cap: "args.orderId" } } }],
] as const)(verifies("AUTH-15", "nothing is narrowed of %s: it is denied"), async (_what, name, rule) => {
  const { tools, done } = desk();
  const { box, turn, shop: made } = await shopBox({ tools, policy: withRules(rule), flow: { mode: "observe" } });
  expect(codeOf(await turn.call({ tool: name, arguments: { orderId: "A-1", amount: 80 } }))).toBe("DECISION_FAILED");
  expect([...done, ...made.refunds]).toEqual([]);
  await box.close();
});

test(verifies("AUTH-15", "what denies or asks about the call as it was sent goes on to do so"), async () => {
  const { tools, done } = desk();
  const never = { id: "never", on: "order.credit", when: "args.amount > 500.0", effect: "deny" };
  const large = { id: "large", on: "order.credit", when: "args.amount > 100.0", effect: "ask" };
  const { box, turn } = await shopBox({ tools, policy: withRules(cap, never, large), flow: { mode: "observe" } });
  const credit = (amount: number): ReturnType<typeof turn.call> =>
    turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount } });
  expect(codeOf(await credit(800))).toBe("PERMISSION_DENIED");
  expect((await credit(200)).outcome.kind).toBe("pending");
  expect(done).toEqual([]);
  await box.close();
});

test(
  verifies("AUTH-15", "a cap that comes from a fact is looked up once; one by which a fact is looked up breaks the decision"),
  async () => {
    const { tools, done } = desk();
    const policy = {
      ...shopPolicy,
      facts: {
        ...shopPolicy.facts,
        limit: { tool: "order.limit", arguments: { orderId: "args.orderId" } },
        odd: { tool: "order.limit", arguments: { orderId: "string(args.amount)" } },
      },
      rules: [
        {
          id: "by-fact",
          on: "order.credit",
          when: "args.orderId != 'odd' || facts.odd.most > 0.0",
          effect: "modify",
          change: { amount: { cap: "facts.limit.most" } },
        },
      ],
    };
    let lookUps = 0;
    const limit = tool({
      name: "order.limit",
      tier: "read",
      description: "The most that may be credited. Not for anything else.",
      input: z.object({ orderId: z.string() }),
      run: () => {
        lookUps += 1;
        return { most: 30 };
      },
    });
    const { box, turn } = await shopBox({ tools: [...tools, limit], policy, flow: { mode: "observe" } });
    expect(codeOf(await turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount: 80 } }))).toBe("DECISION_FAILED");
    expect(done).toEqual([]);
    const sound = { ...policy, facts: { ...shopPolicy.facts, limit: policy.facts.limit }, rules: [{ ...policy.rules[0], when: true }] };
    await box.activatePolicy(sound, "operator");
    lookUps = 0;
    await turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount: 80 } });
    expect([done, lookUps]).toEqual([[{ orderId: "A-1", amount: 30 }], 1]);
    await box.close();
  },
);

test(verifies("AUTH-15", "the origin of an argument is that of the value before it was narrowed"), async () => {
  const { tools, done } = desk();
  const { box, session } = await shopBox({ tools, policy: withRules(cap) });
  const turn = session.turn({ said: "please credit 80 to order A-1" });
  const answer = await turn.call({ tool: "order.credit", arguments: { orderId: "A-1", amount: 80 } });
  expect([answer.outcome.kind, done]).toEqual(["completed", [{ orderId: "A-1", amount: 50 }]]);
  await box.close();
});
