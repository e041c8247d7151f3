/**
 * A person who changes the arguments of a call before it runs. What they wrote is checked like what a model writes: against the schema, and against the
 * policy for a call of their own. The call still belongs to the user who asked, for whom it is judged again when it wakes; so an edit needs both.
 */
import { leavesOf } from "../../approvals/card.ts";
import type { ArgumentEdit } from "../../approvals/approvals.ts";
import { approvalSummary } from "../../approvals/card.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Approval } from "../../domain/approval.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Credential, Principal } from "../../domain/principal.ts";
import type { RegisteredTool, Tool } from "../../domain/tool.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { OpenedValues } from "../../ledger/vault.ts";
import { meaningKey, type MeaningClaim } from "../keys.ts";
import type { Operation, Row } from "../../store/store.ts";
import { authorize } from "../authorize.ts";
import { parkedKind, type ParkedCall } from "../parked.ts";
import type { Runtime } from "../runtime.ts";
import { newState, noTurn } from "../state.ts";
import { ArgumentTexts } from "../argument-texts.ts";
import type { LiveSession } from "../live-session.ts";

/** An edit that may be made, and what the store has to be told for it. */
export interface PreparedEdit {
  readonly edit: ArgumentEdit;
  readonly operations: readonly Operation[];
}

/** The call as it is parked. */
export interface EditedCall {
  readonly runtime: Runtime;
  readonly session: LiveSession;
  readonly approval: Approval;
  readonly parkedRow: Row;
  readonly opened: OpenedValues;
}

/**
 * Checks an edit. `ARGUMENTS_INVALID` where the arguments do not fit the schema, `PERMISSION_DENIED` where the approver may not make this call
 * themself, `APPROVAL_INVALID` where the tool is gone or nothing was changed.
 */
export async function prepareEdit(call: EditedCall, args: JsonObject, credential: Credential): Promise<PreparedEdit> {
  const { runtime, session, approval, opened } = call;
  const found = runtime.registry.resolve(`${approval.tool}@${approval.version}`, () => true);
  if (found.kind !== "found" || found.registered.tool.fingerprint !== approval.toolFingerprint)
    throw toolCallError("APPROVAL_INVALID", "the tool's definition changed since the question was asked; reject it instead");
  const { registered } = found;
  const value = checkedArguments(runtime, registered.tool, args);
  await requireOwnRight(call, registered, { value, credential });
  const text = canonicalJson(value);
  const effectiveDigest = sha256Hex(text);
  if (effectiveDigest === approval.effectiveDigest)
    throw toolCallError("APPROVAL_INVALID", "these arguments are those that would run anyway; approve it");
  const before = (opened["arguments"]?.value ?? {}) as JsonObject;
  const edit = { effectiveDigest, summary: approvalSummary(registered.tool, value), pointers: changedPointers(before, value) };
  await runtime.vault.prepare(approval.tenant, session.dataSubject);
  return { edit, operations: [resealed(call, text), ...(await freedMeaning(call))] };
}

function checkedArguments(runtime: Runtime, tool: Tool, args: JsonObject): JsonObject {
  const size = Buffer.byteLength(canonicalJson(args));
  if (size > runtime.limits.argumentsBytesMax)
    throw toolCallError("ARGUMENTS_INVALID", `the arguments are ${size} bytes long; at most ${runtime.limits.argumentsBytesMax} are taken`);
  const checked = runtime.validateArguments(tool, args);
  if (checked.kind === "valid") return checked.value;
  throw toolCallError("ARGUMENTS_INVALID", `the changed arguments do not fit the schema of \`${tool.name}\``, { fields: checked.problems });
}

async function requireOwnRight(
  { runtime, session, approval }: EditedCall,
  registered: RegisteredTool,
  { value, credential }: { readonly value: JsonObject; readonly credential: Credential },
): Promise<void> {
  const principal = await personOf(runtime, credential);
  const { tool } = registered;
  const state = newState({
    runtime,
    session: actingSession(session, principal),
    turn: noTurn,
    call: { id: approval.callId, hasProviderId: false, name: tool.name, raw: "", arguments: { kind: "parsed", value }, echo: null },
    callId: approval.callId,
  });
  state.registered = registered;
  state.args = value;
  state.texts = new ArgumentTexts(value);
  const verdict = await authorize(state);
  if (verdict.kind !== "proceed") throw notTheirs(tool);
  if (state.narrowing !== undefined)
    throw toolCallError("APPROVAL_INVALID", "a rule of the policy would narrow these arguments; write those that may run");
}

function notTheirs(tool: Tool): Error {
  return toolCallError(
    "PERMISSION_DENIED",
    `only who may call \`${tool.name}\` with these arguments themself may change them; approve or reject it as it is`,
  );
}

async function personOf(runtime: Runtime, credential: Credential): Promise<Principal> {
  const { person, tenant } = credential;
  if (person === undefined)
    throw toolCallError(
      "PERMISSION_DENIED",
      "nobody knows which roles the person behind this credential holds, so it may not change arguments; name them with `person:`",
    );
  const [row] = await runtime.store.read([{ space: "principal", tenant, key: person.user }]);
  const revoked = (row?.body as unknown as { readonly revoked: readonly string[] } | undefined)?.revoked ?? [];
  return { tenant, user: person.user, roles: person.roles.filter((role) => !revoked.includes(role)), attributes: person.attributes };
}

/** The same conversation, as if another person were behind it. Only ever decided with, never carried out. */
function actingSession(session: LiveSession, principal: Principal): LiveSession {
  return {
    id: session.id,
    credentialId: session.credentialId,
    wordsAttested: false,
    conversationId: session.conversationId,
    createdAtMs: session.createdAtMs,
    isShared: session.isShared,
    principal,
    revokedRoles: [],
    stopped: session.stopped,
    throttleKey: session.throttleKey,
    dataSubject: session.dataSubject,
    rowKey: session.rowKey,
    rowVersion: session.rowVersion,
    principalKey: session.principalKey,
    principalVersion: session.principalVersion,
    counters: session.counters,
    accounts: session.accounts,
    ancestorIds: session.ancestorIds,
    lineage: session.lineage,
    isReadOnly: session.isReadOnly,
    switches: session.switches,
    plans: [],
    withPlan: (id) => session.withPlan(id),
    mayUse: () => true,
    refresh: () => session.refresh(),
    stop: (reason) => session.stop(reason),
  };
}

/** Names of what differs, at most `shownPathsMax`; whole where a list or object grew or shrank. */
function changedPointers(before: JsonObject, after: JsonObject): readonly string[] {
  const left = new Map(leavesOf(before, {}, true).map(({ pointer, value }) => [pointer, JSON.stringify(value)]));
  const right = new Map(leavesOf(after, {}, true).map(({ pointer, value }) => [pointer, JSON.stringify(value)]));
  const pointers = [...new Set([...left.keys(), ...right.keys()])];
  return pointers.filter((pointer) => left.get(pointer) !== right.get(pointer)).slice(0, fixedBounds.shownPathsMax);
}

function resealed({ runtime, session, approval, parkedRow, opened }: EditedCall, text: string): Operation {
  const { tenant, callId } = approval;
  const textOf = (name: string): string | undefined => (opened[name] === undefined ? undefined : canonicalJson(opened[name].value));
  const values = runtime.vault.sealValues(
    { tenant, kind: parkedKind, callId, subject: session.dataSubject },
    { arguments: text, said: textOf("said"), reasoning: textOf("reasoning") },
  );
  const parked: ParkedCall = { ...(parkedRow.body as unknown as ParkedCall), sealed: Buffer.from(values.sealed).toString("base64") };
  return { op: "put", key: parkedRow, body: parked as unknown as Json, expect: parkedRow.version };
}

/** The call no longer means what it meant: who makes the call of before is asked about that anew. The gate claims the new meaning. */
async function freedMeaning({ runtime, approval }: EditedCall): Promise<readonly Operation[]> {
  const key = meaningKey(approval.tenant, approval.sessionId, approval.tool, approval.effectiveDigest);
  const [row] = await runtime.store.read([key]);
  const claim = row?.body as unknown as MeaningClaim | undefined;
  return claim?.callId === approval.callId ? [{ op: "delete", key, expect: (row as Row).version }] : [];
}
