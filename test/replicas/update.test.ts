import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../verifies.ts";
import { patientLimits, presentProgram, startInstallation, type Installation, type Reply } from "./installation.ts";
import { takeOlderProgram, type OlderProgram } from "./older-program.ts";
import { effectsOf, openSessions, printRows, replaceInTurn, startSteadyLoad } from "./steady-load.ts";

const gatewayCount = 4;
const callsPerSecond = 200;
const sessionCount = 40;
const raceCount = 25;
/** Four starts of a program, one after the other, on a machine that may have much else to do. */
const testMsMax = 900_000;
/** What is told over the store is heard by every gateway within this. */
const toldMs = 1_000;

let older: OlderProgram;
let all: Installation;
let names = 0;
beforeAll(async () => {
  older = takeOlderProgram();
  all = await startInstallation(gatewayCount, { program: older.path, limits: patientLimits });
});
afterAll(async () => {
  await all.close();
  older.remove();
});

/** A call that was made, and may be asked for again. */
interface Made {
  readonly session: string;
  readonly order: string;
  readonly callId: string;
}

function at(index: number): string {
  return all.slots[index]?.address as string;
}

function newOrder(kind: string): string {
  names += 1;
  return `${kind}-${String(names).padStart(4, "0")}`;
}

async function call(index: number, session: string, order: string, tool = "effect.keyed"): Promise<Reply> {
  return await all.ask(at(index), "agent", "/v1/calls", { session, tool, arguments: { order }, key: order });
}

function endOf({ body }: Reply): string | undefined {
  const outcome = (body["outcome"] ?? body) as { readonly kind?: string; readonly error?: { readonly code: string } };
  return outcome.error?.code ?? outcome.kind;
}

async function make(index: number, session: string, order = newOrder("made")): Promise<Made> {
  const reply = await call(index, session, order);
  expect(endOf(reply)).toBe("completed");
  return { session, order, callId: String(reply.body["callId"]) };
}

async function ask(index: number, session: string): Promise<Made & { readonly approvalId: string }> {
  const order = newOrder("ask");
  const { body } = await call(index, session, order);
  const { waiting } = body["outcome"] as { readonly waiting: { readonly approvalId: string } };
  return { session, order, callId: String(body["callId"]), approvalId: waiting.approvalId };
}

/** The same key again at another gateway: answered as before, nothing sent again. */
async function expectReplay(index: number, { session, order, callId }: Made): Promise<void> {
  const again = await call(index, session, order);
  expect(again.body).toMatchObject({ callId, outcome: { kind: "completed" } });
  expect(await effectsOf(all, order)).toEqual({ count: 1, twice: [] });
}

/** What one gateway asked a person is answered at another, and told by the first. */
async function expectAnswered(asked: Made & { readonly approvalId: string }, there: number, here: number): Promise<void> {
  const answered = await all.ask(at(there), "lead", `/v1/approvals/${asked.approvalId}/answer`, { approve: true });
  expect(answered.status).toBe(200);
  const told = async (): Promise<string | undefined> => endOf(await all.ask(at(here), "agent", `/v1/calls/${asked.callId}`));
  await expect.poll(told, { timeout: 30_000 }).toBe("completed");
  await expectReplay(here, asked);
}

/** Every gateway is asked for the same keys at once: each key has one effect, under one call. */
async function expectOneEach(session: string): Promise<void> {
  const orders = Array.from({ length: raceCount }, () => newOrder("race"));
  await Promise.all(
    orders.map(async (order) => {
      const answers = await Promise.all(all.slots.map((_, index) => call(index, session, order, "effect.opaque")));
      expect(answers.map(endOf)).toEqual(all.slots.map(() => "completed"));
      expect(new Set(answers.map(({ body }) => body["callId"])).size).toBe(1);
    }),
  );
  for (const order of orders) expect(await effectsOf(all, order)).toEqual({ count: 1, twice: [] });
}

/** What one gateway limits to reads is so limited at all of them from its answer on. */
async function expectLimited(from: number): Promise<void> {
  const session = await all.openSession("limited");
  const turn = (on: boolean): Promise<Reply> =>
    all.ask(at(from), "operator", "/v1/read-only", { on, scope: "session", session, reason: "looked into" });
  for (const index of all.slots.keys()) await make(index, session);
  expect((await turn(true)).status).toBe(200);
  const endings = await Promise.all(all.slots.map(async (_, index) => endOf(await call(index, session, newOrder("made")))));
  expect(endings).toEqual(all.slots.map(() => "READ_ONLY"));
  expect((await turn(false)).status).toBe(200);
  for (const index of all.slots.keys()) await make(index, session);
}

/** One program claims and the other joins, replays, answers what it asked, obeys what it took away and hears what it counted. */
async function expectUnderstanding(from: number, to: number, session: string, rated: string): Promise<void> {
  await expectReplay(to, await make(from, session));
  const slow = newOrder("slow");
  const first = call(from, session, slow);
  await expect.poll(async () => (await effectsOf(all, slow)).count, { interval: 10, timeout: 30_000 }).toBe(1);
  const joined = await call(to, session, slow);
  expect(joined.body).toMatchObject({ callId: (await first).body["callId"], outcome: { kind: "completed" } });
  expect(await effectsOf(all, slow)).toEqual({ count: 1, twice: [] });
  await expectAnswered(await ask(from, session), to, from);

  expect(endOf(await call(from, session, newOrder("rated"), rated))).toBe("completed");
  await pause(toldMs);
  expect(endOf(await call(to, session, newOrder("rated"), rated))).toBe("RATE_LIMITED");

  const leaver = await all.openSession(`leaver-${from}-${to}-${names}`);
  await make(to, leaver);
  await all.ask(at(from), "agent", `/v1/sessions/${leaver}/stop`, { reason: "over" });
  expect(endOf(await call(to, leaver, newOrder("made")))).toBe("SESSION_STOPPED");
}

/** Replaces every gateway by one of `program` under load, and lets both programs work together when half of them are replaced. */
async function replaceAll(name: string, program: string, rated: readonly [string, string]): Promise<void> {
  const sessions = await openSessions(all, sessionCount);
  const [session = ""] = sessions;
  const before = await Promise.all(all.slots.map((_, index) => make(index, session)));
  const waiting = await ask(0, session);
  // What can only be sent once stands beside what may be sent again under its key: a repeat of it is seen.
  const load = startSteadyLoad(all, { prefix: name, callsPerSecond, sessions, tools: ["effect.keyed", "effect.opaque"] });
  await pause(2_000);
  const tookMs = await replaceInTurn(all, program, async (index) => {
    if (index !== 1) return;
    await expectUnderstanding(3, 0, session, rated[0]);
    await expectUnderstanding(1, 2, session, rated[1]);
    await expectOneEach(session);
    for (const from of [0, 3]) await expectLimited(from);
    for (const each of [0, 3]) expect((await all.ask(at(each), "operator", "/v1/ledger/verify")).body).toMatchObject({ ok: true });
  });
  await pause(1_000);
  await load.stop();
  for (const [index, made] of before.entries()) await expectReplay((index + 1) % gatewayCount, made);
  await expectAnswered(waiting, 1, 2);

  const effects = await effectsOf(all, `${name}-`);
  printRows(`rolling ${name}`, {
    ...load.rows(),
    "gateways, one after the other": `${gatewayCount} in ${Math.round(tookMs)} ms`,
    "effects, twice": `${effects.count}, ${effects.twice.length}`,
  });
  expect(load.problems).toEqual([]);
  expect(effects).toEqual({ count: load.count, twice: [] });
  expect((await all.ask(all.address, "operator", "/v1/ledger/verify")).body).toMatchObject({ ok: true });
}

test(
  verifies(
    "OPS-02",
    "OPS-07",
    `gateways of an older program are replaced in turn under ${callsPerSecond} calls a second: no call fails, none happens twice, each program goes on with what the other began`,
  ),
  async () => replaceAll("update", presentProgram, ["effect.once0", "effect.once1"]),
  testMsMax,
);

test(
  verifies("OPS-02", "OPS-07", "and the older program replaces the present one the same way, when an update has to be taken back"),
  async () => replaceAll("rollback", older.path, ["effect.once2", "effect.once3"]),
  testMsMax,
);
