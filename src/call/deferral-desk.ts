/**
 * Where calls wait that rules have put off. Nothing is held in memory: upkeep finds those whose time has come, in whatever process, and takes each through the
 * journey from its beginning. Whoever passes the gate first, or puts it off again, does so under the version of the row, so a call runs once.
 */
import type { Deferral } from "../domain/deferral.ts";
import type { Answer, Outcome } from "../domain/outcome.ts";
import { callDenied } from "../ledger/entries.ts";
import type { Row } from "../store/store.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import { deferralKey, deferralOver } from "./deferral-rows.ts";
import { pendingApproval, pendingDeferral } from "./endings.ts";
import type { ParkedCall } from "./parked.ts";
import { rebuildParked } from "./rebuild-parked.ts";
import { releaseOperations } from "./release.ts";
import type { Runtime } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";
import type { CallState } from "./stage.ts";

/** The calls that rules have put off. */
export interface DeferralDesk {
  /** Judges again what is due, and closes what waited too long. */
  sweep(nowMs: number): Promise<{ readonly resumed: number; readonly expired: number }>;
  ofCall(tenant: string, callId: string): Promise<Deferral | undefined>;
}

const sweepMax = 500;

/** The desk of one box. `run` takes a woken call through the journey. */
export function createDeferralDesk(runtime: Runtime, sessions: Sessions, run: (state: CallState) => Promise<Answer>): DeferralDesk {
  const waking = new Set<string>();

  async function wake(row: Row): Promise<boolean> {
    const deferral = deferralIn(row);
    const { tenant, callId, sessionId, sinceMs } = deferral;
    // One sweep may still be at it when the next begins.
    if (waking.has(callId) || runtime.running.has(callId)) return false;
    waking.add(callId);
    try {
      const [parkedRow] = await runtime.store.read([{ space: "parked", tenant, key: callId }]);
      const session = await sessions.find(sessionId, tenant);
      if (parkedRow === undefined || session === undefined) return false;
      const parked = parkedRow.body as unknown as ParkedCall;
      const woken = { deferral: { deferral, version: row.version }, waitingSinceMs: sinceMs };
      const state = await rebuildParked({ runtime, session, parked }, callId, woken);
      if (state === undefined) return false;
      const { outcome } = await run(state);
      return outcome.kind !== "pending" || outcome.waiting.kind !== "time";
    } finally {
      waking.delete(callId);
    }
  }

  async function expire(row: Row): Promise<boolean> {
    const deferral = deferralIn(row);
    const { tenant, callId, sessionId, tool, version, user, rules } = deferral;
    const session = await sessions.find(sessionId, tenant);
    const reason = `the rule ${rules.map((rule) => `\`${rule}\``).join(", ")} kept this call waiting for too long; nothing was done, ask the user whether to call it again`;
    const result = await runtime.store.commit({
      operations: [...deferralOver({ deferral, version: row.version }), ...(await releaseOperations(runtime, deferral, undefined))],
      entries: [
        callDenied({
          place: { tenant, callId, sessionId, atMs: runtime.clock.now() },
          user,
          roles: session?.principal.roles ?? [],
          credentialId: session?.credentialId ?? "",
          tool,
          version,
          effectiveDigest: deferral.effectiveDigest,
          waitedSinceMs: deferral.sinceMs,
          stage: "approve",
          code: "DEFERRAL_EXPIRED",
          reason,
        }),
      ],
    });
    return result.kind === "committed";
  }

  return {
    async sweep(nowMs) {
      const counts = { resumed: 0, expired: 0 };
      for (const row of await runtime.store.due({ space: "deferral", untilMs: nowMs, limit: sweepMax })) {
        const isOver = deferralIn(row).expiresAtMs <= nowMs;
        // What is wrong with one call must not keep the others waiting.
        const isDone = await (isOver ? expire(row) : wake(row)).catch((cause: unknown) => {
          runtime.reportFault("deferrals", cause);
          return false;
        });
        if (isDone) counts[isOver ? "expired" : "resumed"] += 1;
      }
      return counts;
    },
    async ofCall(tenant, callId) {
      const [row] = await runtime.store.read([deferralKey(tenant, callId)]);
      return row === undefined ? undefined : deferralIn(row);
    },
  };
}

/** What a call waits for, as it is answered to whoever asks; undefined where it does not wait. */
export async function waitingOutcome(
  { desk, deferrals }: { readonly desk: ApprovalDesk; readonly deferrals: DeferralDesk },
  tenant: string,
  callId: string,
): Promise<Outcome | undefined> {
  const approval = await desk.ofCall(tenant, callId);
  if (approval !== undefined) return pendingApproval(approval);
  const deferral = await deferrals.ofCall(tenant, callId);
  return deferral === undefined ? undefined : pendingDeferral(deferral);
}

function deferralIn({ body }: Row): Deferral {
  return body as unknown as Deferral;
}
