import { canonicalJson } from "../../base/canonical-json.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { CallBody } from "../../ledger/entries.ts";
import type { Row } from "../../store/store.ts";
import { ArgumentTexts } from "../argument-texts.ts";
import type { KeyClaim } from "../keys.ts";
import type { Runtime, CallState } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import { newState, noTurn } from "../state.ts";

/**
 * A call as it stood when it passed the gate, from its claim and its intent in the ledger. Undefined where it cannot be had any more: its tool or
 * session is gone, or its arguments were erased.
 */
export async function rebuildCall(
  runtime: Runtime,
  sessions: Sessions,
  { row, claim }: { readonly row: Row; readonly claim: KeyClaim },
): Promise<CallState | undefined> {
  const { tenant } = row;
  const [entry] = await runtime.store.entries({ tenant, callId: claim.callId, kind: "call-intended", limit: 1 });
  const session = await sessions.find(claim.sessionId, tenant);
  const found = runtime.registry.resolve(`${claim.tool}@${claim.version}`, () => true);
  if (entry === undefined || session === undefined || found.kind !== "found") return undefined;
  await session.refresh();
  await runtime.vault.prepare(tenant, session.dataSubject);
  const args = (await runtime.vault.openValues(entry))?.["arguments"]?.value as JsonObject | undefined;
  if (args === undefined) return undefined;
  const { body } = parseOwnJson(entry.text) as { readonly body: CallBody };
  const { providerCallId, turnId, traceId, model } = body;
  const text = canonicalJson(args);
  const state = newState({
    runtime,
    session,
    turn: { ...noTurn, id: turnId, traceId, model },
    call: {
      id: providerCallId ?? claim.callId,
      hasProviderId: providerCallId !== undefined,
      name: `${claim.tool}@${claim.version}`,
      raw: text,
      arguments: { kind: "parsed", value: args },
      echo: null,
    },
    callId: claim.callId,
  });
  const { requestDigest, effectiveDigest, isAddressable, upstream } = claim;
  state.registered = found.registered;
  state.args = args;
  state.texts = new ArgumentTexts(args, { text, requestDigest, effectiveDigest });
  const narrowed = body.decision?.narrowed;
  if (narrowed !== undefined) state.narrowing = { changes: narrowed, before: undefined };
  state.key = { text: body.key ?? claim.callId, isAddressable, row: { space: row.space, tenant, key: row.key }, upstream };
  state.heldMicrosUsd = claim.heldMicrosUsd;
  state.isClaimed = true;
  state.claimVersion = row.version;
  state.isRecovered = true;
  return state;
}
