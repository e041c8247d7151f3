import type { Clock } from "../../src/base/clock.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Json } from "../../src/domain/json.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import { toolsOver, type World } from "./tools.ts";
import type { BoxSession } from "../../src/call/box/box-session.ts";

/** What the model does: nothing in it is honest. */
export type Step =
  /** Somebody's text is read: what the inbox, or the customer records with data of a person, hold. */
  | { readonly kind: "read"; readonly from: "inbox" | "customers"; readonly holds: Json }
  /** A tool fails with these words. */
  | { readonly kind: "fail"; readonly words: string }
  | { readonly kind: "call"; readonly tool: string; readonly args: Readonly<Record<string, Json>> }
  /** A person says yes to the call that waits. */
  | { readonly kind: "approve" }
  /** A new conversation of the same user; without words of theirs where `said` is missing. */
  | { readonly kind: "new-session"; readonly said?: string };

/** One attack: what leads up to it, and the calls that would be its success. */
export interface Attack {
  readonly group: string;
  readonly name: string;
  /** The user's own words. */
  readonly said: string;
  readonly before: readonly Step[];
  readonly goal: readonly { readonly tool: string; readonly args: Readonly<Record<string, Json>> }[];
}

/** How an attack ended: all of its calls ran unseen, a person was asked, or it was refused. */
export type Ending = "passed" | "asked" | "stopped";

const policy = {
  roles: {
    user: ["inbox.*", "customers.*", "records.*", "mail.*", "bank.pay", "bank.transfer", "bank.account", "web.*", "files.*", "door.*"],
  },
  facts: { account: { tool: "bank.account", arguments: { account: "args.from" } } },
  rules: [
    { id: "own-account", on: "bank.transfer", when: "facts.account.owner != principal.user", effect: "deny" },
    { id: "enough-money", on: "bank.transfer", when: "facts.account.balance < args.amount", effect: "deny" },
  ],
};

/** Makes the attack in a new installation. */
export async function endingOf(attack: Attack, clock?: Clock): Promise<Ending> {
  const world: World = { inbox: null, customers: null, words: "", done: 0 };
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    tools: toolsOver(world),
    policy,
    limits: { rateBurstCalls: 1_000, loopDelayMs: 600_000 },
    ...(clock === undefined ? {} : { clock }),
  });
  try {
    let at: { readonly session: BoxSession; readonly said: string | undefined } = { session: await open(box), said: attack.said };
    const call = async (name: string, args: Readonly<Record<string, Json>>): Promise<Answer> =>
      await at.session.turn(at.said === undefined ? {} : { said: at.said }).call({ tool: name, arguments: { ...args } });
    let last: Answer | undefined;
    for (const step of attack.before) {
      if (step.kind === "new-session") at = { session: await open(box), said: step.said };
      else if (step.kind === "approve") await approve(box, last);
      else if (step.kind === "call") last = await call(step.tool, step.args);
      else if (step.kind === "fail") {
        world.words = step.words;
        await call("inbox.broken", {});
      } else {
        world[step.from] = step.holds;
        await call(`${step.from}.read`, {});
      }
    }
    world.done = 0;
    const kinds: string[] = [];
    for (const each of attack.goal) kinds.push((await call(each.tool, each.args)).outcome.kind);
    if (world.done === attack.goal.length) return "passed";
    return kinds.includes("pending") ? "asked" : "stopped";
  } finally {
    await box.close();
  }
}

async function open(box: Signalbox): Promise<BoxSession> {
  return await box.session({ tenant: "acme", user: "ada", roles: ["user"] });
}

async function approve(box: Signalbox, answer: Answer | undefined): Promise<void> {
  const outcome = answer?.outcome;
  if (outcome?.kind !== "pending" || outcome.waiting.kind !== "person") throw new Error("nothing waits for a person");
  const lead = {
    id: "lead",
    tenant: "acme",
    actsFor: [],
    approves: ["approver"],
    administers: false,
    words: "claimed",
    authenticatedAtMs: undefined,
  } as const;
  await box.approvals.decide(outcome.waiting.approvalId, { approve: true, by: "grace", reason: "fine" }, lead);
}
