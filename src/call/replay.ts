import type { Outcome } from "../domain/outcome.ts";
import { pendingExecution, stop } from "./endings.ts";
import { isShared } from "../store/shared.ts";
import type { RowKey } from "../store/store.ts";
import { meaningRowKey } from "./gate.ts";
import { deriveKey, type CallKey, type KeyClaim } from "./keys.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { LiveSession } from "./live-session.ts";
import type { CallState } from "./runtime.ts";

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
  const meaning = meaningRowKey(state);
  const isGuarded = meaning !== undefined;
  // A parked call that wakes finds its own claim, also under a key that nobody else could ask for.
  const wantsKeyRow = state.key.isAddressable || state.waitingSinceMs !== undefined;
  const wants = [...(wantsKeyRow ? [state.key.row] : []), ...(isGuarded ? [meaning] : [])];
  if (wants.length === 0) return proceed;
  const look = (): Promise<Verdict> => lookUp(state, state.key as CallKey, { wants, wantsKeyRow, isGuarded });
  if (!mayAssumeNew(state, wants)) return look();
  const { rowVersion, principalVersion } = session;
  // The session may have been read again meanwhile, by a call inside this one: then what was decided before rests on what is no longer so.
  const isSame = (): boolean => session.rowVersion === rowVersion && session.principalVersion === principalVersion;
  state.lookLater = () => (isSame() ? look() : Promise.resolve({ kind: "again", from: "identify" }));
  return proceed;
}

/**
 * Where looking is a round trip, a call whose key nobody chose for asking again is taken for a new one until the gate, which claims key and meaning as absent
 * and so finds out. Whatever else such a call would be told is said only after having looked: see `lookAfterAll`.
 */
function mayAssumeNew({ runtime, call, waitingSinceMs, againCount }: CallState, wants: readonly RowKey[]): boolean {
  const { store } = runtime;
  if (store.recalls === undefined || call.key !== undefined || waitingSinceMs !== undefined || againCount > 0) return false;
  return !wants.some((key) => store.recalls?.(key) === true);
}

/** Looks for an earlier call where that was put off; one that is found is heard first, so that this one is judged again. */
export async function lookAfterAll(state: CallState): Promise<Verdict> {
  const { lookLater } = state;
  state.lookLater = undefined;
  const verdict = (await lookLater?.()) ?? proceed;
  if (verdict.kind !== "proceed") return verdict;
  return state.keyRow === undefined && state.meaningRow === undefined ? proceed : { kind: "again", from: "replay" };
}

async function lookUp(
  state: CallState,
  key: CallKey,
  { wants, wantsKeyRow, isGuarded }: { readonly wants: readonly RowKey[]; readonly wantsKeyRow: boolean; readonly isGuarded: boolean },
): Promise<Verdict> {
  const { runtime, session } = state;
  // Another process may have stopped the session or revoked a role since this one looked, and a replay passes no gate that would notice.
  const watched = isShared(runtime.store) ? watchedOf(session) : [];
  const rows = await runtime.store.read([...wants, ...watched.map(({ key: row }) => row)]);
  if (watched.some(({ version }, index) => (rows[wants.length + index]?.version ?? "absent") !== version))
    return { kind: "again", from: "identify" };
  state.keyRow = wantsKeyRow ? rows[0] : undefined;
  state.meaningRow = isGuarded ? rows[wants.length - 1] : undefined;
  const claim = state.keyRow?.body as unknown as KeyClaim | undefined;
  if (claim === undefined || claim.state === "free") return proceed;
  // A call that wakes finds its own claim waiting; where it no longer waits, another process woke the call as well and was first.
  if (claim.callId === state.callId && (claim.state === "pending" || state.waitingSinceMs === undefined)) return proceed;
  if (claim.requestDigest !== state.requestDigest)
    return stop("KEY_REUSED", "this idempotency key was used with other arguments; use a new key for a new call", { callId: claim.callId });
  const outcome = await standing(state, claim, key.row.key);
  // The same user may ask again from another session, which reads it then for the first time.
  const { tool } = state.registered as NonNullable<typeof state.registered>;
  if (claim.sessionId !== session.id) await runtime.flow.noteGiven({ session, callId: claim.callId, tool }, outcome);
  return { kind: "stop", outcome };
}

function watchedOf({ rowKey, rowVersion, principalKey, principalVersion, lineage }: LiveSession): LiveSession["lineage"] {
  const own = { op: "expect", key: rowKey, version: rowVersion } as const;
  return [own, { op: "expect", key: principalKey, version: principalVersion }, ...lineage];
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
      return (await runtime.waitingOutcome(tenant, claim.callId)) ?? pendingExecution(claim.callId, 1_000);
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
