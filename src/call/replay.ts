import type { Outcome } from "../domain/outcome.ts";
import { pendingApproval, pendingExecution, stop } from "./endings.ts";
import { isShared } from "../store/shared.ts";
import type { RowKey } from "../store/store.ts";
import { deriveKey, meaningKey, type CallKey, type KeyClaim } from "./keys.ts";
import { proceed, type CallState, type Verdict } from "./stage.ts";

/**
 * The same key again: a finished call answers as it did, a running one is joined, other arguments are refused, an unknown one is reconciled. A
 * replay is not decided again, since a repeated cancel would now be refused *because it succeeded*; but the session lives and the tool is still
 * granted, or the stages before this one would have ended the call.
 */
export function replay(state: CallState): Verdict | Promise<Verdict> {
  const { session, call, turn, registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const { tenant, user } = session.principal;
  state.key ??= deriveKey({
    tenant,
    user,
    sessionId: session.id,
    tool: tool.name,
    callId: state.callId,
    explicit: call.key,
    turnId: turn.id,
    providerCallId: call.hasProviderId ? call.id : undefined,
  });
  const isGuarded = tool.tier !== "read" && !tool.isRepeatable;
  // A parked call that wakes finds its own claim, also under a key that nobody else could ask for.
  const wantsKeyRow = state.key.isAddressable || state.approval !== undefined;
  const wants = [
    ...(wantsKeyRow ? [state.key.row] : []),
    ...(isGuarded ? [meaningKey(tenant, session.id, tool.name, state.effectiveDigest)] : []),
  ];
  return wants.length === 0 ? proceed : look(state, state.key, { wants, wantsKeyRow, isGuarded });
}

async function look(
  state: CallState,
  key: CallKey,
  { wants, wantsKeyRow, isGuarded }: { readonly wants: readonly RowKey[]; readonly wantsKeyRow: boolean; readonly isGuarded: boolean },
): Promise<Verdict> {
  const { runtime, session } = state;
  // Another process may have stopped the session or revoked a role since this one looked, and a replay passes no gate that would notice.
  const watched = isShared(runtime.store) ? [session.rowKey, session.principalKey] : [];
  const rows = await runtime.store.read([...wants, ...watched]);
  const versions = rows.slice(wants.length).map((row) => row?.version ?? "absent");
  if (watched.length > 0 && (versions[0] !== session.rowVersion || versions[1] !== session.principalVersion))
    return { kind: "again", from: "identify" };
  state.keyRow = wantsKeyRow ? rows[0] : undefined;
  state.meaningRow = isGuarded ? rows[wants.length - 1] : undefined;
  const claim = state.keyRow?.body as unknown as KeyClaim | undefined;
  if (claim === undefined || claim.state === "free") return proceed;
  // A call that wakes finds its own claim waiting; where it no longer waits, another process woke the call as well and was first.
  if (claim.callId === state.callId && (claim.state === "pending" || state.approval === undefined)) return proceed;
  if (claim.requestDigest !== state.requestDigest)
    return stop("KEY_REUSED", "this idempotency key was used with other arguments; use a new key for a new call", { callId: claim.callId });
  return { kind: "stop", outcome: await standing(state, claim, key.row.key) };
}

/** Where an earlier call stands, for whoever asks again; from here on this call stands for that one. */
export async function standing(state: CallState, claim: Pick<KeyClaim, "callId" | "state">, keyRow: string): Promise<Outcome> {
  const { runtime, session } = state;
  state.standsFor = claim.callId;
  const { tenant } = session.principal;
  switch (claim.state) {
    case "running": {
      const running = claim.callId === state.callId ? undefined : runtime.running.get(claim.callId);
      if (running !== undefined) return await runtime.withinReplyDeadline(running, state);
      return await runtime.joinElsewhere(state, claim.callId, { space: "key", tenant, key: keyRow });
    }
    case "pending": {
      const approval = await runtime.approvalOfCall(tenant, claim.callId);
      return approval === undefined ? pendingExecution(claim.callId, 1_000) : pendingApproval(approval);
    }
    case "unknown":
      return await runtime.reconcile(tenant, keyRow);
    case "completed":
    case "failed":
    case "rejected":
    case "free":
      return await runtime.recordedOutcome(tenant, claim.callId);
  }
}
