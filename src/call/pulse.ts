/**
 * What the processes on a shared store tell each other, every `pulseMs` and apart from any call: how much of each rate limit they let through, which breakers
 * opened or closed, and which policy is in force. Each process writes one row of its own, so that none waits for another, and reads the others'. So a limit or a policy holds everywhere within
 * two pulses and a round trip, and no call pays for it. The pulse also tells whether the store can be reached.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Json } from "../domain/json.ts";
import type { RateExchange } from "../budget/throttle.ts";
import type { BreakerNews, SharedBreakers } from "../resilience/shared-breakers.ts";
import { isShared } from "../store/shared.ts";
import type { Row, RowKey } from "../store/store.ts";
import { activePolicyKey, takeOverPolicy } from "./policy-in-force.ts";
import type { Runtime } from "./runtime.ts";

/** The pulse of one process. */
export interface Pulse {
  /** Whether a look at the store came through within `storeAwayMs`. Always true where no other process shares the store. */
  readonly isWell: boolean;
  /** One exchange now. Never rejects. */
  beat(): Promise<void>;
  stop(): void;
}

/** Limits that processes keep together, by the name under which they tell of them. */
export type SharedRates = Readonly<Record<string, RateExchange>>;

/** What a process has let through since it started, by limit and key. */
type Totals = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What a process writes in its row. */
interface Told {
  readonly rates?: Totals;
  readonly breakers?: Readonly<Record<string, BreakerNews>>;
}

const space = "pulse";
/** A process that fell silent is forgotten after so many pulses. */
const silentPulses = 120;

/** Starts it; nothing happens on a store that nobody shares. */
export function startPulse(runtime: Runtime, rates: SharedRates, breakers: SharedBreakers | undefined): Pulse {
  return isShared(runtime.store)
    ? new SharedPulse(runtime, rates, breakers)
    : { isWell: true, beat: () => Promise.resolve(), stop: () => undefined };
}

class SharedPulse implements Pulse {
  readonly #runtime: Runtime;
  readonly #rates: SharedRates;
  readonly #breakers: SharedBreakers | undefined;
  readonly #own: RowKey;
  #news: Readonly<Record<string, BreakerNews>> = {};
  /** Own totals. A key that was not used for a while goes; its count then starts anew. */
  readonly #totals = new Map<string, Map<string, { count: number; atMs: number }>>();
  readonly #seen = new Map<string, { readonly totals: Totals; readonly atMs: number }>();
  #timer: Timer | undefined;
  #wellAtMs: number;
  #refusedPolicy: number | undefined;
  #isFirst = true;
  #isStopped = false;

  constructor(runtime: Runtime, rates: SharedRates, breakers: SharedBreakers | undefined) {
    this.#breakers = breakers;
    this.#runtime = runtime;
    this.#rates = rates;
    this.#wellAtMs = runtime.clock.monotonic();
    this.#own = { space, tenant: "", key: runtime.ids.next("process") };
    this.#beatLater();
  }

  get isWell(): boolean {
    const { clock, limits } = this.#runtime;
    return clock.monotonic() - this.#wellAtMs < limits.storeAwayMs;
  }

  async beat(): Promise<void> {
    try {
      await this.#tell();
      await this.#listen();
      this.#wellAtMs = this.#runtime.clock.monotonic();
    } catch (cause) {
      if (!this.#isStopped) this.#runtime.reportFault("pulse", cause);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #beatLater(): void {
    this.#timer = this.#runtime.clock.after(this.#runtime.limits.pulseMs, () => {
      void this.beat().finally(() => {
        if (!this.#isStopped) this.#beatLater();
      });
    });
  }

  async #tell(): Promise<void> {
    const { clock, store, limits } = this.#runtime;
    const isCounted = this.#count(clock);
    const news = this.#breakers?.news();
    if (!isCounted && news === undefined) return;
    this.#news = news ?? this.#news;
    const rates: Record<string, Record<string, number>> = {};
    let room = limits.pulseKeysMax;
    for (const [name, keys] of this.#totals) {
      const told = [...keys].slice(-room);
      room -= told.length;
      rates[name] = Object.fromEntries(told.map(([key, { count }]) => [key, count]));
    }
    const dueMs = clock.now() + silentPulses * limits.pulseMs;
    await store.commit({
      operations: [{ op: "put", key: this.#own, body: { rates, breakers: this.#news } as unknown as Json, dueMs }],
      entries: [],
      wait: "claimed",
    });
  }

  /** Adds what was let through since the last time, the latest used last; false where there was nothing. */
  #count(clock: Clock): boolean {
    const nowMs = clock.monotonic();
    const oldMs = nowMs - silentPulses * this.#runtime.limits.pulseMs;
    let isNew = false;
    for (const [name, rate] of Object.entries(this.#rates)) {
      const keys = this.#totals.get(name) ?? new Map<string, { count: number; atMs: number }>();
      this.#totals.set(name, keys);
      for (const [key, total] of keys) if (total.atMs < oldMs) keys.delete(key);
      for (const [key, taken] of rate.takenSince()) {
        const count = (keys.get(key)?.count ?? 0) + taken;
        keys.delete(key);
        keys.set(key, { count, atMs: nowMs });
        isNew = true;
      }
    }
    return isNew;
  }

  async #listen(): Promise<void> {
    const { store, limits, clock } = this.#runtime;
    const [rows, [policy]] = await Promise.all([
      store.scan({ space, tenant: "", limit: limits.pulseProcessesMax }),
      store.read([activePolicyKey]),
    ]);
    for (const row of rows) if (row.key !== this.#own.key) this.#hear(row, clock.monotonic());
    // What was let through before this process was there is over, or was taken from a bucket that it never had.
    this.#isFirst = false;
    const oldMs = clock.monotonic() - silentPulses * limits.pulseMs;
    for (const [key, { atMs }] of this.#seen) if (atMs < oldMs) this.#seen.delete(key);
    await this.#followPolicy(policy);
  }

  #hear({ key: process, body }: Row, nowMs: number): void {
    const { rates: totals = {}, breakers = {} } = body as unknown as Told;
    this.#breakers?.hear(breakers);
    const before = this.#seen.get(process)?.totals ?? (this.#isFirst ? totals : {});
    this.#seen.set(process, { totals, atMs: nowMs });
    for (const [name, rate] of Object.entries(this.#rates)) {
      for (const [key, count] of Object.entries(totals[name] ?? {})) {
        const earlier = before[name]?.[key] ?? 0;
        const more = count >= earlier ? count - earlier : count;
        if (more > 0) rate.charge(key, more, nowMs);
      }
    }
  }

  /** A policy that this program cannot read is reported once, and the one in force stays. */
  async #followPolicy(row: Row | undefined): Promise<void> {
    if (row === undefined || row.version === this.#refusedPolicy) return;
    try {
      await takeOverPolicy(this.#runtime, row);
    } catch (cause) {
      this.#refusedPolicy = row.version;
      this.#runtime.reportFault("policy", cause);
    }
  }
}
