/**
 * A conversation as people look at it: what it has read, what restricts it, what was granted to it, what is left of its budgets, and what it may still do.
 * Everything comes from what the ledger proves, from rows and from labels; nothing private is opened, and nothing of another user is told.
 */
import { approvalKey } from "../../approvals/approvals.ts";
import { planKey } from "../../approvals/plans.ts";
import type { Widening } from "../../approvals/widening.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { SessionCounter } from "../../budget/holds.ts";
import type { Approval } from "../../domain/approval.ts";
import type { BudgetState, Restriction, SessionGrant, SessionView, SourceRead } from "../../domain/session-view.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { planRowOf, viewPlan } from "../plan-record.ts";
import { readerSessions } from "../readers.ts";
import { denialKey } from "../record.ts";
import { readOnlyStates } from "../read-only.ts";
import { stricter } from "../delegation.ts";
import type { Runtime } from "../runtime.ts";
import { sessionRecord, type SessionRecord } from "./session-record.ts";
import { toolOutlook } from "./session-outlook.ts";
import type { Sessions } from "./sessions.ts";
import { shownTools } from "./shown-tools.ts";
import { toolNamed } from "../review/tool-named.ts";
import type { LiveSession } from "../live-session.ts";

/** The view of one session of a tenant. `SESSION_UNKNOWN` where the tenant has none of that id. */
export async function sessionView(
  runtime: Runtime,
  sessions: Sessions,
  { id, tenant }: { readonly id: string; readonly tenant: string },
): Promise<SessionView> {
  const session = await sessions.find(id, tenant);
  if (session === undefined) throw toolCallError("SESSION_UNKNOWN", "no such session; open one first");
  await session.refresh();
  const limit = runtime.limits.flowHistoryEntriesMax;
  const entries = await runtime.store.entries({ tenant, sessionId: id, limit });
  const record = sessionRecord(entries, (name) => toolNamed(runtime.registry, name));
  const [knowledge, budgets, denials, restrictions, grants] = await Promise.all([
    runtime.flow.knowledgeOf(session),
    budgetsOf(runtime, session),
    runtime.store.counters([denialKey(session)]),
    restrictionsOf(runtime, session, record),
    grantsOf(runtime, session, record),
  ]);
  const stopped = session.stopped?.reason;
  const planned = new Set(grants.flatMap(({ kind, tool }) => (kind === "plan" ? [tool] : [])));
  const outlook = { runtime, session, knowledge, stopped, isReadOnly: session.isReadOnly || runtime.isReadOnly, budgets, planned };
  const { principal } = session;
  return {
    id,
    tenant,
    user: principal.user,
    roles: principal.roles,
    revokedRoles: session.revokedRoles,
    credentialId: session.credentialId,
    conversationId: session.conversationId,
    openedAtMs: session.createdAtMs,
    lastAtMs: record.lastAtMs ?? session.createdAtMs,
    stopped,
    calls: record.calls,
    read: record.read,
    categories: [...new Set(record.read.flatMap(({ categories }) => categories))].sort(),
    restrictions,
    words: { turnsCount: record.turnsCount, isAttested: session.wordsAttested },
    grants,
    budgets,
    detoursCount: record.detoursCount,
    denials: { count: denials[0] ?? 0, max: runtime.limits.sessionDenialsMax },
    tools: await Promise.all(shownTools(runtime, session).tools.map((tool) => toolOutlook(tool, outlook))),
    isComplete: entries.length < limit,
  };
}

async function budgetsOf({ store, policy }: Runtime, { counters, accounts }: LiveSession): Promise<readonly BudgetState[]> {
  const budget = stricter(policy.sessionBudget, accounts[0]?.own ?? {});
  const max: Readonly<Record<SessionCounter, number | undefined>> = {
    calls: budget.calls,
    "execution-ms": budget.executionMs,
    "cost-micros-usd": budget.costMicrosUsd,
  };
  const names = Object.keys(max) as SessionCounter[];
  const used = await store.counters(names.map((name) => counters[name]));
  return names.map((name, index) => {
    const spent = used[index] ?? 0;
    const most = max[name];
    return { name, used: spent, max: most, left: most === undefined ? undefined : Math.max(0, most - spent) };
  });
}

async function restrictionsOf(runtime: Runtime, session: LiveSession, { read }: SessionRecord): Promise<readonly Restriction[]> {
  const { tenant } = session.principal;
  const switches = (await readOnlyStates(runtime.store, tenant)).filter(
    ({ scope }) => scope.kind !== "session" || scope.sessionId === session.id,
  );
  return [
    ...read.flatMap((source) => restrictionsBy(source, "this session", runtime)),
    ...(await readByOthers(runtime, session)).flatMap((source) => restrictionsBy(source, "another session", runtime)),
    ...switches.map(({ scope, sinceMs }): Restriction => ({
      kind: "read-only",
      from: scope.kind,
      effect: "only reads pass",
      by: "a person",
      sinceMs,
      endsAtMs: undefined,
    })),
    ...session.revokedRoles.map((role): Restriction => ({
      kind: "roles-revoked",
      from: role,
      effect: "what only this role granted is gone",
      by: "a person",
      sinceMs: undefined,
      endsAtMs: undefined,
    })),
  ];
}

/** What other sessions of the user under the same credential have read and this one is bound by, the latest of them. */
async function readByOthers(runtime: Runtime, session: LiveSession): Promise<readonly SourceRead[]> {
  const { limits, store, clock } = runtime;
  const { tenant } = session.principal;
  const sessions = (await readerSessions(store, session, limits.readerSessionsMax))
    .filter(({ sessionId }) => sessionId !== session.id)
    .sort((left, right) => right.atMs - left.atMs)
    .slice(0, limits.readersShownMax);
  const query = { tenant, sinceMs: clock.now() - limits.flowDecayMs, limit: limits.pageRowsMax };
  const entries = await Promise.all(sessions.map(({ sessionId }) => store.entries({ ...query, sessionId })));
  return sessionRecord(entries.flat(), (name) => toolNamed(runtime.registry, name)).read;
}

/** What the reading of one source means for what comes after, as long as it is remembered. */
function restrictionsBy(
  source: SourceRead,
  by: Restriction["by"],
  { clock, limits, policy }: Pick<Runtime, "clock" | "limits" | "policy">,
): readonly Restriction[] {
  const endsAtMs = source.lastAtMs + limits.flowDecayMs;
  if (endsAtMs <= clock.now()) return [];
  const base = { from: source.source, by, sinceMs: source.lastAtMs, endsAtMs } as const;
  return [
    ...(source.integrity.every((each) => each === "trusted")
      ? []
      : [{ ...base, kind: "untrusted", effect: "what steers a call must not come from it alone" } as const]),
    ...(source.isGuarded ? [{ ...base, kind: "guarded", effect: guardedWords(source, policy) } as const] : []),
  ];
}

function guardedWords({ readers }: SourceRead, policy: Runtime["policy"]): string {
  const circles = policy.engine.document.directory === undefined ? [] : readers.filter((circle) => circle.length > 0);
  const question = "its words may not leave without a question";
  if (circles.length === 0) return question;
  const towards = circles.slice(0, fixedBounds.namedMax).map((circle) => circle.map((reader) => `\`${reader}\``).join(", "));
  return `${question}, but towards ${towards.join(" or, by the place, ")}`;
}

async function grantsOf(runtime: Runtime, session: LiveSession, { approvalIds }: SessionRecord): Promise<readonly SessionGrant[]> {
  const { tenant } = session.principal;
  const { store } = runtime;
  const nowMs = runtime.clock.now();
  const rows = await store.read(approvalIds.map((id) => approvalKey(tenant, id)));
  const approvals = rows.flatMap((row) => (row === undefined ? [] : [row.body as unknown as Approval]));
  const widenings = await store.scan({ space: "widening", tenant, prefix: `${session.id}/`, limit: fixedBounds.wideningsShownMax });
  return [
    ...approvals
      .filter(({ state, expiresAtMs }) => state === "approved" && expiresAtMs > nowMs)
      .map((approval) => grant("approval", approval, approval.expiresAtMs)),
    ...widenings
      .map((row) => row.body as unknown as Widening)
      .filter(({ expiresAtMs }) => expiresAtMs > nowMs)
      .map(({ approval, expiresAtMs }) => grant("widening", approval, expiresAtMs)),
    ...(await plansOf(runtime, session)),
  ];
}

/** The steps of approved plans that still have room. */
async function plansOf(runtime: Runtime, session: LiveSession): Promise<readonly SessionGrant[]> {
  const rows = await runtime.store.read(session.plans.map((id) => planKey(session.principal.tenant, id)));
  const plans = await Promise.all(rows.flatMap((row) => (row === undefined ? [] : [viewPlan(runtime, planRowOf(row))])));
  return plans
    .filter(({ state, sessionId }) => state === "approved" && sessionId === session.id)
    .flatMap(({ id, steps, used, answer, expiresAtMs }) =>
      steps.flatMap(({ tool, callsMax }, index): readonly SessionGrant[] => {
        const callsLeft = Math.max(0, callsMax - (used[index]?.calls ?? 0));
        const by = answer === undefined ? [] : [answer.by];
        return callsLeft === 0 ? [] : [{ kind: "plan", tool, approvalId: id, callsLeft, by, endsAtMs: expiresAtMs }];
      }),
    );
}

function grant(kind: SessionGrant["kind"], approval: Approval, endsAtMs: number): SessionGrant {
  const by = approval.answers.filter(({ approve }) => approve).map((answer) => answer.by);
  return { kind, tool: `${approval.tool}@${approval.version}`, approvalId: approval.id, by, endsAtMs };
}
