import { setTimeout as pause } from "node:timers/promises";
import type { GatewayLives, Reply } from "./gateway-lives.ts";
import type { Seeded } from "./seeded.ts";

/** How a tool of the gateway process may be sent again: its tools have these names. */
export type EffectKind = "keyed" | "looked" | "opaque";

/** What a client was told of one order, one line per answer. */
export interface Acknowledgement {
  readonly callId: string;
  readonly status: number;
  /** `completed`, `failed`, `denied`, `pending` or `unknown`; an answer without an outcome has the error's code here. */
  readonly outcome: string;
  /** What it waits for, where it is pending. */
  readonly waitsFor: string | undefined;
  readonly approvalId: string | undefined;
  readonly effect: string | undefined;
  readonly code: string | undefined;
}

/** One order: one call that a client wants made exactly once. Its id is its argument and its idempotency key. */
export interface Order {
  readonly id: string;
  readonly kind: EffectKind;
  /** What the lead will say to it; undefined where nobody is asked. What a plan foresees asks only once the plan is used up. */
  readonly wish: "yes" | "no" | undefined;
  readonly session: string;
  readonly acknowledgements: Acknowledgement[];
  brokenCount: number;
}

/** A question to the lead. */
export interface Question {
  readonly order: Order;
  readonly approvalId: string;
  /** Which life of the gateway was asked. */
  readonly askedInLife: number;
  /** Not answered before this life. */
  readonly answerInLife: number;
  answeredInLife: number | undefined;
}

/** Clients that go on until they are stopped, and a lead who answers. */
export interface Load {
  readonly orders: readonly Order[];
  /** Who asked. */
  readonly users: readonly string[];
  readonly questions: readonly Question[];
  /** Things that no client should ever see. */
  readonly surprises: readonly string[];
  /** No new orders from here on; resolves when every order has been answered at least once and every question was answered. */
  finish(): Promise<void>;
}

const kinds = ["keyed", "keyed", "looked", "looked", "opaque"] as const;
/** One order in so many asks a person. */
const askEvery = 5;
/** One order in so many is put off by a rule. */
const laterOrderEvery = 6;
/** One time in so many a client has a plan approved, for one call less than it then makes. */
const planEvery = 12;
const plannedCount = 4;
/** One order in so many is sent twice at the same moment. */
const twiceEvery = 8;
/** Every so many questions wait for a later life of the gateway. */
const laterEvery = 3;
const pollsMax = 400;
const pollMs = 25;

/** Lets `clientCount` clients work, each in a session of its own that lives through every restart. */
export function startLoad(lives: GatewayLives, random: Seeded, clientCount: number): Load {
  const orders: Order[] = [];
  const questions: Question[] = [];
  const surprises: string[] = [];
  const waiting: Question[] = [];
  const users = Array.from({ length: clientCount }, (_, number) => `user-${number}`);
  const watches: Promise<void>[] = [];
  let isFinishing = false;
  /** Clients and watches that may still come upon a question. */
  let askersLeft = clientCount;

  async function openSession(user: string): Promise<string> {
    const opened = await lives.send({ who: "agent", method: "POST", path: "/v1/sessions", body: { user, roles: ["tester"] } });
    return String(opened.body["id"]);
  }

  async function client(user: string): Promise<void> {
    const session = await openSession(user);
    while (!isFinishing) {
      if (random.below(planEvery) === 0) await followPlan(user);
      else {
        const order = newOrder(session);
        await Promise.all([place(order), ...(random.below(twiceEvery) === 0 ? [place(order)] : [])]);
      }
    }
    askersLeft -= 1;
  }

  /** Makes one call more than the lead has approved beforehand, all at once: that one asks. */
  async function followPlan(user: string): Promise<void> {
    const session = await openSession(user);
    const planned = Array.from({ length: plannedCount }, () => newOrder(session, "plan-"));
    const step = { tool: "effect.keyed", arguments: { order: { oneOf: planned.map(({ id }) => id) } }, callsMax: plannedCount - 1 };
    const problem = await agreeOnPlan(lives, session, step);
    if (problem !== undefined) surprises.push(problem);
    await Promise.all(planned.map(place));
  }

  function newOrder(session: string, plan = ""): Order {
    const kind = plan === "" ? (kinds[random.below(kinds.length)] as EffectKind) : "keyed";
    const asked = random.below(askEvery) > 0 ? undefined : random.below(4) === 0 ? "no" : "yes";
    const wish: Order["wish"] = plan === "" ? asked : "yes";
    const words = [random.below(laterOrderEvery) === 0 ? "later-" : "", plan === "" && wish !== undefined ? `ask-${wish}-` : plan];
    const id = `${words.join("")}${kind}-${String(orders.length).padStart(5, "0")}`;
    const order: Order = { id, kind, wish, session, acknowledgements: [], brokenCount: 0 };
    orders.push(order);
    return order;
  }

  /** Sends one order until it is answered, and looks after it while it runs. */
  async function place(order: Order): Promise<void> {
    const body = { session: order.session, tool: `effect.${order.kind}`, arguments: { order: order.id }, key: order.id };
    const reply = await lives.send({ who: "agent", method: "POST", path: "/v1/calls", body });
    order.brokenCount += reply.brokenCount;
    let told = note(order, reply);
    for (let polls = 0; told?.waitsFor === "execution" && polls < pollsMax; polls += 1) {
      await pause(pollMs);
      told = note(order, await lives.send({ who: "agent", method: "GET", path: `/v1/calls/${told.callId}` }));
    }
    if (told?.approvalId !== undefined) ask(order, told.approvalId);
    if (told?.waitsFor === "time") {
      askersLeft += 1;
      watches.push(watch(order, told.callId).catch((cause: unknown) => void surprises.push(`${order.id}: ${String(cause)}`)));
    }
  }

  /** Looks at a call that was put off until it waits for its time no more; it may ask then. */
  async function watch(order: Order, callId: string): Promise<void> {
    const isOnItsWay = (told: Acknowledgement): boolean => told.waitsFor !== "time" && told.waitsFor !== "execution";
    const told = await settledEnd(lives, callId, pollsMax, isOnItsWay);
    if (told !== undefined) order.acknowledgements.push(told);
    if (told?.approvalId !== undefined) ask(order, told.approvalId);
    askersLeft -= 1;
  }

  function note(order: Order, reply: Reply): Acknowledgement | undefined {
    const told = acknowledgementOf(reply);
    if (told === undefined) surprises.push(`${order.id}: ${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}`);
    else order.acknowledgements.push(told);
    return told;
  }

  function ask(order: Order, approvalId: string): void {
    if (questions.some((question) => question.approvalId === approvalId)) return;
    const isLater = random.below(laterEvery) === 0;
    const question = {
      order,
      approvalId,
      askedInLife: lives.count,
      answerInLife: lives.count + (isLater ? 1 : 0),
      answeredInLife: undefined,
    };
    questions.push(question);
    waiting.push(question);
  }

  async function lead(): Promise<void> {
    for (;;) {
      const index = waiting.findIndex((question) => isFinishing || question.answerInLife <= lives.count);
      const [question] = index < 0 ? [] : waiting.splice(index, 1);
      if (question !== undefined) await answer(question);
      else if (isFinishing && askersLeft === 0 && waiting.length === 0) return;
      else await pause(pollMs);
    }
  }

  async function answer(question: Question): Promise<void> {
    const path = `/v1/approvals/${question.approvalId}`;
    const approve = question.order.wish === "yes";
    const seen = await lives.send({ who: "lead", method: "GET", path });
    if (stateOf(seen) !== "pending")
      surprises.push(`${question.approvalId} of ${question.order.id} is ${stateOf(seen) ?? seen.status} before anybody answered`);
    const reply = await lives.send({ who: "lead", method: "POST", path: `${path}/answer`, body: { approve } });
    question.answeredInLife = lives.count;
    if (reply.status === 200) return;
    // The first yes may have counted though its answer was lost; then the approval says so.
    const after = stateOf(await lives.send({ who: "lead", method: "GET", path }));
    const isCounted = approve ? after === "approved" || after === "used" : after === "rejected";
    if (reply.brokenCount === 0 || !isCounted)
      surprises.push(`answer to ${question.order.id}: ${reply.status} ${JSON.stringify(reply.body).slice(0, 300)}, now ${after}`);
  }

  const working = Promise.all([...users.map(client), lead(), lead()]);
  // A failure is told by `finish`; until then nobody waits for it.
  working.catch(() => undefined);
  return {
    orders,
    users,
    questions,
    surprises,
    async finish() {
      isFinishing = true;
      await working;
      await Promise.all(watches);
    },
  };
}

/** Has a plan of one step approved. Says what was wrong; undefined when all is well. */
async function agreeOnPlan(lives: GatewayLives, session: string, step: object): Promise<string | undefined> {
  const body = { goal: "carry the orders out", steps: [step] };
  const proposed = await lives.send({ who: "agent", method: "POST", path: `/v1/sessions/${session}/plans`, body });
  if (proposed.status !== 201) return `a plan was not taken: ${proposed.status} ${JSON.stringify(proposed.body).slice(0, 300)}`;
  const { id, digest } = proposed.body;
  const path = `/v1/plans/${String(id)}`;
  const answered = await lives.send({ who: "lead", method: "POST", path: `${path}/answer`, body: { approve: true, digest } });
  if (answered.status === 200) return undefined;
  // The first yes may have counted though its answer was lost.
  const { plan } = (await lives.send({ who: "lead", method: "GET", path })).body as { readonly plan?: { readonly state: string } };
  const isCounted = answered.brokenCount > 0 && plan?.state === "approved";
  return isCounted ? undefined : `the yes to ${String(id)}: ${answered.status} ${JSON.stringify(answered.body).slice(0, 300)}`;
}

function stateOf(reply: Reply): string | undefined {
  return (reply.body["approval"] as { readonly state?: string } | undefined)?.state;
}

/** What an answer says of a call; undefined for an answer that says nothing of one. */
export function acknowledgementOf({ status, body }: Reply): Acknowledgement | undefined {
  const outcome = body["outcome"] as
    | {
        readonly kind: string;
        readonly effect?: string;
        readonly waiting?: { readonly kind: string; readonly approvalId?: string };
        readonly error?: { readonly code: string; readonly effect: string };
      }
    | undefined;
  if (outcome === undefined || typeof body["callId"] !== "string") return undefined;
  return {
    callId: body["callId"],
    status,
    outcome: outcome.kind,
    waitsFor: outcome.waiting?.kind,
    approvalId: outcome.waiting?.approvalId,
    effect: outcome.effect ?? outcome.error?.effect,
    code: outcome.error?.code,
  };
}

/** What became of an order, asked until it is settled: a call that runs or is unknown may still be on its way. Gives up after `attemptsMax`. */
export async function settledEnd(
  lives: GatewayLives,
  callId: string,
  attemptsMax: number,
  isFinal: (told: Acknowledgement) => boolean,
): Promise<Acknowledgement | undefined> {
  let told: Acknowledgement | undefined;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    told = acknowledgementOf(await lives.send({ who: "agent", method: "GET", path: `/v1/calls/${callId}` }));
    if (told === undefined || isFinal(told)) return told;
    await pause(pollMs * 4);
  }
  return told;
}
