import { canonicalJson } from "../../base/canonical-json.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { settleSessionBudget } from "../../budget/holds.ts";
import type { CallLetter } from "../../domain/dead-letter.ts";
import type { Json } from "../../domain/json.ts";
import { toolCallError, type ToolCallError } from "../../errors/tool-call-error.ts";
import { callSettled } from "../../ledger/entries.ts";
import { isShared } from "../../store/shared.ts";
import type { Operation, Row, Unit } from "../../store/store.ts";
import type { LetterResolution } from "../box/box.ts";
import { letterKey, letterOf } from "../dead-letters.ts";
import { meaningKey, type KeyClaim, type MeaningClaim } from "../keys.ts";
import type { Recovery } from "./recovery.ts";
import { stricter } from "../delegation.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import type { SealedValues } from "../../ledger/sealed-values.ts";
import type { LiveSession } from "../live-session.ts";

/**
 * Calls that ended `unknown` and that only a person can settle: their reply was lost, and their tool can neither be sent again nor looked up. The
 * person looks at the system itself and says whether it happened. That is an entry of its own in the call's trail; what was recorded before stays.
 */

/** What a person found out about an unknown call. */
export type UnknownResolution = LetterResolution & { readonly happened: boolean };

/** What the functions here work with. */
export interface UnknownParts {
  readonly runtime: Runtime;
  readonly sessions: Sessions;
  readonly recovery: Recovery;
}

/**
 * Settles an unknown call by what a person found out. It happened: completed, with an empty result that says so, and whoever asks again under its
 * key is answered the same. It did not: failed without an effect, and key and meaning are free for another attempt.
 *
 * @throws ToolCallError `NOT_FOUND` for a call that the tenant does not have, `REQUEST_INVALID` for one that is not unknown (any more), or that is
 * being looked into at this moment.
 */
export async function resolveUnknown(parts: UnknownParts, callId: string, resolution: UnknownResolution): Promise<void> {
  const work = parts.recovery.apart(callId, () => settle(parts, callId, resolution));
  if (work === undefined)
    throw toolCallError("REQUEST_INVALID", `the runtime is looking into \`${shown(callId)}\` at this moment; ask for its outcome`);
  await work;
}

async function settle(parts: UnknownParts, callId: string, resolution: UnknownResolution): Promise<void> {
  const { runtime } = parts;
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const row = await unknownRow(runtime, resolution.tenant, callId);
    if (!resolution.happened) refuseEarlyNo(runtime, claimOf(row));
    const result = await runtime.store.commit(await resolvingUnit(parts, row, resolution));
    // Refused: another process, or a call of the same meaning, changed a row meanwhile. What stands there now is looked at again.
    if (result.kind === "committed") return;
  }
  throw toolCallError("INTERNAL", "the call could not be settled: its claims keep changing; try again");
}

/** Nobody can know that it did not happen while the lost attempt may still arrive. */
function refuseEarlyNo({ clock, limits }: Runtime, { callId, deadlineMs }: KeyClaim): void {
  const waitMs = deadlineMs + limits.reconcileSettleMs - clock.now();
  if (waitMs <= 0) return;
  const message = `the lost attempt of \`${shown(callId)}\` may still arrive for ${Math.ceil(waitMs / 1_000)} s; look again after that`;
  throw toolCallError("REQUEST_INVALID", message, { retryAfterMs: waitMs });
}

/** The claim of an unknown call, from its letter. */
async function unknownRow(runtime: Runtime, tenant: string, callId: string): Promise<Row> {
  const [letter] = await runtime.store.read([letterKey(tenant, callId)]);
  const keyRow = letter === undefined ? undefined : (letterOf(letter) as CallLetter).keyRow;
  const [row] = keyRow === undefined ? [] : await runtime.store.read([{ space: "key", tenant, key: keyRow }]);
  const claim = row === undefined ? undefined : claimOf(row);
  if (row !== undefined && claim?.state === "unknown" && claim.callId === callId) return row;
  const [entry] = await runtime.store.entries({ tenant, callId, limit: 1 });
  throw entry === undefined && row === undefined ? absent(callId) : notUnknown(callId);
}

function absent(callId: string): ToolCallError {
  return toolCallError("NOT_FOUND", `no call \`${shown(callId)}\` here`);
}

function notUnknown(callId: string): ToolCallError {
  return toolCallError("REQUEST_INVALID", `\`${shown(callId)}\` is not unknown, so nothing is left to settle; ask for its outcome`);
}

async function resolvingUnit(parts: UnknownParts, row: Row, resolution: UnknownResolution): Promise<Unit> {
  const { runtime, sessions } = parts;
  const { tenant } = row;
  const claim = claimOf(row);
  const { happened, by } = resolution;
  const [session, [meaning]] = await Promise.all([
    sessions.find(claim.sessionId, tenant),
    runtime.store.read([meaningKey(tenant, claim.sessionId, claim.tool, claim.effectiveDigest)]),
  ]);
  const subject = session?.dataSubject;
  await runtime.vault.prepare(tenant, subject);
  const values = sealed(runtime, { tenant, callId: claim.callId, subject, resolution });
  const nowMs = runtime.clock.now();
  const operations: Operation[] = [keyOperation(runtime, row, happened), ...meaningOperations(runtime, { row, meaning, happened })];
  operations.push({ op: "delete", key: { space: "parked", tenant, key: claim.callId } });
  operations.push({ op: "delete", key: letterKey(tenant, claim.callId) });
  if (!happened) operations.push(...releasedCost(runtime, claim, session));
  const entry = callSettled({
    place: { tenant, callId: claim.callId, sessionId: claim.sessionId, atMs: nowMs },
    tool: claim.tool,
    version: claim.version,
    outcome: happened ? "completed" : "failed",
    effect: happened ? "applied" : "none",
    code: happened ? undefined : "TOOL_FAILED",
    attemptsCount: 0,
    durationMs: 0,
    asOfMs: happened ? nowMs : undefined,
    resolvedBy: by,
    values,
  });
  return { operations, entries: [entry] };
}

/** What the model reads, and the note of the person: it may tell of people, so it lies beside the entry and can be erased with the rest. */
function sealed(
  runtime: Runtime,
  {
    tenant,
    callId,
    subject,
    resolution,
  }: { readonly tenant: string; readonly callId: string; readonly subject: string | undefined; readonly resolution: UnknownResolution },
): SealedValues {
  const note = canonicalJson(resolution.note);
  const place = { tenant, kind: "call-settled", callId, subject };
  if (resolution.happened) {
    const notices = ["the reply was lost; a person has looked and found that it happened, so do not repeat it"];
    return runtime.vault.sealValues(place, { result: "null", words: canonicalJson({ notices }), note });
  }
  const message = "the reply was lost; a person has looked and found that it did not happen, so it may be called again";
  return runtime.vault.sealValues(place, { words: canonicalJson({ message, retry: "later" }), note });
}

function keyOperation({ clock, limits, store }: Runtime, row: Row, happened: boolean): Operation {
  const claim = claimOf(row);
  if (!claim.isAddressable || (!happened && !isShared(store))) return { op: "delete", key: row, expect: row.version };
  const nowMs = clock.now();
  const body: KeyClaim = { ...claim, state: happened ? "completed" : "free", deadlineMs: nowMs };
  return { op: "put", key: row, body: body as unknown as Json, expect: row.version, dueMs: nowMs + limits.keyRetentionMs };
}

/** The meaning may be another call's by now; then it is left alone. */
function meaningOperations(
  { clock, limits }: Runtime,
  { row, meaning, happened }: { readonly row: Row; readonly meaning: Row | undefined; readonly happened: boolean },
): readonly Operation[] {
  const noted = meaning?.body as unknown as MeaningClaim | undefined;
  if (meaning === undefined || noted?.callId !== claimOf(row).callId) return [];
  if (!happened) return [{ op: "delete", key: meaning, expect: meaning.version }];
  const nowMs = clock.now();
  const body: MeaningClaim = { ...noted, state: "completed", atMs: nowMs };
  return [{ op: "put", key: meaning, body: body as unknown as Json, expect: meaning.version, dueMs: nowMs + limits.duplicateWindowMs }];
}

function releasedCost(runtime: Runtime, { heldMicrosUsd }: KeyClaim, session: LiveSession | undefined): readonly Operation[] {
  return (session?.accounts ?? []).flatMap(({ counters, own }) => {
    const budget = stricter(runtime.policy.sessionBudget, own);
    return settleSessionBudget({ counters, budget, heldMicrosUsd, executionMs: 0, isCostReleased: true });
  });
}

function claimOf(row: Row): KeyClaim {
  return row.body as unknown as KeyClaim;
}

function shown(callId: string): string {
  return callId.slice(0, 60);
}
