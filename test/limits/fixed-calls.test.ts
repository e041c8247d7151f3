import { describe, expect, test } from "vitest";
import { z } from "zod";
import { fixedBounds } from "../../src/base/fixed-bounds.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { examine } from "../../src/cli/doctor-checks.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { patient } from "../../src/store/postgres-read.ts";
import { createDataKeys } from "../../src/ledger/data-keys.ts";
import { memoryKeyring } from "../../src/ledger/keyring.ts";
import { keyDestroyed } from "../../src/ledger/own-entries.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { world } from "../support/shared-world.ts";
import type { EntryDraft, Store } from "../../src/store/store.ts";
import { codeOf, lead, shopBox, shopPolicy } from "../support/box.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

/** A memory store that writes down how much it is asked for at once. */
function recording(clock: ManualClock): { readonly store: Store; readonly asked: { [what: string]: number | undefined } } {
  const inner = createMemoryStore({ clock, random: systemRandom });
  const asked: { [what: string]: number | undefined } = {};
  const store: Store = {
    ...inner,
    due: (query) => {
      asked[`due ${query.space}`] = query.limit;
      asked[`due ${query.space} until`] ??= query.untilMs - clock.now();
      return inner.due(query);
    },
    purge: (query) => {
      asked[`purge ${query.space}`] = query.limit;
      return inner.purge(query);
    },
    scan: (query) => {
      asked[`scan ${query.space}`] = query.limit;
      return inner.scan(query);
    },
    entries: (query) => {
      if (query.callId !== undefined) asked["entries of a call"] = query.limit;
      return inner.entries(query);
    },
  };
  return { store, asked };
}

const get = { tool: "order.get", arguments: { orderId: "A-1" } };

describe("what a box asks of its store at once", () => {
  test("due rows by `sweepRowsMax`, at start also those of `orphanHorizonMs` ahead; rows that are over by `purgeRowsMax`", async () => {
    const clock = manualClock();
    const { store, asked } = recording(clock);
    const { box } = await shopBox({ clock, store, policy: shopPolicy });
    await clock.advance(defaultLimits.upkeepIntervalMs);
    expect(asked["due key until"]).toBe(fixedBounds.orphanHorizonMs);
    for (const space of ["key", "approval", "deferral"]) expect([space, asked[`due ${space}`]]).toEqual([space, fixedBounds.sweepRowsMax]);
    for (const space of ["meaning", "handle", "widening", "probe"])
      expect([space, asked[`purge ${space}`]]).toEqual([space, fixedBounds.purgeRowsMax]);
    await box.close();
  });

  test("entries of a call by `callEntriesMax`, answers for a whole session by `wideningsShownMax`", async () => {
    const clock = manualClock();
    const { store, asked } = recording(clock);
    const { box, session, turn } = await shopBox({ clock, store, policy: shopPolicy });
    const { callId } = await turn.call(get);
    await box.outcome(callId, { ...lead, administers: true });
    expect(asked["entries of a call"]).toBe(fixedBounds.callEntriesMax);
    await box.sessionView(session.id, "acme");
    expect(asked["scan widening"]).toBe(fixedBounds.wideningsShownMax);
    await box.close();
  });
});

test("a call whose ground keeps changing is judged again `restartsMax` times, and then refused", async () => {
  const clock = manualClock();
  const inner = createMemoryStore({ clock, random: systemRandom });
  let gates = 0;
  const store: Store = {
    ...inner,
    commit: (unit) => {
      if (!unit.entries.some(({ kind }) => kind === "call-intended")) return inner.commit(unit);
      gates += 1;
      return Promise.resolve({ kind: "refused" as const, reason: "row" as const, index: 0, row: undefined });
    },
  };
  const { box, turn } = await shopBox({ clock, store, policy: { ...shopPolicy, rules: [] } });
  expect(codeOf(await turn.call({ ...get, key: "k-1" }))).toBeDefined();
  expect(gates).toBe(fixedBounds.restartsMax + 1);
  await box.close();
});

test("an outcome that a shared store did not take is written `settleAttemptsMax` times", async () => {
  const clock = manualClock();
  const inner = createMemoryStore({ clock, random: systemRandom });
  let settles = 0;
  const store: Store = {
    ...inner,
    kind: "postgres",
    commit: (unit) => {
      if (!unit.entries.some(({ kind }) => kind === "call-settled")) return inner.commit(unit);
      settles += 1;
      return Promise.reject(new Error("away"));
    },
  };
  const { box, turn } = await shopBox({ clock, store, policy: { ...shopPolicy, rules: [] } });
  await turn.call({ ...get, key: "k-1" });
  expect(settles).toBe(fixedBounds.settleAttemptsMax);
  await box.close();
});

test("a lost database is tried again after `storeRetryBaseMs`, then twice as long, up to `storeRetryCapMs`", async () => {
  const clock = manualClock();
  const pauses: number[] = [];
  const after: typeof clock.after = (delayMs, task) => {
    pauses.push(delayMs);
    return clock.after(0, task);
  };
  const target = { query: () => Promise.reject(new Error("connection lost")) };
  const address = { connectionString: "", name: "db", limits: { ...defaultLimits, storeReconnectMs: 5_000 } };
  const asked = patient(target, address, { ...clock, after }).query("select 1");
  const refused = expect(asked).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
  for (let round = 0; round < 30; round += 1) await clock.advance(1);
  await refused;
  const { storeRetryBaseMs, storeRetryCapMs } = fixedBounds;
  expect(pauses.slice(0, 3)).toEqual([storeRetryBaseMs, 2 * storeRetryBaseMs, 4 * storeRetryBaseMs]);
  expect(Math.max(...pauses)).toBe(storeRetryCapMs);
});

test("a clock that shows a time before `clockMsMin` is no right one", async () => {
  const surroundings = (nowMs: number): Parameters<typeof examine>[0] =>
    ({
      clock: manualClock(nowMs),
      texts: { config: "/absent.yaml" },
      lists: {},
      switches: {},
      positionals: [],
      variables: {},
      environment: {},
    }) as never;
  const statusAt = async (nowMs: number): Promise<string | undefined> =>
    (await examine(surroundings(nowMs)).catch(() => [])).find(({ check }) => check === "clock")?.status;
  expect(await statusAt(fixedBounds.clockMsMin)).toBe("ok");
  expect(await statusAt(fixedBounds.clockMsMin - 1)).toBe("fail");
});

test("all keys of a tenant are destroyed, `scanRowsMax` in one transaction", async () => {
  const clock = manualClock();
  const { store, asked } = recording(clock);
  const keys = createDataKeys({ store, keyring: memoryKeyring(systemRandom), random: systemRandom, clock, limits: defaultLimits });
  const subjects = Array.from({ length: fixedBounds.scanRowsMax }, (_, index) => `subject ${index}`);
  for (const subject of subjects) await keys.prepare("acme", subject);
  const record = (keyIds: readonly string[]): EntryDraft => keyDestroyed({ tenant: "acme", keyIds, by: "ada", atMs: 0 });
  expect(await keys.destroy({ tenant: "acme" }, record)).toHaveLength(subjects.length);
  expect(asked["scan tenant-key"]).toBe(fixedBounds.scanRowsMax);
});

test("what a plan's tool is for is shown in at most `shownTextCharsMax` characters", async () => {
  const { box, session } = await shopBox({
    policy: { ...shopPolicy, rules: [] },
    tools: [
      tool({
        name: "order.archive",
        tier: "reversible",
        description: "d".repeat(fixedBounds.shownTextCharsMax * 2),
        input: z.object({ orderId: z.string() }),
        run: () => "done",
      }),
    ],
  });
  const plan = await box.plans.propose(
    { goal: "tidy", steps: [{ tool: "order.archive", arguments: { orderId: { is: "A-1" } } }] },
    session,
  );
  const text = JSON.stringify(await box.plans.card(plan.id, "acme"));
  expect(text).toContain("ddd");
  expect(text).not.toContain("d".repeat(fixedBounds.shownTextCharsMax + 1));
  await box.close();
});

test("a process that says nothing is forgotten by the others after `silentPulsesMax` pulses", async () => {
  const shared = world();
  const { turn } = await shopBox(shared);
  await turn.call(get);
  await shared.clock.advance(defaultLimits.pulseMs);
  const rows = await shared.store.due({ space: "pulse", untilMs: Number.MAX_SAFE_INTEGER, limit: 10 });
  expect(rows.map(({ dueMs }) => (dueMs ?? 0) - shared.clock.now())).toContain(fixedBounds.silentPulsesMax * defaultLimits.pulseMs);
});

test("a call of which nobody can tell whether it happened is looked into again every `unknownAgainMs`", async () => {
  const looks: number[] = [];
  const input = z.object({ key: z.string() });
  const tools = [
    tool({
      name: "parcel.ship",
      tier: "irreversible",
      idempotency: "lookup",
      lookupTool: "parcel.find",
      description: "Ship a parcel.",
      input,
      run: () => {
        throw new ToolFailure({ kind: "unavailable", effect: "unknown", message: "lost" });
      },
    }),
    tool({
      name: "parcel.find",
      tier: "read",
      description: "Find a parcel.",
      input,
      retry: { attempts: 1 },
      run: () => {
        looks.push(clock.now());
        throw new ToolFailure({ kind: "unavailable", message: "down" });
      },
    }),
  ];
  const clock = manualClock();
  const rules = [{ id: "go", on: "*", effect: "allow", waives: "tier" }];
  const limits = { breakerFailures: 1_000, sessionCallsMax: 1_000 };
  const { box, turn } = await shopBox({ clock, tools, limits, flow: { mode: "observe" }, policy: { roles: { support: ["*"] }, rules } });
  const call = turn.call({ tool: "parcel.ship", arguments: { key: "k" }, key: "k-1" });
  await clock.advance(60_000);
  expect((await call).outcome.kind).toBe("unknown");
  for (let step = 0; step < 100; step += 1) await clock.advance(defaultLimits.upkeepIntervalMs);
  const gaps = looks.slice(1).map((atMs, index) => atMs - (looks[index] as number));
  expect(gaps.filter((gapMs) => gapMs >= fixedBounds.unknownAgainMs).length).toBeGreaterThanOrEqual(3);
  expect(gaps.slice(-3).every((gapMs) => gapMs >= fixedBounds.unknownAgainMs && gapMs < 2 * fixedBounds.unknownAgainMs)).toBe(true);
  await box.close();
});
