import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Limits } from "../../base/limits.ts";
import type { Json } from "../../domain/json.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { sessionOpened } from "../../ledger/session-entries.ts";
import type { EntryDraft, Row, RowKey, Store } from "../../store/store.ts";
import { delegationOf, newToken, tokenKey, type Delegation } from "../delegation.ts";
import type { Live, SessionParts } from "./live-session.ts";
import { sessionKey, type SessionBody } from "./session-row.ts";
import type { DelegationOptions } from "../box/box-session.ts";

/** Makes a session below another one. What changes above it meanwhile is looked at again, so that nothing is handed down that was just taken. */
export async function writeBelow(
  parts: SessionParts,
  from: Live,
  options: DelegationOptions,
): Promise<{ readonly row: Row; readonly token: string }> {
  await checkCall(parts.store, from, options, parts.limits);
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const made = await writeDelegated(parts, from, options);
    if (made !== undefined) return made;
    await from.refresh();
  }
  throw toolCallError("INTERNAL", "nothing could be delegated: the session's record keeps changing; try again");
}

/** The session that a token was made for, as long as that is kept. */
export async function sessionOfToken(
  store: Store,
  token: string,
): Promise<{ readonly tenant: string; readonly sessionId: string } | undefined> {
  const key = tokenKey(token);
  const [row] = key === undefined ? [] : await store.read([key]);
  return row?.body as unknown as { readonly tenant: string; readonly sessionId: string } | undefined;
}

/** Writes a session below `from`, with its token; undefined where something above it changed meanwhile. */
async function writeDelegated(
  parts: SessionParts,
  from: Live,
  options: DelegationOptions,
): Promise<{ readonly row: Row; readonly token: string } | undefined> {
  const { store, clock, random, limits, ids } = parts;
  if (from.stopped !== undefined) throw toolCallError("SESSION_STOPPED", `this session was stopped: ${from.stopped.reason}`);
  const nowMs = clock.now();
  const delegation = delegationOf(from, options, { limits, nowMs });
  const { tenant } = from.principal;
  const body = from.bodyBelow(options, delegation, nowMs);
  const [conversation] = delegation.ancestors as readonly [string];
  const key = sessionKey(tenant, `${conversation}.${ids.next("ses").slice("ses_".length)}`);
  const token = newToken(random);
  const counter = { space: "delegations", tenant, key: conversation };
  const result = await store.commit({
    operations: [
      { op: "expect", key: from.rowKey, version: from.rowVersion },
      { op: "expect", key: from.principalKey, version: from.principalVersion },
      ...from.lineage,
      { op: "put", key, body: body as unknown as Json, expect: "absent" },
      { op: "put", key: tokenKey(token) as RowKey, body: { tenant, sessionId: key.key }, expect: "absent", dueMs: delegation.expiresAtMs },
      { op: "add", key: counter, delta: 1, max: limits.delegationsMax },
    ],
    entries: [delegatedEntry(from, { ...key, body }, options, delegation)],
  });
  if (result.kind === "refused" && result.reason === "counter")
    throw toolCallError("BUDGET_EXCEEDED", `a conversation delegates at most ${limits.delegationsMax} times`);
  return result.kind === "refused" ? undefined : { row: { ...key, version: 1, body: body as unknown as Json }, token };
}

function delegatedEntry(
  from: Live,
  made: { readonly tenant: string; readonly key: string; readonly body: SessionBody },
  options: DelegationOptions,
  { budget, expiresAtMs }: Delegation,
): EntryDraft {
  const { user, roles, credentialId, conversationId, wordsAttested, createdAtMs } = made.body;
  return sessionOpened({
    place: { tenant: made.tenant, sessionId: made.key, atMs: createdAtMs },
    user,
    roles,
    credentialId,
    conversationId: conversationId ?? undefined,
    wordsAttested,
    delegated: { parentSessionId: from.id, parentCallId: options.callId, tools: options.tools, ...budget, expiresAtMs },
  });
}

/** The call that a delegation belongs to is one of the session above. */
async function checkCall(
  store: Store,
  { id, principal }: Pick<Live, "id" | "principal">,
  { callId, conversationId }: DelegationOptions,
  limits: Limits,
): Promise<void> {
  if (conversationId !== undefined && (typeof (conversationId as unknown) !== "string" || conversationId.length > limits.principalCharsMax))
    throw toolCallError("REQUEST_INVALID", `\`conversationId\` is text of at most ${limits.principalCharsMax} characters`);
  if (callId === undefined) return;
  const [entry] = await store.entries({ tenant: principal.tenant, callId, limit: 1 });
  if (entry?.sessionId !== id) throw toolCallError("REQUEST_INVALID", "`callId` of a delegation is no call of this session");
}
