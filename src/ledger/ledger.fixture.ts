import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { createMemoryStore } from "../store/memory.ts";
import { openSqliteStore, type SqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { writeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { callIntended, callSettled } from "./entries.ts";
import { memoryKeyring, type Keyring } from "./keyring.ts";
import { encryptingVault, type Vault } from "./vault.ts";

/** A clock that moves when a test says so; timers run when their time is reached. */
export interface ManualClock extends Clock {
  advance(byMs: number): void;
}

/** Starts at 1,700,000,000,000 ms. */
export function manualClock(): ManualClock {
  let nowMs = 1_700_000_000_000;
  let timers: { readonly atMs: number; readonly task: () => void }[] = [];
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, task) {
      const timer = { atMs: nowMs + delayMs, task };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((one) => one !== timer)) };
    },
    advance(byMs) {
      nowMs += byMs;
      const ready = timers.filter((timer) => timer.atMs <= nowMs);
      timers = timers.filter((timer) => timer.atMs > nowMs);
      for (const timer of ready) timer.task();
    },
  };
}

/** Bytes that follow from a seed. */
export function seededRandom(seed: string): Random {
  let drawn = 0;
  const block = (): Buffer =>
    createHash("sha512")
      .update(`${seed} ${(drawn += 1)}`)
      .digest();
  return {
    sample: () => block().readUInt32BE(0) / 0x1_0000_0000,
    bytes: (length) => {
      let bytes = Buffer.alloc(0);
      while (bytes.length < length) bytes = Buffer.concat([bytes, block()]);
      return bytes.subarray(0, length);
    },
  };
}

/** A ledger with everything around it. */
export interface Bench<Kind extends Store = Store> {
  readonly store: Kind;
  readonly keyring: Keyring;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly vault: Vault;
  readonly limits: typeof defaultLimits;
}

/** A memory store with an encrypting vault, which it would not have outside tests, so that both can be tested together without a disk. */
export function memoryBench(entriesMax?: number): Bench {
  const clock = manualClock();
  return benchOf(
    createMemoryStore({ clock, random: seededRandom("writer"), ...(entriesMax !== undefined && { ledgerEntriesMax: entriesMax }) }),
    clock,
  );
}

/** A SQLite store at a path. */
export async function sqliteBench(path: string, clock = manualClock()): Promise<Bench<SqliteStore>> {
  return benchOf(await openSqliteStore({ path, clock, random: seededRandom("writer") }), clock);
}

function benchOf<Kind extends Store>(store: Kind, clock: ManualClock): Bench<Kind> {
  const random = seededRandom("ledger");
  const keyring = memoryKeyring(seededRandom("keys"));
  const limits = defaultLimits;
  return {
    store,
    keyring,
    clock,
    random,
    limits,
    vault: encryptingVault({ store, keyring, clock, random: seededRandom(`vault ${Math.trunc(clock.now())}`), limits }),
  };
}

/** Writes a call's intent and outcome, each in a batch of its own on SQLite. */
export async function recordCall(bench: Bench, callId: string, tenant = "acme"): Promise<void> {
  const { store, vault, clock } = bench;
  const place = { tenant, callId, sessionId: `session-of-${tenant}`, runId: "run-1", atMs: clock.now() };
  await vault.prepare(tenant);
  const intent = vault.sealValues(
    { tenant, callId, kind: "call-intended" },
    { arguments: JSON.stringify({ orderId: callId }), said: '"please refund"' },
  );
  await store.commit({
    operations: [],
    entries: [
      callIntended({
        place,
        user: "ada",
        roles: ["support"],
        credentialId: "agent-1",
        conversationId: "conversation-1",
        traceId: "trace-1",
        tool: "order.refund",
        version: "1.0.0",
        fingerprint: "f".repeat(64),
        tier: "irreversible",
        key: `key-${callId}`,
        values: intent,
        decision: {
          effect: "ask",
          notify: false,
          policyVersion: "policy-1",
          factDigests: {},
          reasons: [{ rule: "tier:irreversible", effect: "ask", reason: "it cannot be undone" }],
          ask: { gate: "approval", approvers: ["lead"], quorum: 1, needsFreshAuthentication: false },
        },
      }),
    ],
  });
  const result = vault.sealValues({ tenant, callId, kind: "call-settled" }, { result: '{"refunded":true}' });
  await store.commit({
    operations: [],
    entries: [
      callSettled({
        place,
        tool: "order.refund",
        outcome: "completed",
        effect: "applied",
        attemptsCount: 1,
        durationMs: 12,
        values: result,
      }),
    ],
  });
  clock.advance(1);
}

/** Writes several calls and a checkpoint after every second one; returns the checkpoints. */
export async function recordCalls(bench: Bench, callsCount: number): Promise<readonly Checkpoint[]> {
  const checkpoints: Checkpoint[] = [];
  for (let index = 1; index <= callsCount; index += 1) {
    await recordCall(bench, `call-${index}`);
    if (index % 2 === 0) checkpoints.push(await writeCheckpoint({ store: bench.store, keyring: bench.keyring, atMs: bench.clock.now() }));
  }
  return checkpoints;
}

/** Everything that a stream gives. */
export async function collected<Value>(stream: AsyncIterable<Value>): Promise<readonly Value[]> {
  const values: Value[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

/** A folder for one test's files. */
export function temporaryFolder(): { readonly path: (name: string) => string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-ledger-"));
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
