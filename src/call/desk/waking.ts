/**
 * How calls that waited go on, whatever they waited for. Nothing is held in memory: upkeep finds what is due, in whatever process, and takes each call through the
 * journey from its beginning. Whoever passes the gate first, or makes it wait again, does so under the version of the row by which it waits, so it runs once.
 */
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Approval } from "../../domain/approval.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Row, RowKey } from "../../store/store.ts";
import type { ParkedCall } from "../parked.ts";
import { rebuildParked } from "../recovery/rebuild-parked.ts";
import type { Runtime, CallState } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";

/** Wakes the calls of one box, whatever each waits for: it may be one thing after another. */
export interface Waking {
  /**
   * Takes a call through the journey from its beginning; undefined where it is on its way already, waits no more, or can no longer be read.
   * `row`: that by which it waits, as it was looked at.
   */
  wake(
    call: Pick<Approval, "tenant" | "callId" | "sessionId">,
    row: RowKey & Pick<Row, "version">,
    woken: Pick<CallState, "approval" | "deferral">,
  ): Promise<Answer | undefined>;
  /** Wakes what is due, a few at a time, and ends what waited too long. What is wrong with one is reported. Begins nothing more once `signal` is aborted. */
  sweep(
    due: { readonly space: "approval" | "deferral"; readonly nowMs: number; readonly signal: AbortSignal },
    row: { wake(row: Row): Promise<Answer | undefined>; expire(row: Row): Promise<boolean> },
  ): Promise<{ readonly resumed: number; readonly expired: number }>;
}

/** The waking of one box. `run` takes a woken call through the journey; undefined where none begins any more, and the call is left to the next process. */
export function createWaking(
  runtime: Runtime,
  sessions: Sessions,
  run: (state: CallState) => Answer | Promise<Answer> | undefined,
): Waking {
  const { store, limits, running, reportFault } = runtime;
  const waking = new Set<string>();

  const rebuild = async ([{ tenant, callId, sessionId }, at, woken]: Parameters<Waking["wake"]>): Promise<CallState | undefined> => {
    const [row, parkedRow] = await store.read([at, { space: "parked", tenant, key: callId }]);
    const session = await sessions.find(sessionId, tenant);
    if (row?.version !== at.version || parkedRow === undefined || session === undefined) return undefined;
    const parked = parkedRow.body as unknown as ParkedCall;
    const waitingSinceMs = parked.sinceMs ?? woken.approval?.approval.createdAtMs;
    return await rebuildParked({ runtime, session, parked }, callId, { ...woken, waitingSinceMs });
  };

  return {
    async wake(call, row, woken) {
      // Whoever answers and the sweep may both find it: it is taken up by one of them, before the first of its waits.
      if (waking.has(call.callId) || running.has(call.callId)) return undefined;
      waking.add(call.callId);
      try {
        const state = await rebuild([call, row, woken]);
        return state === undefined ? undefined : await run(state);
      } finally {
        waking.delete(call.callId);
      }
    },
    async sweep({ space, nowMs, signal }, { wake, expire }) {
      const counts = { resumed: 0, expired: 0 };
      const take = async (row: Row): Promise<void> => {
        const isOver = (row.body as { readonly expiresAtMs: number }).expiresAtMs <= nowMs;
        const isDone = isOver ? await expire(row) : goesOn(await wake(row));
        if (isDone) counts[isOver ? "expired" : "resumed"] += 1;
      };
      const rows = (await store.due({ space, untilMs: nowMs, limit: fixedBounds.sweepRowsMax })).values();
      // Several at a time, so that one upstream that hangs does not keep the other calls waiting; they share one list.
      const worker = async (): Promise<void> => {
        for (const row of rows) {
          if (signal.aborted) return;
          await take(row).catch((cause: unknown) => reportFault(`${space}s`, cause));
        }
      };
      await Promise.all(Array.from({ length: limits.recoveryAtOnceMax }, worker));
      return counts;
    },
  };
}

/** Whether a woken call waits for a time no more. */
function goesOn(answer: Answer | undefined): boolean {
  return answer !== undefined && !(answer.outcome.kind === "pending" && answer.outcome.waiting.kind === "time");
}
