import { answeredPlan, mayAnswerPlan, planCounter, planKey, refusePlanAnswer, stepProblem } from "../../approvals/plans.ts";
import { readProposal, type ReadProposal } from "../../approvals/plan-proposal.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Plan, PlanStep, PlanView } from "../../domain/plan.ts";
import type { Credential } from "../../domain/principal.ts";
import type { Tool } from "../../domain/tool.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { planDecided, planProposed, planRevoked } from "../../ledger/plan-entries.ts";
import { approverGroupDefault, confirmationGroup } from "../../policy/document.ts";
import type { Row } from "../../store/store.ts";
import type { Signalbox } from "../box/box.ts";
import { planCard, tracedSteps } from "./plan-card.ts";
import { openPlan, planKind, planRowOf, planTexts, viewPlan, type PlanRow } from "../plan-record.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import type { LiveSession } from "../live-session.ts";

type Plans = Signalbox["plans"];

const groups = { approver: approverGroupDefault, confirmation: confirmationGroup } as const;

interface Parts {
  readonly runtime: Runtime;
  readonly sessions: Sessions;
  readonly refuseWhenClosing: () => void;
}

/** Where plans are proposed and answered. */
export function createPlanDesk(parts: Parts): Plans {
  return {
    propose: (proposal, session) => propose(parts, proposal, { id: session.id, tenant: session.principal.tenant }),
    list: (query) => list(parts, query),
    get: async (id, tenant) => await viewPlan(parts.runtime, planRowOf(await rowOf(parts, id, tenant))),
    card: async (id, tenant) => await planCard(parts.runtime, planRowOf(await rowOf(parts, id, tenant))),
    decide: (id, decision, credential) => decide(parts, id, decision, credential),
    revoke: (id, revocation, credential) => revoke(parts, id, revocation, credential),
  };
}

async function propose(parts: Parts, raw: unknown, at: { readonly id: string; readonly tenant: string }): Promise<PlanView> {
  const { runtime } = parts;
  parts.refuseWhenClosing();
  const proposal = readProposal(raw, runtime.limits);
  if ("problem" in proposal) throw toolCallError("REQUEST_INVALID", proposal.problem);
  const session = await openSession(parts, at.id, at.tenant);
  const found = proposal.steps.map((step, index) => foreseen(runtime, session, { step, index }));
  const plan = newPlan(runtime, session, { ...proposal, steps: found.map(({ step }) => step) }, found);
  await runtime.vault.prepare(at.tenant, session.dataSubject);
  const values = runtime.vault.sealValues(
    { tenant: at.tenant, kind: planKind, callId: plan.id, subject: session.dataSubject },
    planTexts(plan),
  );
  const { goal: _goal, steps, ...rest } = plan;
  const origins = await tracedSteps(runtime, session, found);
  const row: PlanRow = { ...rest, origins, sealed: Buffer.from(values.sealed).toString("base64") };
  const result = await runtime.store.commit({
    operations: [
      { op: "add", key: planCounter(at.tenant, session.id), delta: 1, max: runtime.limits.plansPerSessionMax },
      { op: "put", key: planKey(at.tenant, plan.id), body: row as unknown as Json, expect: "absent" },
      ...runtime.notices.proposed(plan),
    ],
    entries: [
      planProposed({
        place: placeOf(plan, plan.createdAtMs),
        by: plan.proposedBy,
        user: plan.user,
        digest: plan.digest,
        stepsCount: steps.length,
        expiresAtMs: plan.expiresAtMs,
        values,
      }),
    ],
  });
  if (result.kind === "refused")
    throw toolCallError("RATE_LIMITED", `a session proposes at most ${runtime.limits.plansPerSessionMax} plans; make the calls themselves`);
  runtime.notices.nudge();
  return await viewPlan(runtime, row);
}

async function openSession({ sessions }: Parts, id: string, tenant: string): Promise<LiveSession> {
  const session = await sessions.find(id, tenant);
  if (session === undefined) throw toolCallError("SESSION_UNKNOWN", "no such session; open one first");
  await session.refresh();
  if (session.stopped !== undefined) throw toolCallError("SESSION_STOPPED", "this session was stopped; open another");
  return session;
}

/** The step's tool as this session would be given it, and the step with the defaults that the tool would add. */
function foreseen(
  runtime: Runtime,
  session: LiveSession,
  { step, index }: { readonly step: PlanStep; readonly index: number },
): { readonly step: PlanStep; readonly tool: Tool } {
  const found = runtime.registry.resolve(step.tool, (tool) => session.mayUse(tool));
  if (found.kind !== "found")
    throw toolCallError("REQUEST_INVALID", `step ${index + 1}: no tool named \`${step.tool.slice(0, 60)}\` in this session`);
  const { tool } = found.registered;
  const problem = stepProblem(step, tool);
  if (problem !== undefined) throw toolCallError("REQUEST_INVALID", `step ${index + 1}: ${problem}`);
  return { tool, step: withDefaults(runtime, tool, { ...step, tool: tool.name }) };
}

/** Where every argument is named exactly, the call is known whole: it is checked now, and stands in the plan as it would run. */
function withDefaults(runtime: Runtime, tool: Tool, step: PlanStep): PlanStep {
  const named: Record<string, Json> = {};
  for (const [name, value] of Object.entries(step.arguments)) {
    if (!("is" in value)) return step;
    named[name] = value.is;
  }
  const checked = runtime.validateArguments(tool, named);
  if (checked.kind !== "valid")
    throw toolCallError("ARGUMENTS_INVALID", `a step does not fit the schema of \`${tool.name}\``, { fields: checked.problems });
  return { ...step, arguments: Object.fromEntries(Object.entries(checked.value as JsonObject).map(([name, is]) => [name, { is }])) };
}

function newPlan(
  runtime: Runtime,
  session: LiveSession,
  { goal, steps, holdsMs }: ReadProposal,
  found: readonly { readonly tool: Tool }[],
): Plan {
  const nowMs = runtime.clock.now();
  const tools = found.map(({ tool: { version, fingerprint } }) => ({ version, fingerprint }));
  return {
    id: runtime.ids.next("pln"),
    tenant: session.principal.tenant,
    sessionId: session.id,
    user: session.principal.user,
    proposedBy: session.credentialId,
    goal,
    steps,
    tools,
    digest: sha256Hex(canonicalJson({ goal, steps, tools, holdsMs, sessionId: session.id } as unknown as Json)),
    holdsMs,
    state: "proposed",
    answer: undefined,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + runtime.limits.approvalExpiryMs,
  };
}

async function list({ runtime }: Parts, query: Parameters<Plans["list"]>[0]): Promise<readonly PlanView[]> {
  const { tenant, sessionId, state, after, limit } = query;
  const pageRows = runtime.limits.pageRowsMax;
  const found: PlanView[] = [];
  let from = after;
  while (found.length < limit) {
    const rows = await runtime.store.scan({ space: "plan", tenant, limit: pageRows, ...(from !== undefined && { after: from }) });
    for (const row of rows) {
      const body = planRowOf(row);
      if (found.length >= limit || (sessionId !== undefined && body.sessionId !== sessionId)) continue;
      const plan = await viewPlan(runtime, body);
      if (state === undefined || plan.state === state) found.push(plan);
    }
    if (rows.length < pageRows) break;
    from = rows.at(-1)?.key;
  }
  return found;
}

async function rowOf({ runtime }: Parts, id: string, tenant: string): Promise<Row> {
  const [row] = await runtime.store.read([planKey(tenant, id)]);
  if (row === undefined) throw toolCallError("NOT_FOUND", `no plan \`${id.slice(0, 60)}\` here`);
  return row;
}

async function decide(parts: Parts, id: string, decision: Parameters<Plans["decide"]>[1], credential: Credential): Promise<PlanView> {
  const { runtime } = parts;
  parts.refuseWhenClosing();
  checkReason(runtime, decision.reason);
  const by = credential.person?.user ?? decision.by;
  for (let race = 0; race < fixedBounds.racesMax; race += 1) {
    const row = await rowOf(parts, id, credential.tenant);
    const body = planRowOf(row);
    const atMs = runtime.clock.now();
    const refusal = refusePlanAnswer(await openPlan(runtime, body), { credential, by, digest: decision.digest, nowMs: atMs }, groups);
    if (refusal !== undefined) throw toolCallError("APPROVAL_INVALID", refusal);
    const session = await openSession(parts, body.sessionId, body.tenant);
    const { approve, reason } = decision;
    const next = answeredPlan(body, { by, credentialId: credential.id, approve, reason, atMs });
    const result = await runtime.store.commit({
      operations: [
        { op: "put", key: row, body: next as unknown as Json, expect: row.version },
        // A session knows its plans: whatever was looked at without this one is judged again at its gate.
        ...(approve ? [session.withPlan(id)] : []),
      ],
      entries: [
        planDecided({
          place: placeOf(next, atMs),
          approve,
          by,
          credentialId: credential.id,
          digest: next.digest,
          expiresAtMs: next.expiresAtMs,
          reason,
          state: next.state,
        }),
      ],
    });
    if (result.kind === "refused") continue;
    await session.refresh();
    return await viewPlan(runtime, next);
  }
  throw toolCallError("APPROVAL_INVALID", "this plan keeps changing; look at it again");
}

async function revoke(parts: Parts, id: string, revocation: Parameters<Plans["revoke"]>[1], credential: Credential): Promise<PlanView> {
  const { runtime } = parts;
  parts.refuseWhenClosing();
  checkReason(runtime, revocation.reason);
  const by = credential.person?.user ?? revocation.by;
  for (let race = 0; race < fixedBounds.racesMax; race += 1) {
    const row = await rowOf(parts, id, credential.tenant);
    const body = planRowOf(row);
    // What only takes away is open to everybody who has to do with it, also to the agent that proposed it.
    if (!credential.administers && credential.id !== body.proposedBy && !mayAnswerPlan(body, { credential, by }, groups))
      throw toolCallError("NOT_FOUND", `no plan \`${id.slice(0, 60)}\` here`);
    if (body.state !== "proposed" && body.state !== "approved")
      throw toolCallError("APPROVAL_INVALID", `this plan is already ${body.state}`);
    const next: PlanRow = { ...body, state: "revoked" };
    const result = await runtime.store.commit({
      operations: [{ op: "put", key: row, body: next as unknown as Json, expect: row.version }],
      entries: [planRevoked({ place: placeOf(body, runtime.clock.now()), by, credentialId: credential.id, reason: revocation.reason })],
    });
    if (result.kind === "committed") return await viewPlan(runtime, next);
  }
  throw toolCallError("APPROVAL_INVALID", "this plan keeps changing; look at it again");
}

function checkReason({ limits }: Runtime, reason: string | undefined): void {
  if (reason !== undefined && (reason === "" || reason.length > limits.answerReasonCharsMax))
    throw toolCallError("REQUEST_INVALID", `a reason is text of 1 to ${limits.answerReasonCharsMax} characters`);
}

function placeOf(plan: Pick<Plan, "tenant" | "sessionId" | "id">, atMs: number): Parameters<typeof planRevoked>[0]["place"] {
  return { tenant: plan.tenant, sessionId: plan.sessionId, callId: plan.id, atMs };
}
