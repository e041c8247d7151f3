import fc from "fast-check";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead, shopBox, shopPolicy } from "../../test/support/box.ts";
import { settled } from "../../test/support/manual-clock.ts";
import { noticeHook } from "../../test/support/notice-hook.ts";
import { openPolicy, sleeper, world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Answer } from "../domain/outcome.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { tool } from "../registry/define.ts";
import { ToolFailure } from "../resilience/tool-failure.ts";
import type { Signalbox } from "./box/box.ts";
import type { SignalboxOptions } from "./box/options.ts";
import type { CallRequest } from "./box/box-session.ts";

type Act = "ok" | "lose" | "down";
type Way = "none" | "key" | "lookup";

/** Tools that lose replies on demand, and a register of what really happened. */
function courier(acts: Act[]): {
  readonly tools: readonly RegisteredTool[];
  readonly sent: { readonly way: Way; readonly key: string }[];
} {
  const sent: { readonly way: Way; readonly key: string }[] = [];
  const ship = (way: Way): RegisteredTool =>
    tool({
      name: `order.ship_${way}`,
      tier: "irreversible",
      idempotency: way,
      ...(way === "lookup" && { lookupTool: "order.shipped" }),
      description: "Ship a paid order. Not for others.",
      input: z.object({ order: z.string() }),
      retry: { attempts: 1 },
      run: ({ order }, { key }) => {
        const act = acts.shift() ?? "ok";
        if (act === "down") throw new ToolFailure({ kind: "unavailable", message: "it is down", effect: "none" });
        sent.push({ way, key });
        if (act === "lose") throw new Error("the line dropped");
        return { shipped: order };
      },
    });
  const shipped = tool({
    name: "order.shipped",
    tier: "read",
    description: "Whether an order was shipped under a key. Not for others.",
    input: z.object({ key: z.string() }),
    run: ({ key }) => ({ found: sent.some((each) => each.key === key), result: { shipped: "found" } }),
  });
  return { tools: [...(["none", "key", "lookup"] as const).map(ship), shipped], sent };
}

const ship = (way: Way, order: string, key?: string): CallRequest => ({
  tool: `order.ship_${way}`,
  arguments: { order },
  ...(key !== undefined && { key }),
});
const lettersOf = async (box: Signalbox): Promise<readonly string[]> =>
  (await box.deadLetters.list({ tenant: "acme", limit: 200 })).letters.map(({ id, kind }) => `${kind} ${id}`);
const who = { tenant: "acme", by: "eve" };
const open = { policy: openPolicy, limits: { breakerFailures: 1_000 } } as const;

test(verifies("EXEC-10", "a lost reply leaves one letter, which says what happened, to whom, and what to do next"), async () => {
  const made = courier(["lose"]);
  const { box, turn, session } = await shopBox({ ...open, tools: made.tools });
  const { callId } = await turn.call(ship("none", "A-1"));
  expect((await box.deadLetters.list({ tenant: "acme", limit: 10 })).letters).toEqual([
    {
      id: callId,
      kind: "unknown",
      tenant: "acme",
      sessionId: session.id,
      tool: "order.ship_none",
      version: "1.0.0",
      user: "ada",
      keyRow: callId,
      code: "TOOL_FAILED",
      effect: "unknown",
      attemptsCount: 1,
      sinceMs: expect.any(Number) as number,
      cause: "the reply of `order.ship_none` was lost (TOOL_FAILED), and nobody can say yet whether it happened",
      next: "look into the system that it went to, then resolve it: say whether it happened",
      canRetry: false,
    },
  ]);
  expect(await box.deadLetters.get(callId, "acme")).toMatchObject({
    arguments: { order: "A-1" },
    message: expect.stringContaining("it may have happened") as string,
  });
  await expect(box.deadLetters.get(callId, "other")).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await box.deadLetters.count("acme")).toMatchObject({ openCount: 1, unknownCount: 1 });
  await box.close();
});

test(verifies("EXEC-10", "what can neither be looked up nor sent again safely is never tried again"), async () => {
  const made = courier(["lose"]);
  const { box, turn } = await shopBox({ ...open, tools: made.tools });
  const { callId } = await turn.call(ship("none", "A-1"));
  await expect(box.deadLetters.retry(callId, who)).rejects.toMatchObject({
    code: "REQUEST_INVALID",
    message: expect.stringContaining("could act twice") as string,
  });
  await expect(box.deadLetters.resolve(callId, { ...who, note: "looked" })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  expect(made.sent).toHaveLength(1);
  expect(await lettersOf(box)).toEqual([`unknown ${callId}`]);
  await box.close();
});

test.each(["key", "lookup"] as const)("a retry of an unknown call settles it by %s, and its letter goes", async (way) => {
  const made = courier(["lose"]);
  const { box, turn } = await shopBox({ ...open, tools: made.tools });
  const { callId } = await turn.call(ship(way, "A-1"));
  expect((await box.deadLetters.retry(callId, who))?.outcome.kind).toBe("completed");
  expect(new Set(made.sent.map(({ key }) => key)).size).toBe(1);
  expect(made.sent).toHaveLength(way === "key" ? 2 : 1);
  expect(await lettersOf(box)).toEqual([]);
  await expect(box.deadLetters.retry(callId, who)).rejects.toMatchObject({ code: "NOT_FOUND" });
  const kinds = (await box.trail({ tenant: "acme", callId, limit: 10 })).map(({ entry }) => entry.kind);
  expect(kinds).toEqual(["call-intended", "call-settled", "dead-letter-retried", "call-settled"]);
  await box.close();
});

test(
  verifies("EXEC-10", "a call that a person approved and that then failed for good is made again from its letter, and judged anew"),
  async () => {
    const made = courier(["down", "down"]);
    const { box, turn } = await shopBox({ tools: made.tools, policy: { ...shopPolicy, rules: [] } });
    const parked = await turn.call(ship("key", "A-1", "ship-1"));
    await box.approvals.decide(approvalIdOf(parked), { approve: true, by: "lead" }, lead);
    expect(await lettersOf(box)).toEqual([`failed ${parked.callId}`]);
    expect((await box.deadLetters.get(parked.callId, "acme")).canRetry).toBe(true);
    const again = (await box.deadLetters.retry(parked.callId, who)) as Answer;
    // The old approval was for one call; the policy asks about this one as about any other.
    expect(again.outcome).toMatchObject({ kind: "pending", waiting: { kind: "person" } });
    expect(await lettersOf(box)).toEqual([]);
    await box.approvals.decide(approvalIdOf(again), { approve: true, by: "lead" }, lead);
    expect(await lettersOf(box)).toEqual([`failed ${again.callId}`]);
    await expect(box.deadLetters.resolve(again.callId, { ...who, happened: false, note: "x" })).rejects.toMatchObject({
      code: "REQUEST_INVALID",
    });
    const told = await box.deadLetters.resolve(again.callId, { ...who, note: "the customer was called" });
    expect(told?.outcome.kind).toBe("failed");
    expect(await lettersOf(box)).toEqual([]);
    const trail = await box.trail({ tenant: "acme", callId: again.callId, limit: 20 });
    expect(trail.at(-1)).toMatchObject({
      entry: { kind: "dead-letter-closed" },
      body: { by: "eve" },
      private: { note: "the customer was called" },
    });
    expect(trail.at(-1)?.entry.text).not.toContain("customer");
    await box.close();
  },
);

test("a call that fails in its caller's time is no dead letter, one that fails after the reply deadline is", async () => {
  let fail = (): void => undefined;
  const slow = tool({
    name: "order.slow",
    tier: "irreversible",
    description: "Take long. Not for others.",
    input: z.object({}),
    retry: { attempts: 1 },
    timeouts: { replyMs: 1_000 },
    run: async () => {
      await new Promise<void>((resolve) => (fail = resolve));
      throw new ToolFailure({ kind: "rejected", message: "it said no", effect: "none" });
    },
  });
  const { box, turn, clock } = await shopBox({ ...open, tools: [slow, ...courier(["down"]).tools] });
  expect((await turn.call(ship("key", "A-1"))).outcome.kind).toBe("failed");
  expect(await lettersOf(box)).toEqual([]);
  const waiting = turn.call({ tool: "order.slow", arguments: {} });
  await settled();
  await clock.advance(2_000);
  const { callId, outcome } = await waiting;
  expect(outcome.kind).toBe("pending");
  fail();
  await settled();
  expect(await lettersOf(box)).toEqual([`failed ${callId}`]);
  await box.close();
});

test("of two people who have a failed call made again at once, one is refused", async () => {
  const made = courier(["down"]);
  const { box, turn } = await shopBox({ tools: made.tools, policy: { ...shopPolicy, rules: [] } });
  const parked = await turn.call(ship("none", "A-1"));
  await box.approvals.decide(approvalIdOf(parked), { approve: true, by: "lead" }, lead);
  await box.activatePolicy(openPolicy, "test");
  const both = await Promise.allSettled([box.deadLetters.retry(parked.callId, who), box.deadLetters.retry(parked.callId, who)]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(made.sent).toHaveLength(1);
  await box.close();
});

const asks = (orderId: string): CallRequest => ({ tool: "order.refund", arguments: { orderId, amount: 80 } });

test("letters of which nothing has to be known go after `deadLetterKeepMs`, unknown calls stay", async () => {
  const { box, turn, clock } = await shopBox({ policy: shopPolicy, tools: courier(["lose"]).tools, notify: noticeHook(["gone"]) });
  const parked = approvalIdOf(await turn.call(ship("none", "A-1")));
  await clock.advance(1);
  expect(await lettersOf(box)).toEqual([expect.stringMatching(/^undelivered ntc_/)]);
  const { answer } = await box.approvals.decide(parked, { approve: true, by: "lead" }, lead);
  const callId = answer?.callId ?? "";
  clock.jump(defaultLimits.deadLetterKeepMs);
  await box.recover();
  expect(await lettersOf(box)).toEqual([`unknown ${callId}`]);
  await box.close();
});

test("beyond `deadLettersMax` the oldest known ones go, and where as many calls are unknown the tenant is limited to reads", async () => {
  const acts: Act[] = [];
  const notify = noticeHook(["gone", "gone", "gone"]);
  const policy = { ...openPolicy, rules: [...openPolicy.rules, { id: "ask", on: "order.refund", effect: "ask", approvers: ["approver"] }] };
  const { box, turn, clock } = await shopBox({ policy, tools: courier(acts).tools, notify, limits: { deadLettersMax: 2 } });
  for (const order of ["A-1", "A-2", "A-3"]) {
    await turn.call(asks(order));
    await clock.advance(1);
  }
  await box.recover();
  const undelivered = async (): Promise<readonly string[]> =>
    (await box.deadLetters.list({ tenant: "acme", kind: "undelivered", limit: 9 })).letters.map(({ id }) => id);
  expect((await undelivered()).toSorted()).toEqual(notify.tried.slice(1).toSorted());
  acts.push("lose", "lose");
  const { callId } = await turn.call(ship("none", "A-1"));
  await turn.call(ship("none", "A-2"));
  await box.recover();
  expect(await undelivered()).toEqual([]);
  expect(await turn.call(ship("none", "A-3"))).toMatchObject({ outcome: { kind: "denied", error: { code: "READ_ONLY" } } });
  expect(await box.readOnly.list("acme")).toMatchObject([{ scope: { kind: "tenant" }, by: "dead-letters" }]);
  expect((await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } })).outcome.kind).toBe("completed");
  await box.deadLetters.resolve(callId, { ...who, happened: true, note: "seen" });
  await box.readOnly.turn({ scope: { kind: "tenant", tenant: "acme" }, isOn: false, reason: "looked", by: "eve" });
  await box.recover();
  expect((await turn.call(ship("none", "A-3"))).outcome.kind).toBe("completed");
  await box.close();
});

type Move =
  | { readonly do: "ship"; readonly way: Way; readonly order: number; readonly act: Act }
  | { readonly do: "retry" | "resolve"; readonly which: number; readonly happened: boolean; readonly act: Act }
  | { readonly do: "recover"; readonly act: Act };

const act = fc.constantFrom<Act>("ok", "lose", "lose", "down");
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("ship"), way: fc.constantFrom<Way>("none", "key", "lookup"), order: fc.nat(3), act }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("retry", "resolve"), which: fc.nat(5), happened: fc.boolean(), act }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("recover"), act }) },
);

/** Every unknown claim has its one letter, and no letter says unknown of a call that is known. */
async function expectOneEach({ store, deadLetters }: Signalbox): Promise<void> {
  const claims = await store.scan({ space: "key", tenant: "acme", limit: 500 });
  const unknown = claims
    .map(({ body }) => body as { readonly callId: string; readonly state: string })
    .filter(({ state }) => state === "unknown");
  const { letters } = await deadLetters.list({ tenant: "acme", kind: "unknown", limit: 500 });
  expect(letters.map(({ id }) => id).toSorted()).toEqual(unknown.map(({ callId }) => callId).toSorted());
}

async function play(moves: readonly Move[], options: SignalboxOptions): Promise<void> {
  const acts: Act[] = [];
  const made = courier(acts);
  const { box, turn, clock } = await shopBox({ ...options, ...open, tools: made.tools });
  for (const each of moves) {
    acts.splice(0, acts.length, each.act);
    const { letters } = await box.deadLetters.list({ tenant: "acme", limit: 100 });
    const letter = "which" in each ? letters[each.which % Math.max(1, letters.length)] : undefined;
    if (each.do === "ship") {
      await turn.call(ship(each.way, `A-${each.order}`));
    } else if (each.do === "recover") {
      clock.jump(defaultLimits.executeDeadlineMs + defaultLimits.reconcileSettleMs);
      await box.recover();
    } else if (letter !== undefined && each.do === "retry") await box.deadLetters.retry(letter.id, who).catch(() => undefined);
    else if (letter !== undefined)
      await box.deadLetters.resolve(letter.id, { ...who, note: "looked", happened: each.happened }).catch(() => undefined);
    await expectOneEach(box);
  }
  const opaque = made.sent.filter(({ way }) => way === "none");
  expect(new Set(opaque.map(({ key }) => key)).size).toBe(opaque.length);
  await box.close();
}

test(verifies("EXEC-10", "every unknown call has exactly one open letter until it is known, whatever is tried (memory)"), async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 12 }), (moves) => play(moves, {})),
    { numRuns: 40 },
  );
});

test("every unknown call has exactly one open letter until it is known, whatever is tried (SQLite)", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-letters-"));
  let count = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 10 }), (moves) =>
        play(moves, { store: `sqlite:${join(folder, `${(count += 1)}.db`)}` }),
      ),
      { numRuns: 4 },
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test(
  verifies("EXEC-10", "of two processes that find the same orphan both leave one letter, and one that wakes with the answer takes it away"),
  async () => {
    const shared = world();
    let letGo = (): void => undefined;
    const held = tool({
      name: "order.ship",
      tier: "irreversible",
      retry: { attempts: 1 },
      description: "Ship a paid order. Not for others.",
      input: z.object({ order: z.string() }),
      run: async ({ order }) => {
        await new Promise<void>((resolve) => (letGo = resolve));
        return { shipped: order };
      },
    });
    const asleep = sleeper(shared.store);
    const dying = await shopBox({ ...shared, store: asleep.store, tools: [held] });
    const answer = dying.turn.call({ tool: "order.ship", arguments: { order: "A-1" }, key: "k" });
    await settled();
    asleep.sleep();
    letGo();
    await settled();
    const [first, second] = [await shopBox({ ...shared, tools: [held] }), await shopBox({ ...shared, tools: [held] })];
    shared.clock.jump(defaultLimits.executeDeadlineMs);
    await Promise.all([first.box.recover(), second.box.recover()]);
    await expectOneEach(first.box);
    expect(await lettersOf(second.box)).toHaveLength(1);
    asleep.wake();
    expect((await answer).outcome.kind).toBe("completed");
    expect(await lettersOf(first.box)).toEqual([]);
  },
);
