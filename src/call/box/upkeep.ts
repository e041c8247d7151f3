import type { Timer } from "../../base/clock.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { ApprovalDesk } from "../desk/approval-desk.ts";
import { askSpaces } from "../ask-rates.ts";
import type { RecoveryReport } from "./box.ts";
import type { DeferralDesk } from "../desk/deferral-desk.ts";
import { delegationSpace } from "../delegation.ts";
import { historySpaces } from "../history.ts";
import { boundLetters } from "../desk/letter-upkeep.ts";
import { readerSpace } from "../readers.ts";
import type { Recovery } from "../recovery/recovery.ts";
import type { Runtime } from "../runtime.ts";

/** What a box does by itself, at its start and from time to time: recovery, expiry, forgetting. */
export interface Upkeep {
  /** The first sweep, waited for no longer than `recoveryStartMs`: an upstream that hangs must not keep a process from its other calls. */
  start(): Promise<void>;
  sweep(isStart: boolean): Promise<RecoveryReport>;
  /** Begins nothing more, and resolves once what is under way has ended: what was not begun is left to the next process. */
  stop(): Promise<void>;
}

/** Spaces whose rows are simply over when they are due. Keys and approvals are resolved instead. */
const transientSpaces = [
  "meaning",
  "handle",
  "pulse",
  "widening",
  "probe",
  "dead-letter",
  readerSpace,
  ...askSpaces,
  delegationSpace,
  ...historySpaces,
] as const;

/** Starts the upkeep of a box. A sweep that fails is reported, and the next one tries again. */
export function startUpkeep(
  runtime: Runtime,
  { desk, deferrals }: { readonly desk: ApprovalDesk; readonly deferrals: DeferralDesk },
  recovery: Recovery,
): Upkeep {
  let timer: Timer | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;
  const underWay = new Set<Promise<unknown>>();

  function sweep(isStart: boolean): Promise<RecoveryReport> {
    const sweeping = sweepAll(isStart).finally(() => underWay.delete(sweeping));
    underWay.add(sweeping);
    return sweeping;
  }

  async function sweepAll(isStart: boolean): Promise<RecoveryReport> {
    const nowMs = runtime.clock.now();
    const calls = await recovery.sweep({ nowMs, isStart, signal });
    const approvals = await desk.sweep(nowMs, signal);
    const putOff = await deferrals.sweep(nowMs, signal);
    if (!signal.aborted) await boundLetters(runtime);
    // Beside the sweep: who hears of it late must not keep calls from being recovered.
    if (!signal.aborted) void runtime.notices.sweep(nowMs).catch((cause: unknown) => runtime.reportFault("notices", cause));
    for (const space of transientSpaces) {
      if (signal.aborted) break;
      await runtime.store.purge({ space, untilMs: nowMs, limit: fixedBounds.purgeRowsMax });
    }
    const resumed = calls.resumed + approvals.resumed + putOff.resumed;
    return { resumed, reconciled: calls.reconciled, unknown: calls.unknown, expired: approvals.expired + putOff.expired };
  }

  function later(): void {
    timer = runtime.clock.after(runtime.limits.upkeepIntervalMs, () => {
      if (signal.aborted) return;
      sweep(false)
        .catch((cause: unknown) => runtime.reportFault("recovery", cause))
        .finally(later);
    });
  }
  later();

  function start(): Promise<void> {
    const { clock, limits, reportFault } = runtime;
    return new Promise((resolve, reject) => {
      const wait = clock.after(limits.recoveryStartMs, resolve);
      sweep(true)
        .then(
          () => resolve(),
          (cause: unknown) => {
            // Told also where nobody waits any more.
            reportFault("recovery", cause);
            reject(cause instanceof Error ? cause : new Error("recovery failed", { cause }));
          },
        )
        .finally(() => wait.cancel());
    });
  }

  return {
    start,
    sweep,
    async stop() {
      stopping.abort();
      timer?.cancel();
      await Promise.allSettled(underWay);
    },
  };
}
