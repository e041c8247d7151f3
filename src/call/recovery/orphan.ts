import { canonicalJson } from "../../base/canonical-json.ts";
import type { Json } from "../../domain/json.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { CallLetter } from "../../domain/dead-letter.ts";
import { callSettled, type CallBody } from "../../ledger/entries.ts";
import type { Row, Unit } from "../../store/store.ts";
import { putLetter } from "../dead-letters.ts";
import { meaningKey, type KeyClaim, type MeaningClaim } from "../keys.ts";
import type { Runtime } from "../runtime.ts";

/**
 * Settles a claimed call of which nothing but its claim is left (its tool or session is gone, or its arguments were erased): unknown, for a person
 * to look at, since an effect may have happened. The claim stays, so that its key is not used again.
 */
export async function orphanUnit(runtime: Runtime, row: Row, claim: KeyClaim): Promise<Unit> {
  const { clock, limits, vault } = runtime;
  const { tenant } = row;
  const { callId, sessionId, tool, version } = claim;
  const nowMs = clock.now();
  runtime.letterTenants.add(tenant);
  const message = `the reply of \`${tool}\` was lost, and the call cannot be looked into any more; do not repeat it, a person has to look`;
  await vault.prepare(tenant);
  const values = vault.sealValues({ tenant, kind: "call-settled", callId }, { words: canonicalJson({ message, retry: "never" }) });
  const meaning: MeaningClaim = { callId, state: "unknown", key: row.key, atMs: nowMs };
  const dueMs = nowMs + limits.keyRetentionMs;
  return {
    operations: [
      { op: "put", key: row, body: { ...claim, state: "unknown" } as unknown as Json, expect: row.version, dueMs },
      { op: "put", key: meaningKey(tenant, sessionId, tool, claim.effectiveDigest), body: meaning as unknown as Json, dueMs },
      { op: "delete", key: { space: "parked", tenant, key: callId } },
      putLetter(await orphanLetter(runtime, row, claim), limits.deadLetterKeepMs),
    ],
    entries: [
      callSettled({
        place: { tenant, callId, sessionId, atMs: nowMs },
        tool,
        version,
        outcome: "unknown",
        effect: "unknown",
        code: "OUTCOME_UNKNOWN",
        attemptsCount: 0,
        durationMs: 0,
        isRecovered: true,
        values,
      }),
    ],
  };
}

async function orphanLetter({ clock, store }: Runtime, { tenant, key }: Row, claim: KeyClaim): Promise<CallLetter> {
  const { callId, sessionId, tool, version } = claim;
  const [intent] = await store.entries({ tenant, callId, kind: "call-intended", limit: 1 });
  const user = intent === undefined ? "" : (parseOwnJson(intent.text) as { readonly body: CallBody }).body.user;
  const sinceMs = clock.now();
  return {
    id: callId,
    kind: "unknown",
    tenant,
    sessionId,
    tool,
    version,
    user,
    keyRow: key,
    code: "OUTCOME_UNKNOWN",
    effect: "unknown",
    attemptsCount: 0,
    sinceMs,
  };
}
