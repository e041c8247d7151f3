import { z } from "zod";
import type { Signalbox } from "../../src/call/box/box.ts";
import type { SignalboxOptions } from "../../src/call/box/options.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import type { Credential } from "../../src/domain/principal.ts";
import type { RegisteredTool } from "../../src/domain/tool.ts";
import { tool } from "../../src/registry/define.ts";
import { manualClock, type ManualClock } from "./manual-clock.ts";
import type { BoxSession, BoxTurn } from "../../src/call/box/box-session.ts";

/** A small shop whose effects can be counted. */
export interface Shop {
  readonly tools: readonly RegisteredTool[];
  readonly refunds: { readonly orderId: string; readonly amount: number; readonly key: string }[];
  readonly orders: Map<string, { region: string; owner: string }>;
  /** What the next refunds do instead of succeeding. */
  script: ("hang" | "fail-after-effect" | "ok")[];
}

/** Rules that most tests use: small refunds run, others ask; orders of another region are refused. */
export const shopPolicy = {
  roles: { support: ["order.*"], reader: ["order.get"] },
  facts: { order: { tool: "order.get", arguments: { orderId: "args.orderId" } } },
  rules: [
    { id: "own-region", on: "order.refund", when: "facts.order.region != principal.region", effect: "deny" },
    { id: "small-refunds", on: "order.refund", when: "args.amount <= 50.0", effect: "allow", waives: "tier" },
  ],
};

/** An approver's credential. */
export const lead: Credential = {
  id: "lead",
  tenant: "acme",
  actsFor: [],
  approves: ["approver"],
  administers: false,
  words: "claimed",
  authenticatedAtMs: undefined,
};

/** Tools over a shop in memory. */
export function shop(): Shop {
  const refunds: Shop["refunds"] = [];
  const orders: Shop["orders"] = new Map([
    ["A-1", { region: "eu", owner: "ada" }],
    ["A-2", { region: "eu", owner: "ada" }],
    ["B-1", { region: "us", owner: "bob" }],
  ]);
  const made: Shop = { tools: [], refunds, orders, script: [] };
  const get = tool({
    name: "order.get",
    tier: "read",
    description: "Get one order by its id. Not for lists of orders.",
    input: z.object({ orderId: z.string() }),
    run: ({ orderId }) => ({ orderId, ...orders.get(orderId) }),
  });
  const refund = tool({
    name: "order.refund",
    tier: "irreversible",
    idempotency: "key",
    description: "Refund a paid order. Not for cancelling an unpaid one.",
    input: z.object({ orderId: z.string(), amount: z.number().positive() }),
    arguments: { orderId: "ref", amount: "amount" },
    retry: { attempts: 1 },
    run: async ({ orderId, amount }, { key }) => {
      const act = made.script.shift() ?? "ok";
      if (act === "hang") return await new Promise(() => undefined);
      if (!refunds.some((refunded) => refunded.key === key)) refunds.push({ orderId, amount, key });
      if (act === "fail-after-effect") throw new Error("connection lost with secret hunter2");
      return { refunded: amount, orderId };
    },
  });
  return Object.assign(made, { tools: [get, refund] });
}

/** A box over a shop, with a clock that stands still. */
export async function shopBox(options: SignalboxOptions & { readonly shop?: Shop } = {}): Promise<{
  readonly box: Signalbox;
  readonly session: BoxSession;
  readonly turn: BoxTurn;
  readonly shop: Shop;
  readonly clock: ManualClock;
}> {
  const made = options.shop ?? shop();
  const clock = (options.clock as ManualClock | undefined) ?? manualClock();
  const { shop: _shop, ...rest } = options;
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    policy: shopPolicy,
    ...rest,
    tools: [...made.tools, ...(options.tools ?? [])],
    clock,
  });
  const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" } });
  return { box, session, turn: session.turn(), shop: made, clock };
}

/** The code of an outcome that is an error. */
export function codeOf(answer: Answer | undefined): string | undefined {
  return answer !== undefined && "error" in answer.outcome ? answer.outcome.error.code : undefined;
}

/** The approval that an outcome waits for. */
export function approvalIdOf(answer: Answer): string {
  const { outcome } = answer;
  if (outcome.kind !== "pending" || outcome.waiting.kind !== "person") throw new Error(`expected a pending approval, got ${outcome.kind}`);
  return outcome.waiting.approvalId;
}
