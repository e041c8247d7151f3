import { cleanForPeople } from "../../approvals/card.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Deferral } from "../../domain/deferral.ts";
import type { Answer, Outcome } from "../../domain/outcome.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { callDenied } from "../../ledger/entries.ts";
import type { Row } from "../../store/store.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import type { Deferrals } from "../deferrals.ts";
import { deferralKey, deferralOver } from "../deferral-rows.ts";
import { pendingApproval, pendingDeferral } from "../endings.ts";
import { releaseOperations } from "../release.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Waking } from "./waking.ts";

/** The calls that rules have put off: what people do with them is the facade's own promise. */
export interface DeferralDesk extends Deferrals {
  /** Judges again what is due, and closes what waited too long. Begins nothing more once `signal` is aborted. */
  sweep(nowMs: number, signal: AbortSignal): Promise<{ readonly resumed: number; readonly expired: number }>;
  ofCall(tenant: string, callId: string): Promise<Deferral | undefined>;
}

/** The desk of one box. */
export function createDeferralDesk(runtime: Runtime, sessions: Sessions, waking: Waking): DeferralDesk {
  return new Desk(runtime, sessions, waking);
}

class Desk implements DeferralDesk {
  readonly #runtime: Runtime;
  readonly #sessions: Sessions;
  readonly #waking: Waking;

  constructor(runtime: Runtime, sessions: Sessions, waking: Waking) {
    this.#runtime = runtime;
    this.#sessions = sessions;
    this.#waking = waking;
  }

  sweep(nowMs: number, signal: AbortSignal): ReturnType<DeferralDesk["sweep"]> {
    const wake = (row: Row): Promise<Answer | undefined> =>
      this.#waking.wake(deferralIn(row), row, { deferral: { deferral: deferralIn(row), version: row.version }, approval: undefined });
    return this.#waking.sweep({ space: "deferral", nowMs, signal }, { wake, expire: (row) => this.#expire(row) });
  }

  async ofCall(tenant: string, callId: string): Promise<Deferral | undefined> {
    const [row] = await this.#runtime.store.read([deferralKey(tenant, callId)]);
    return row === undefined ? undefined : deferralIn(row);
  }

  async list({ tenant, credentialId, after, limit }: Parameters<Deferrals["list"]>[0]): ReturnType<Deferrals["list"]> {
    const { store, limits } = this.#runtime;
    const deferrals: Deferral[] = [];
    let from = after;
    for (;;) {
      const rows = await store.scan({ space: "deferral", tenant, limit: limits.pageRowsMax, ...(from !== undefined && { after: from }) });
      for (const row of rows) {
        const deferral = deferralIn(row);
        if (credentialId !== undefined && deferral.credentialId !== credentialId) continue;
        if (deferrals.length === limit) return { deferrals, next: deferrals.at(-1)?.callId };
        deferrals.push(deferral);
      }
      if (rows.length < limits.pageRowsMax) return { deferrals, next: undefined };
      from = rows.at(-1)?.key;
    }
  }

  async cancel(callId: string, { tenant, credentialId, by, reason }: Parameters<Deferrals["cancel"]>[1]): Promise<void> {
    for (let race = 0; race < fixedBounds.racesMax; race += 1) {
      const [row] = await this.#runtime.store.read([deferralKey(tenant, callId)]);
      const isSeen = row !== undefined && (credentialId === undefined || deferralIn(row).credentialId === credentialId);
      if (!isSeen) throw toolCallError("NOT_FOUND", `no call \`${callId.slice(0, 60)}\` is put off here`);
      const said =
        reason === undefined
          ? ""
          : `, in their words: ${JSON.stringify(cleanForPeople(reason, this.#runtime.limits.answerReasonCharsMax))}`;
      if (
        await this.#close(
          row,
          "CANCELLED",
          `\`${cleanForPeople(by, fixedBounds.shownNameCharsMax)}\` cancelled this call before it ran${said}`,
        )
      )
        return;
    }
    throw toolCallError("NOT_FOUND", "this call runs already, or keeps changing; look at it again");
  }

  #expire(row: Row): Promise<boolean> {
    const named = deferralIn(row)
      .rules.map((rule) => `\`${rule}\``)
      .join(", ");
    const reason = `the rule ${named} kept this call waiting for too long; nothing was done, ask the user whether to call it again`;
    return this.#close(row, "DEFERRAL_EXPIRED", reason);
  }

  /** Ends the wait; key and meaning are free, so that the same call may be made anew. False: somebody else was first. */
  async #close(row: Row, code: "DEFERRAL_EXPIRED" | "CANCELLED", reason: string): Promise<boolean> {
    const runtime = this.#runtime;
    const deferral = deferralIn(row);
    const { tenant, callId, sessionId, tool, version, user, credentialId, effectiveDigest, sinceMs } = deferral;
    const session = await this.#sessions.find(sessionId, tenant);
    const place = { tenant, callId, sessionId, atMs: runtime.clock.now() };
    const roles = session?.principal.roles ?? [];
    const facts = { place, user, roles, credentialId, tool, version, effectiveDigest, waitedSinceMs: sinceMs };
    const result = await runtime.store.commit({
      operations: [...deferralOver({ deferral, version: row.version }), ...(await releaseOperations(runtime, deferral, undefined))],
      entries: [callDenied({ ...facts, stage: "approve", code, reason })],
    });
    return result.kind === "committed";
  }
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
