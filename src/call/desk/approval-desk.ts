import { answerApproval, approvalKey, isWidened, pendingCounter, type ArgumentEdit } from "../../approvals/approvals.ts";
import { cleanForPeople } from "../../approvals/card.ts";
import { boundOf, wideningKey, type Widening } from "../../approvals/widening.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Approval } from "../../domain/approval.ts";
import type { ApprovalCard } from "../../domain/approval-card.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { approvalClosed, approvalDecided, callDenied } from "../../ledger/entries.ts";
import type { OpenedValues } from "../../ledger/vault.ts";
import type { EntryDraft, Operation, Row } from "../../store/store.ts";
import { readCard } from "./approval-cards.ts";
import type { ApprovalDecision, Signalbox } from "../box/box.ts";
import { prepareEdit, type PreparedEdit } from "./edit-approval.ts";
import { parkedKind, type ParkedCall } from "../parked.ts";
import { releaseOperations } from "../release.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Waking } from "./waking.ts";

/** What people do at the desk: the facade's own promise. */
type Answering = Omit<Signalbox["approvals"], "groups" | "decideGroup">;

/** Where people answer, and where answered calls wake. */
export interface ApprovalDesk extends Answering {
  /** Wakes what was approved and not yet run, and closes what nobody answered in time. Begins nothing more once `signal` is aborted. */
  sweep(nowMs: number, signal: AbortSignal): Promise<{ readonly resumed: number; readonly expired: number }>;
  ofCall(tenant: string, callId: string): Promise<Approval | undefined>;
}

/** The desk of one box. */
export function createApprovalDesk(runtime: Runtime, sessions: Sessions, waking: Waking): ApprovalDesk {
  return new Desk(runtime, sessions, waking);
}

class Desk implements ApprovalDesk {
  readonly #runtime: Runtime;
  readonly #sessions: Sessions;
  readonly #waking: Waking;

  constructor(runtime: Runtime, sessions: Sessions, waking: Waking) {
    this.#runtime = runtime;
    this.#sessions = sessions;
    this.#waking = waking;
  }

  async list(query: Parameters<ApprovalDesk["list"]>[0]): Promise<readonly Approval[]> {
    const { tenant, state, after, limit } = query;
    const pageRows = this.#runtime.limits.pageRowsMax;
    const found: Approval[] = [];
    let from = after;
    while (found.length < limit) {
      const rows = await this.#runtime.store.scan({
        space: "approval",
        tenant,
        limit: pageRows,
        ...(from !== undefined && { after: from }),
      });
      for (const row of rows) {
        const approval = approvalOf(row);
        if ((state === undefined || approval.state === state) && found.length < limit) found.push(approval);
      }
      if (rows.length < pageRows) break;
      from = rows.at(-1)?.key;
    }
    return found;
  }

  async get(id: string, tenant: string): Promise<Approval> {
    return approvalOf(await this.#row(id, tenant));
  }

  async arguments(id: string, tenant: string): Promise<JsonObject | undefined> {
    const approval = await this.get(id, tenant);
    const parked = await this.#parked(tenant, approval.callId);
    const opened = parked === undefined ? undefined : await this.#open(approval, parked);
    return opened?.["arguments"]?.value as JsonObject | undefined;
  }

  async card(id: string, tenant: string): Promise<ApprovalCard> {
    const approval = await this.get(id, tenant);
    const parked = await this.#parked(tenant, approval.callId);
    const opened = parked === undefined ? undefined : await this.#open(approval, parked);
    return await readCard({ runtime: this.#runtime, sessions: this.#sessions }, approval, opened);
  }

  async decide(id: string, decision: ApprovalDecision, credential: Credential): ReturnType<ApprovalDesk["decide"]> {
    const { clock, limits, store } = this.#runtime;
    requireWords(decision, limits);
    for (let race = 0; race < fixedBounds.racesMax; race += 1) {
      const row = await this.#row(id, credential.tenant);
      const nowMs = clock.now();
      const { approve, by, reason, digest, widen: widens } = decision;
      const attempt = { credential, by, approve, reason, digest, widens, nowMs, freshAuthenticationMs: limits.freshAuthenticationMs };
      // First as if the edit were sound: who may not answer learns nothing of what it would be refused for.
      const first = answerApproval(approvalOf(row), { ...attempt, edit: decision.arguments === undefined ? undefined : soundEdit });
      if (first.kind === "refused") throw first.error;
      const prepared = await this.#edit(approvalOf(row), decision, credential);
      const answered = prepared === undefined ? first : answerApproval(approvalOf(row), { ...attempt, edit: prepared.edit });
      if (answered.kind === "refused") throw answered.error;
      const approval = withGrant(answered.approval, nowMs, limits.approvalGrantMs);
      const result = await store.commit({
        operations: [
          ...(await decisionOperations(this.#runtime, row, approval)),
          ...(prepared?.operations ?? []),
          ...(await this.#widen(approval, decision)),
        ],
        entries: decisionEntries(approval, credential, decision, { nowMs, limits }),
      });
      if (result.kind === "refused") continue;
      const answer = await this.#wake(approval, row.version + 1);
      return { approval: await this.get(id, credential.tenant), answer };
    }
    throw toolCallError("APPROVAL_INVALID", "this approval keeps changing; look at it again");
  }

  sweep(nowMs: number, signal: AbortSignal): ReturnType<ApprovalDesk["sweep"]> {
    const wake = (row: Row): Promise<Answer | undefined> => this.#wake(approvalOf(row), row.version);
    return this.#waking.sweep({ space: "approval", nowMs, signal }, { wake, expire: (row) => this.#expire(row) });
  }

  async ofCall(tenant: string, callId: string): Promise<Approval | undefined> {
    const parked = await this.#parked(tenant, callId);
    if (parked?.approvalId === undefined) return undefined;
    const [row] = await this.#runtime.store.read([approvalKey(tenant, parked.approvalId)]);
    return row === undefined ? undefined : approvalOf(row);
  }

  async #row(id: string, tenant: string): Promise<Row> {
    const [row] = await this.#runtime.store.read([approvalKey(tenant, id)]);
    if (row === undefined) throw toolCallError("NOT_FOUND", `no approval \`${id.slice(0, 60)}\` here`);
    return row;
  }

  async #parked(tenant: string, callId: string): Promise<ParkedCall | undefined> {
    const [row] = await this.#runtime.store.read([{ space: "parked", tenant, key: callId }]);
    return row?.body as unknown as ParkedCall | undefined;
  }

  #open(approval: Approval, parked: ParkedCall): Promise<OpenedValues | undefined> {
    const { tenant, callId } = approval;
    return this.#runtime.vault.openValues({ tenant, kind: parkedKind, callId, sealed: Buffer.from(parked.sealed, "base64") });
  }

  async #wake(approval: Approval, version: number): Promise<Answer | undefined> {
    if (approval.state !== "approved") return undefined;
    const row = { ...approvalKey(approval.tenant, approval.id), version };
    return await this.#waking.wake(approval, row, { approval: { approval, version }, deferral: undefined });
  }

  async #edit(approval: Approval, decision: ApprovalDecision, credential: Credential): Promise<PreparedEdit | undefined> {
    if (decision.arguments === undefined) return undefined;
    const session = await this.#sessions.find(approval.sessionId, approval.tenant);
    const [parkedRow] = await this.#runtime.store.read([{ space: "parked", tenant: approval.tenant, key: approval.callId }]);
    const opened = parkedRow === undefined ? undefined : await this.#open(approval, parkedRow.body as unknown as ParkedCall);
    if (session === undefined || parkedRow === undefined || opened === undefined)
      throw toolCallError("APPROVAL_INVALID", "the call no longer waits, so its arguments cannot be changed");
    await session.refresh();
    return await prepareEdit({ runtime: this.#runtime, session, approval, parkedRow, opened }, decision.arguments, credential);
  }

  /** What a yes to further calls leaves behind, once everybody who has to has said so. */
  async #widen(approval: Approval, decision: ApprovalDecision): Promise<readonly Operation[]> {
    if (decision.widen !== true) return [];
    const found = this.#runtime.registry.resolve(`${approval.tool}@${approval.version}`, () => true);
    const args = decision.arguments ?? (await this.arguments(approval.id, approval.tenant));
    const bound = found.kind !== "found" || args === undefined ? undefined : boundOf(found.registered.tool, args);
    if (bound === undefined)
      throw toolCallError(
        "APPROVAL_INVALID",
        "only a call that names a target and is not privileged can be approved for the whole session",
      );
    if (!isWidened(approval)) return [];
    const expiresAtMs = this.#runtime.clock.now() + this.#runtime.limits.approvalExpiryMs;
    const widening: Widening = { approval, amounts: bound.amounts, expiresAtMs };
    return [{ op: "put", key: wideningKey(approval, bound), body: widening as unknown as Json, dueMs: expiresAtMs }];
  }

  async #expire(row: Row): Promise<boolean> {
    const runtime = this.#runtime;
    const approval = approvalOf(row);
    const place = placeOf(approval, runtime.clock.now());
    const reason = approval.state === "pending" ? "nobody answered in time" : "the approval was given but not used in time";
    const result = await runtime.store.commit({
      operations: [
        { op: "put", key: row, body: { ...approval, state: "expired" } as unknown as Json, expect: row.version },
        ...(approval.state === "pending" ? [leavePending(approval)] : []),
        ...(await releaseOperations(runtime, approval, undefined)),
      ],
      entries: [
        approvalClosed({ place, approvalId: approval.id, reason, state: "expired" }),
        deniedEntry(approval, place, "APPROVAL_EXPIRED", `${reason}, so nothing was done; ask the user whether to call it again`),
      ],
    });
    return result.kind === "committed";
  }
}

function approvalOf(row: Row): Approval {
  return row.body as unknown as Approval;
}

function placeOf(approval: Approval, atMs: number): { tenant: string; callId: string; sessionId: string; atMs: number } {
  return { tenant: approval.tenant, callId: approval.callId, sessionId: approval.sessionId, atMs };
}

/** A given approval must be used soon. */
function withGrant(approval: Approval, nowMs: number, grantMs: number): Approval {
  return approval.state === "approved" ? { ...approval, expiresAtMs: Math.min(approval.expiresAtMs, nowMs + grantMs) } : approval;
}

function leavePending(approval: Approval): Operation {
  return { op: "add", key: pendingCounter(approval.tenant, approval.principal.user), delta: -1 };
}

async function decisionOperations(runtime: Runtime, row: Row, approval: Approval): Promise<Operation[]> {
  // An approved call wants to wake at once, also after a crash between here and there; a pending one when it expires.
  const dueMs = approval.state === "approved" ? runtime.clock.now() : approval.state === "pending" ? approval.expiresAtMs : undefined;
  return [
    { op: "put", key: row, body: approval as unknown as Json, expect: row.version, dueMs },
    ...(approval.state === "pending" ? [] : [leavePending(approval)]),
    ...(approval.state === "rejected" ? await releaseOperations(runtime, approval, "rejected") : []),
  ];
}

function decisionEntries(
  approval: Approval,
  credential: Credential,
  decision: ApprovalDecision,
  { nowMs, limits }: { readonly nowMs: number; readonly limits: Runtime["limits"] },
): EntryDraft[] {
  const place = placeOf(approval, nowMs);
  const decided = approvalDecided({
    place,
    approvalId: approval.id,
    approve: decision.approve,
    by: approval.answers.at(-1)?.by ?? decision.by,
    credentialId: credential.id,
    editedFrom: approval.edited?.fromDigest,
    effectiveDigest: approval.effectiveDigest,
    fingerprint: approval.toolFingerprint,
    reason: decision.reason,
    state: approval.state,
    group: decision.group,
    groups: approval.answers.at(-1)?.groups,
    widens: decision.approve && decision.widen === true ? true : undefined,
  });
  if (approval.state !== "rejected") return [decided];
  const words =
    decision.reason === undefined
      ? ""
      : `, in their words: ${JSON.stringify(cleanForPeople(decision.reason, limits.answerReasonCharsMax))}`;
  return [decided, deniedEntry(approval, place, "APPROVAL_REJECTED", `a person said no${words}; do not try it another way, tell the user`)];
}

const soundEdit: ArgumentEdit = { effectiveDigest: "", summary: "", pointers: [] };

function requireWords({ approve, reason, arguments: args, widen }: ApprovalDecision, limits: Runtime["limits"]): void {
  const { answerReasonCharsMax } = limits;
  if (reason !== undefined && (reason === "" || reason.length > answerReasonCharsMax))
    throw toolCallError("REQUEST_INVALID", `a reason is text of 1 to ${answerReasonCharsMax} characters`);
  if (!approve && (args !== undefined || widen === true))
    throw toolCallError("REQUEST_INVALID", "only a yes can change arguments or hold for the whole session");
}

/** How a parked call ended that never ran, for whoever asks for its outcome. */
function deniedEntry(
  approval: Approval,
  place: ReturnType<typeof placeOf>,
  code: "APPROVAL_REJECTED" | "APPROVAL_EXPIRED",
  reason: string,
): EntryDraft {
  return callDenied({
    place,
    user: approval.principal.user,
    roles: approval.principal.roles,
    credentialId: approval.callerCredentialId,
    tool: approval.tool,
    version: approval.version,
    fingerprint: approval.toolFingerprint,
    effectiveDigest: approval.effectiveDigest,
    approvalId: approval.id,
    stage: "approve",
    code,
    reason,
  });
}
