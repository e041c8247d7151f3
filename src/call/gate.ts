import { approvalKey } from "../approvals/approvals.ts";
import { budgetRefusal, claimSessionBudget } from "../budget/holds.ts";
import type { Json } from "../domain/json.ts";
import { ToolCallError, toolCallError } from "../errors/tool-call-error.ts";
import { keptKey } from "../store/row-key.ts";
import type { CommitResult, Operation, RowKey } from "../store/store.ts";
import { deferralOver } from "./deferral-rows.ts";
import { stricter } from "./delegation.ts";
import { historyClaims } from "./history.ts";
import { stop, stopWith } from "./endings.ts";
import { meaningKey, type KeyClaim, type KeyState, type MeaningClaim } from "./keys.ts";
import { stepClaims } from "./plan-fit.ts";
import { intendedEntry, prepareVault } from "./record.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** What a claim of the gate guards, so that a refusal can be explained. */
type Guard = "deferral" | "session" | "principal" | "key" | "meaning" | "approval" | "widening" | "plan" | "budget" | "history" | "none";

/** Operations of one gate, each with what it guards. */
export interface Claims {
  readonly operations: Operation[];
  readonly guards: Guard[];
}

/**
 * GATE: one transaction claims everything the call needs and writes its intent: session still open, no role revoked, key, meaning, approval, budget.
 * If any part fails nothing is claimed and nothing is executed. A pure read claims without waiting for the disk.
 */
export function gate(state: CallState): Verdict | Promise<Verdict> {
  if (state.set !== undefined) return state.set.gate(state);
  const claims = gateClaims(state);
  try {
    const result = claim(state, claims);
    return result instanceof Promise
      ? result.then(
          (decided) => claimed(state, claims, decided),
          (cause: unknown) => stopWith(unrecordedIntent(cause)),
        )
      : claimed(state, claims, result);
  } catch (cause) {
    return stopWith(unrecordedIntent(cause));
  }
}

/** Everything that a call claims, in the order in which it is claimed; its intent goes with it. */
export function gateClaims(state: CallState): Claims {
  const { registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const claims: Claims = { operations: [], guards: [] };
  // Before the key: its claim says what is held, for whoever has to settle it if this process dies.
  state.heldMicrosUsd = state.parent === undefined ? tool.costMicrosUsd : 0;
  claimIdentity(state, claims);
  if (tool.tier !== "read" || state.key?.isAddressable === true) claimKey(state, claims);
  // A read that waited held a key that nobody can ask for; it is not needed any more.
  else if (state.keyRow !== undefined) push(claims, "key", { op: "delete", key: state.keyRow, expect: state.keyRow.version });
  if (state.deferral !== undefined) for (const operation of deferralOver(state.deferral)) push(claims, "deferral", operation);
  if (state.approval !== undefined) claimApproval(state, claims);
  if (state.widening !== undefined) push(claims, "widening", { op: "expect", ...state.widening });
  if (state.step !== undefined) for (const operation of stepClaims(state.step)) push(claims, "plan", operation);
  claimBudget(state, claims);
  for (const operation of historyClaims(state)) push(claims, "history", operation);
  return claims;
}

function claim(state: CallState, { operations }: Claims): CommitResult | Promise<CommitResult> {
  const { runtime, registered } = state;
  const wait = registered?.tool.tier === "read" ? "claimed" : "durable";
  const commit = (): CommitResult | Promise<CommitResult> => runtime.store.commit({ operations, entries: [intendedEntry(state)], wait });
  const waiting = prepareVault(state);
  return waiting === undefined ? commit() : waiting.then(commit);
}

function claimed(state: CallState, claims: Claims, result: CommitResult): Verdict {
  return result.kind === "refused" ? explainRefusal(state, claims, result.index) : passGate(state, claims);
}

/** The claims hold and the intent is written: from here on the call is settled, whatever happens. */
export function passGate(state: CallState, { guards }: Claims): Verdict {
  state.isClaimed = true;
  if (guards.includes("key")) state.claimVersion = (state.keyRow?.version ?? 0) + 1;
  return proceed;
}

/**
 * Nothing was sent. Where the store cannot even say whether the intent was written, recovery may still find it and carry it out, so the caller is
 * not told that nothing will happen.
 */
export function unrecordedIntent(cause: unknown): ToolCallError {
  if (cause instanceof ToolCallError && cause.effect === "unknown")
    return toolCallError(
      "LEDGER_UNAVAILABLE",
      "nobody can say yet whether the intent was recorded; ask again under the same key, not a new one",
      {
        effect: "unknown",
        isSafeToResend: true,
        cause,
      },
    );
  return toolCallError("LEDGER_UNAVAILABLE", "the intent could not be recorded, so nothing was done; try again later", { cause });
}

function push(claims: Claims, guard: Guard, operation: Operation): void {
  claims.operations.push(operation);
  claims.guards.push(guard);
}

function claimIdentity(state: CallState, claims: Claims): void {
  const { session } = state;
  push(claims, "session", { op: "expect", key: session.rowKey, version: session.rowVersion });
  for (const operation of session.lineage) push(claims, "session", operation);
  if (state.registered?.tool.tier !== "read") for (const operation of session.switches) push(claims, "session", operation);
  push(claims, "principal", { op: "expect", key: session.principalKey, version: session.principalVersion });
}

/** Row of the key as it stands while the call runs or waits. */
export function keyClaim(
  state: CallState,
  keyState: KeyState,
  extra: { readonly approvalId?: string | undefined; readonly deadlineMs: number },
): KeyClaim {
  const { registered, key, session } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  // A call that wakes was repaired before it was parked; its key stays bound to the arguments as they were sent.
  const own = state.keyRow?.body as unknown as KeyClaim | undefined;
  return {
    callId: state.callId,
    sessionId: session.id,
    tool: tool.name,
    version: tool.version,
    state: keyState,
    requestDigest: own?.callId === state.callId ? own.requestDigest : state.requestDigest,
    effectiveDigest: state.effectiveDigest,
    upstream: (key as NonNullable<typeof key>).upstream,
    isAddressable: (key as NonNullable<typeof key>).isAddressable,
    approvalId: extra.approvalId ?? null,
    heldMicrosUsd: state.heldMicrosUsd,
    deadlineMs: extra.deadlineMs,
  };
}

/** Row of the meaning beside it. */
export function meaningClaim(state: CallState, keyState: KeyState): MeaningClaim {
  return {
    callId: state.callId,
    state: keyState,
    key: (state.key as NonNullable<typeof state.key>).row.key,
    atMs: state.runtime.clock.now(),
  };
}

/** Where this call's meaning is noted; undefined for calls that the duplicate guard does not watch. */
export function meaningRowKey(state: CallState): RowKey | undefined {
  const { registered, session, meaning } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (tool.tier === "read" || tool.isRepeatable) return undefined;
  // Asked for here and not before: of a plain read nobody works it out.
  const { effectiveDigest } = state;
  if (meaning?.digest === effectiveDigest && meaning.tool === tool.name) return meaning.row;
  const row = keptKey(meaningKey(session.principal.tenant, session.id, tool.name, effectiveDigest));
  state.meaning = { tool: tool.name, digest: effectiveDigest, row };
  return row;
}

function claimKey(state: CallState, claims: Claims): void {
  const { registered, key, runtime } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const deadlineMs = runtime.clock.now() + tool.timeouts.executeMs;
  state.claimDeadlineMs = deadlineMs;
  const { row, isAddressable } = key as NonNullable<typeof key>;
  const put = { op: "put", key: row, body: keyClaim(state, "running", { deadlineMs }) as unknown as Json, dueMs: deadlineMs } as const;
  // Of a call that never waited, a key that nobody could ask for again is the id that the call was given a moment ago.
  const isMinted = !isAddressable && state.keyRow === undefined && state.waitingSinceMs === undefined;
  push(claims, "key", { ...put, expect: state.keyRow?.version ?? "absent", isMinted });
  const meaning = meaningRowKey(state);
  if (meaning !== undefined) {
    push(claims, "meaning", {
      op: "put",
      key: meaning,
      body: meaningClaim(state, "running") as unknown as Json,
      expect: state.meaningRow?.version ?? "absent",
      dueMs: deadlineMs + runtime.limits.duplicateWindowMs,
    });
  }
}

function claimApproval(state: CallState, claims: Claims): void {
  const { approval, version } = state.approval as NonNullable<CallState["approval"]>;
  push(claims, "approval", {
    op: "put",
    key: approvalKey(approval.tenant, approval.id),
    body: { ...approval, state: "used" } as unknown as Json,
    expect: version,
  });
}

function claimBudget(state: CallState, claims: Claims): void {
  if (state.parent !== undefined) return;
  const { session, registered, runtime } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  for (const { counters, own } of session.accounts) {
    const budget = stricter(runtime.policy.sessionBudget, own);
    const claim = claimSessionBudget({ counters, budget, costMicrosUsd: tool.costMicrosUsd });
    state.heldMicrosUsd = claim.heldMicrosUsd;
    for (const operation of claim.operations) push(claims, "budget", operation);
  }
}

/** What follows for a call from the claim at `index` that did not hold. */
export function explainRefusal(state: CallState, { operations, guards }: Claims, index: number): Verdict {
  const operation = operations[index] as Operation;
  switch (guards[index] as Guard) {
    case "session":
    case "principal":
    case "history":
    case "widening":
      return { kind: "again", from: "identify" };
    case "plan":
      // Each of a set has room for itself; looking again would find it again.
      if (state.set !== undefined && operation.op === "add")
        return stop("BUDGET_EXCEEDED", "together these calls are more than their step of the approved plan foresees; make them one by one");
      return { kind: "again", from: "identify" };
    case "key":
    case "meaning":
    case "deferral":
      return { kind: "again", from: "replay" };
    case "approval":
      return stop("APPROVAL_INVALID", "the approval was used or withdrawn meanwhile", {
        ...(state.approval !== undefined && { approvalId: state.approval.approval.id }),
      });
    case "budget": {
      const { accounts } = state.session;
      const own = accounts.find(({ counters }) => Object.values(counters).some(({ key }) => key === operation.key.key))?.own ?? {};
      const refusal = budgetRefusal(operation.key.key, stricter(state.runtime.policy.sessionBudget, own));
      return stop("BUDGET_EXCEEDED", refusal.message, refusal.parts);
    }
    case "none":
      return stop("INTERNAL", "something failed inside Signalbox; this is not a fault of your call");
  }
}
