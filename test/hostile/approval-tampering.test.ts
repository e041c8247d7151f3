/**
 * Attacks on the person who says yes: what was approved is swapped, belongs to another conversation, drowns among many, is felt out in small steps, or is dressed
 * as something else. Through the library, HTTP and MCP where that is another path.
 */
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { z } from "zod";
import { defaultLimits } from "../../src/base/limits.ts";
import { startGateway, keys, type Answered, type TestGateway } from "../../src/gateway/gateway.fixture.ts";
import { startMcp, keys as mcpKeys, type McpGateway } from "../../src/gateway/mcp/mcp.fixture.ts";
import { tool } from "../../src/registry/define.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import { cardText, type ShownApproval } from "../../src/cli/approval-card.ts";
import { approvalIdOf, codeOf, lead, shopBox } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["order.*", "pay.*"] } };
const yes = { approve: true, by: "eve" };
const refund = (amount: number, orderId = "A-1") => ({ tool: "order.refund", arguments: { orderId, amount } });

describe("what was approved is what runs", () => {
  test(verifies("AUTH-07", "arguments swapped in the store between question and answer do not run"), async () => {
    const { box, turn, shop } = await shopBox({ policy });
    const small = await turn.call(refund(80));
    const large = await turn.call(refund(9_999));
    const [smallRow, largeRow] = await box.store.read([
      { space: "parked", tenant: "acme", key: small.callId },
      { space: "parked", tenant: "acme", key: large.callId },
    ]);
    const swapped = {
      ...(smallRow?.body as object),
      sealed: (largeRow as unknown as { readonly body: { readonly sealed: string } }).body.sealed,
    };
    await box.store.commit({ operations: [{ op: "put", key: smallRow as never, body: swapped }], entries: [] });
    const decided = await box.approvals.decide(approvalIdOf(small), yes, lead).catch((error: Error) => error);
    if ("answer" in decided) expect(decided.answer?.outcome.kind).not.toBe("completed");
    expect(shop.refunds).toEqual([]);
    await box.close();
  });

  test(verifies("AUTH-07", "an approval that is copied to another call, session or user in the store lets nothing run"), async () => {
    const { box, turn, shop } = await shopBox({ policy });
    const given = await box.approvals.get(approvalIdOf(await turn.call(refund(80))), "acme");
    const other = await box.session({ tenant: "acme", user: "bob", roles: ["support"] });
    const waiting = await other.turn().call(refund(9_999));
    const key = { space: "approval", tenant: "acme", key: approvalIdOf(waiting) };
    const [row] = await box.store.read([key]);
    const forged = { ...given, id: key.key, callId: waiting.callId, sessionId: other.id };
    await box.store.commit({ operations: [{ op: "put", key, body: forged as never, expect: row?.version ?? 0 }], entries: [] });
    const { answer } = await box.approvals.decide(key.key, yes, lead);
    expect(answer?.outcome.kind).not.toBe("completed");
    expect(shop.refunds).toEqual([]);
    await box.close();
  });
});

describe("a flood of questions", () => {
  let live: TestGateway;
  let mcp: McpGateway;
  const limits = { approvalAsksPerMinuteMax: 2 };
  beforeAll(async () => {
    live = await startGateway({ limits });
    mcp = await startMcp({ limits });
  });
  afterAll(async () => {
    await live.close();
    await mcp.close();
  });

  test(verifies("AUTH-07", "is told to an HTTP caller as a rate, with when to come back, from every session of the user"), async () => {
    const answers: Answered[] = [];
    for (const id of ["F-1", "F-2", "F-3", "F-4"]) {
      const session = await live.session();
      answers.push(await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.refund", arguments: { id } } }));
    }
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 202).length).toBeLessThanOrEqual(4);
    const refused = answers.filter(({ status }) => status === 429);
    // The windows are of the real clock here: at most one of them ends meanwhile.
    expect(refused.length).toBeGreaterThanOrEqual(statuses[2] === 429 ? 1 : 0);
    for (const { json, headers } of refused) {
      expect(json).toMatchObject({ error: { code: "RATE_LIMITED", effect: "none", retry: "later" } });
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    }
  });

  test(verifies("AUTH-07", "is told to an MCP client as an error of the tool, and asks nobody"), async () => {
    const texts: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const answer = await mcp.modern("tools/call", { name: "shop.refund", arguments: { id: `M-${index}` } }, { key: mcpKeys.agent });
      texts.push(answer.text);
    }
    const limited = texts.filter((text) => text.includes("RATE_LIMITED"));
    expect(limited.length).toBeGreaterThanOrEqual(2);
    const pending = await mcp.box.approvals.list({ tenant: "acme", state: "pending", limit: 50 });
    expect(pending.filter(({ summary }) => summary.includes('"M-'))).toHaveLength(6 - limited.length);
  });

  test(verifies("AUTH-09", "an MCP client only proposes a plan, and its calls ask until a person approved it"), async () => {
    const steps = [{ tool: "shop.refund", arguments: { id: { oneOf: ["PLAN-1", "PLAN-3"] } } }];
    const proposed = await mcp.modern(
      "tools/call",
      { name: "signalbox.plan", arguments: { goal: "refund", steps } },
      { key: mcpKeys.agent },
    );
    expect(proposed.text).toContain("not approved yet");
    const [plan] = await mcp.box.plans.list({ tenant: "acme", state: "proposed", limit: 10 });
    const call = async (id: string): Promise<string> =>
      (await mcp.modern("tools/call", { name: "shop.refund", arguments: { id } }, { key: mcpKeys.agent })).text;
    expect(await call("PLAN-1")).not.toContain("refunded");
    const wrong = await mcp.modern(
      "tools/call",
      { name: "signalbox.plan", arguments: { goal: "x", steps: [{ tool: "bank.close", arguments: {} }] } },
      { key: mcpKeys.agent },
    );
    expect(wrong.text).toContain("no tool named `bank.close`");
    const digest = plan?.digest ?? "";
    const asAgent = { ...lead, id: "agent", approves: [], actsFor: ["support"] };
    await expect(mcp.box.plans.decide(plan?.id ?? "", { ...yes, digest }, asAgent)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
    await mcp.box.plans.decide(plan?.id ?? "", { ...yes, digest }, lead);
    expect(await call("PLAN-3")).toContain("refunded");
    expect(await call("PLAN-2")).not.toContain("refunded");
  });

  it("cannot hide one bad call: what is odd stands in no group, or first in its own", async () => {
    const { box, session } = await shopBox({ policy });
    const turn = session.turn({ said: "refund 80 for order A-1, A-2 and A-3" });
    for (const orderId of ["A-1", "A-2", "A-3"]) await turn.call(refund(80, orderId));
    const bad = approvalIdOf(await turn.call(refund(80, "B-666")));
    const groups = await box.approvals.groups({ tenant: "acme" });
    expect(groups).toHaveLength(1);
    expect(groups[0]?.members.map(({ id }) => id)).not.toContain(bad);
    await box.close();
  });
});

describe("feeling out a threshold in small steps", () => {
  const hidden = 137.42;

  /** Halves the range between what passes and what does not, as often as it is let. */
  async function bisect(call: (amount: number) => Promise<Answer>, isOver: (answer: Answer) => boolean | undefined): Promise<number> {
    let [low, high] = [0, 1_000];
    for (let probe = 0; probe < 40; probe += 1) {
      const middle = Math.round((low + high) * 500_000) / 1_000_000;
      const over = isOver(await call(middle));
      if (over === undefined) break;
      if (over) high = middle;
      else low = middle;
    }
    return high - low;
  }

  test(verifies("AUTH-07", "which asks a person ends after a few questions"), async () => {
    const rules = [
      { id: "small", on: "order.refund", when: `args.amount <= ${hidden}`, effect: "allow", waives: "tier" },
      { id: "no-more-a-day", on: "order.refund", when: "false", effect: "deny" },
    ];
    const sequences = [{ id: "a-day", on: "order.refund", max: 3, per: "24h" }];
    const { box, turn, shop } = await shopBox({ policy: { ...policy, rules, sequences }, limits: { approvalAsksPerMinuteMax: 4 } });
    const width = await bisect(
      (amount) => turn.call(refund(amount)),
      (answer) => (answer.outcome.kind === "pending" ? true : answer.outcome.kind === "completed" ? false : undefined),
    );
    // Each step halves a range of 1,000: after seven at most it is still wide.
    expect(width).toBeGreaterThan(1_000 / 2 ** 8);
    expect(shop.refunds.length).toBeLessThanOrEqual(3);
    await box.close();
  });

  test(verifies("AUTH-10", "which denies ends with the session, after `sessionDenialsMax` of them"), async () => {
    const rules = [
      { id: "never", on: "order.refund", when: `args.amount > ${hidden}`, effect: "deny" },
      { id: "rest", on: "order.refund", effect: "allow", waives: "tier" },
    ];
    const { box, turn } = await shopBox({ policy: { ...policy, rules } });
    let denials = 0;
    const width = await bisect(
      (amount) => turn.call(refund(amount)),
      (answer) => {
        if (codeOf(answer) === "SESSION_STOPPED") return undefined;
        if (codeOf(answer) === "PERMISSION_DENIED") denials += 1;
        return codeOf(answer) === "PERMISSION_DENIED";
      },
    );
    expect(denials).toBeLessThanOrEqual(defaultLimits.sessionDenialsMax);
    expect(width).toBeGreaterThan(0.001);
    await box.close();
  });

  test(verifies("AUTH-13", "many payments just below it are one sum, and no larger than its rule says"), async () => {
    const rules = [{ id: "small", on: "order.refund", when: "args.amount <= 50.0", effect: "allow", waives: "tier" }];
    const sequences = [{ id: "sum", on: "order.refund", sum: "args.amount", max: 100, per: "24h", effect: "ask" }];
    const { box, turn, shop } = await shopBox({ policy: { ...policy, rules, sequences } });
    for (let index = 0; index < 10; index += 1) await turn.call(refund(49.99 - index / 1_000));
    expect(shop.refunds.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(100);
    await box.close();
  });

  test(verifies("AUTH-09", "an approved plan lets no more through in small steps than it says"), async () => {
    const { box, session, turn, shop } = await shopBox({ policy });
    const steps = [
      {
        tool: "order.refund",
        arguments: { orderId: { is: "A-1" }, amount: { oneOf: [10, 20, 30, 40] } },
        callsMax: 100,
        total: { argument: "amount", max: 60 },
      },
    ];
    const plan = await box.plans.propose({ goal: "refund in parts", steps }, session);
    await box.plans.decide(plan.id, { ...yes, digest: plan.digest }, lead);
    for (const amount of [10, 20, 30, 40]) await turn.call(refund(amount));
    expect(shop.refunds.map(({ amount }) => amount)).toEqual([10, 20, 30]);
    await box.close();
  });
});

describe("a name that looks like another", () => {
  const paypal = "p\u0430ypal"; // A Cyrillic letter.
  const payParts = {
    name: "pay.send",
    tier: "irreversible",
    description: "Send money.",
    input: z.object({ to: z.string(), note: z.string() }),
    arguments: { to: "target", note: "content" },
    run: () => "sent",
  } as const;
  const pay = tool(payParts);
  const dressed = [
    ["mixed scripts", paypal, "p⟨U+0430⟩ypal"],
    ["a zero-width space", "pay\u200bpal", "pay⟨U+200B⟩pal"],
    ["a direction override", "lapyap\u202e", "lapyap⟨U+202E⟩"],
    ["a whole part of an address", "\u0430\u0440\u0440\u04cf\u0435.example", "⟨U+0430⟩⟨U+0440⟩⟨U+0440⟩⟨U+04CF⟩⟨U+0435⟩.example"],
  ] as const;

  it.each(dressed)("is written out on the card, in the headline, the group and the terminal: %s", async (_kind, to, shown) => {
    const { box, session } = await shopBox({ policy, tools: [pay] });
    const turn = session.turn({ said: "pay paypal" });
    const id = approvalIdOf(await turn.call({ tool: "pay.send", arguments: { to, note: "thanks" } }));
    const approval = await box.approvals.get(id, "acme");
    const card = await box.approvals.card(id, "acme");
    expect(approval.summary).toContain(shown);
    expect(card.arguments[0]?.value).toContain(shown);
    expect(card.notSaid).toContain("to");
    const terminal = { out: () => undefined, err: () => undefined, hasColour: false };
    const text = cardText(terminal, { approval: approval as unknown as ShownApproval["approval"], card });
    expect(text).toContain(shown);
    expect(text).not.toContain(to);
    await box.close();
  });

  it.each(dressed)("is written out on the card of a plan: %s", async (_kind, to, shown) => {
    const { box, session } = await shopBox({ policy, tools: [pay] });
    const plan = await box.plans.propose(
      { goal: `pay ${to}`, steps: [{ tool: "pay.send", arguments: { to: { is: to }, note: { any: true } } }] },
      session,
    );
    const card = await box.plans.card(plan.id, "acme");
    expect(card.goal).toContain(shown);
    expect(card.steps[0]?.arguments[0]?.value).toContain(shown);
    await box.close();
  });

  test(verifies("AUTH-09", "is not what the user named, though it reads the same: a person is asked"), async () => {
    const { box, session } = await shopBox({ policy, tools: [tool({ ...payParts, asks: ["\\bpay\\b"] })] });
    const turn = session.turn({ said: "pay paypal" });
    expect((await turn.call({ tool: "pay.send", arguments: { to: "paypal", note: "thanks" } })).outcome.kind).toBe("completed");
    for (const to of ["pay\u200bpal", "pay\u034fpal", "\u2060paypal", paypal]) {
      const { reasons } = await box.approvals.get(
        approvalIdOf(await turn.call({ tool: "pay.send", arguments: { to, note: "thanks" } })),
        "acme",
      );
      expect(reasons.map(({ rule }) => rule)).toContain("flow:R2:/to");
    }
    await box.close();
  });

  it("is written out where it is the user's, or the conversation's", async () => {
    const { box } = await shopBox({ policy, tools: [pay] });
    const session = await box.session({ tenant: "acme", user: "\u0430da", roles: ["support"], conversationId: `chat ${paypal}` });
    const id = approvalIdOf(await session.turn().call({ tool: "pay.send", arguments: { to: "bob", note: "" } }));
    expect(await box.approvals.card(id, "acme")).toMatchObject({ user: "⟨U+0430⟩da", conversationId: "chat p⟨U+0430⟩ypal" });
    await box.close();
  });
});
