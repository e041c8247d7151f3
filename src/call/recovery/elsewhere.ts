/**
 * Calls that another process of a shared store carries out. Whoever asks for one here waits until its claim is settled there. All who wait share one
 * look at the store every `joinPollMs`, and nothing is looked at while nobody waits: notices of the database would cost every commit of every process.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Outcome } from "../../domain/outcome.ts";
import { isShared } from "../../store/shared.ts";
import type { Row, RowKey, Store } from "../../store/store.ts";
import { rowId } from "../../store/row-key.ts";
import { pendingExecution } from "../endings.ts";
import type { KeyClaim } from "../keys.ts";
import type { CallState } from "../runtime.ts";

/** Waits for claims that other processes hold. */
export interface Elsewhere {
  /**
   * The claim of a call once it is no longer running, at the latest after `waitMs`; `undefined` where the key is free or another call's. At once where
   * nobody else can carry it out, or `joinsWaitingMax` wait already.
   */
  settled(row: RowKey, callId: string, waitMs: number): Promise<Standing>;
  /** Lets everybody go who waits, and resolves once the look that is under way has ended. */
  stop(): Promise<void>;
}

/** How a wait ended. */
export type Standing = { readonly kind: "over"; readonly claim: KeyClaim | undefined } | { readonly kind: "running" };

/** Where a call stands that was running in another process, for somebody who asks here and waits no longer than its own reply deadline. */
export async function joinElsewhere(
  elsewhere: Elsewhere,
  asker: CallState,
  { callId, keyRow }: { readonly callId: string; readonly keyRow: RowKey },
): Promise<Outcome> {
  const { runtime, registered } = asker;
  const waitMs = registered?.tool.timeouts.replyMs ?? runtime.limits.replyDeadlineMs;
  const standing = await elsewhere.settled(keyRow, callId, waitMs);
  if (standing.kind === "running") return pendingExecution(callId, 1_000);
  if (standing.claim?.state !== "pending") return await runtime.recordedOutcome(keyRow.tenant, callId);
  return (await runtime.waitingOutcome(keyRow.tenant, callId)) ?? pendingExecution(callId, 1_000);
}

/** What waiting works with. */
export interface ElsewhereParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly reportFault: (where: string, cause: unknown) => void;
}

interface Waiter {
  readonly row: RowKey;
  readonly callId: string;
  readonly untilMs: number;
  readonly resolve: (standing: Standing) => void;
}

const stillRunning: Standing = { kind: "running" };

/** The waiting room of one box. */
export function createElsewhere(parts: ElsewhereParts): Elsewhere {
  return new WaitingRoom(parts);
}

class WaitingRoom implements Elsewhere {
  readonly #parts: ElsewhereParts;
  #waiters: readonly Waiter[] = [];
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: ElsewhereParts) {
    this.#parts = parts;
  }

  settled(row: RowKey, callId: string, waitMs: number): Promise<Standing> {
    const { store, clock, limits } = this.#parts;
    if (!isShared(store) || this.#isStopped || this.#waiters.length >= limits.joinsWaitingMax) return Promise.resolve(stillRunning);
    return new Promise((resolve) => {
      this.#waiters = [...this.#waiters, { row, callId, untilMs: clock.monotonic() + waitMs, resolve }];
      this.#lookLater();
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const { resolve } of this.#waiters) resolve(stillRunning);
    this.#waiters = [];
    await this.#looking;
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#waiters.length === 0) return;
    this.#timer = this.#parts.clock.after(this.#parts.limits.joinPollMs, () => {
      this.#looking = this.#look().finally(() => {
        this.#timer = undefined;
        this.#lookLater();
      });
    });
  }

  async #look(): Promise<void> {
    const { store, clock, reportFault } = this.#parts;
    const asked = new Map(this.#waiters.map(({ row }) => [rowId(row), row]));
    let rows: readonly (Row | undefined)[] = [];
    try {
      rows = await store.read([...asked.values()]);
    } catch (cause) {
      // Those who wait go on waiting, as long as each of them may.
      reportFault("join", cause);
    }
    const found = new Map([...asked.keys()].map((id, index) => [id, rows.length === 0 ? undefined : { row: rows[index] }]));
    const nowMs = clock.monotonic();
    const left: Waiter[] = [];
    for (const waiter of this.#waiters) {
      const standing = standingOf(waiter, found.get(rowId(waiter.row)));
      if (standing.kind === "over" || waiter.untilMs <= nowMs) waiter.resolve(standing);
      else left.push(waiter);
    }
    this.#waiters = left;
  }
}

function standingOf({ callId }: Waiter, found: { readonly row: Row | undefined } | undefined): Standing {
  if (found === undefined) return stillRunning;
  const claim = found.row?.body as unknown as KeyClaim | undefined;
  if (claim?.callId !== callId) return { kind: "over", claim: undefined };
  return claim.state === "running" ? stillRunning : { kind: "over", claim };
}
