import { defaultLimits } from "../base/limits.ts";
import type { PlanDecision } from "../call/box/box.ts";
import type { JsonObject } from "../domain/json.ts";
import type { PlanProposal, PlanState, PlanView } from "../domain/plan.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { confirmationGroup } from "../policy/document.ts";
import { nameOf } from "./approval-access.ts";
import { argumentSchema } from "./card-schema.ts";
import { ok, sessionOf, type GuardedRoute, type Route, type RouteRequest } from "./route.ts";
import { closed, open, textSchema } from "./schemas.ts";

const states = ["proposed", "approved", "rejected", "revoked", "expired"] as const satisfies readonly PlanState[];

const text: JsonObject = { type: "string" };
const texts: JsonObject = { type: "array", items: text };
const count: JsonObject = { type: "integer", minimum: 0 };
const amount: JsonObject = { type: "number", minimum: 0 };
const flag: JsonObject = { type: "boolean" };
const time: JsonObject = { type: "integer", description: "Milliseconds since the Unix epoch." };

const valueSchema: JsonObject = {
  description: "What an argument may be. Only what is named exactly, by `is` or `oneOf`, counts as given by the person who approves.",
  oneOf: [
    closed({ is: {} }, ["is"]),
    closed({ oneOf: { type: "array", minItems: 1, items: {} } }, ["oneOf"]),
    closed({ atMost: amount }, ["atMost"]),
    closed({ any: { const: true } }, ["any"]),
  ],
};

const stepMembers = {
  tool: textSchema(defaultLimits.toolNameCharsMax),
  arguments: { type: "object", additionalProperties: valueSchema, description: "Every argument that such a call may have, by name." },
  callsMax: { type: "integer", minimum: 1, maximum: defaultLimits.planStepCallsMax, description: "Default 1." },
  total: {
    ...closed({ argument: text, max: amount }, ["argument", "max"]),
    description: "The sum of one numeric argument over all calls of the step.",
  },
} as const satisfies Record<string, JsonObject>;

const planSchema: JsonObject = open(
  {
    id: text,
    sessionId: text,
    user: text,
    proposedBy: text,
    goal: { type: "string", description: "Absent where it was erased. Untrusted: the agent wrote it." },
    steps: { type: "array", items: open(stepMembers, ["tool", "arguments", "callsMax"]) },
    digest: { type: "string", description: "What an answer is given for." },
    holdsMs: count,
    state: { enum: [...states] },
    answer: open({ by: text, approve: flag, reason: text, atMs: time }, ["by", "approve", "atMs"]),
    used: { type: "array", items: open({ calls: count, total: amount }, ["calls"]) },
    createdAtMs: time,
    expiresAtMs: time,
  },
  ["id", "sessionId", "user", "proposedBy", "steps", "digest", "holdsMs", "state", "used", "createdAtMs", "expiresAtMs"],
);

const stepCard: JsonObject = open(
  {
    tool: text,
    version: text,
    about: text,
    tier: text,
    undo: text,
    isToolChanged: flag,
    callsMax: count,
    total: text,
    arguments: { type: "array", items: argumentSchema },
    argumentsLeftOutCount: count,
    notSaid: texts,
    leftOpen: { ...texts, description: "What the step leaves open; nobody vouches for it." },
  },
  ["tool", "version", "about", "undo", "isToolChanged", "callsMax", "arguments", "argumentsLeftOutCount", "notSaid", "leftOpen"],
);

const cardSchema: JsonObject = open({ goal: text, user: text, agent: text, holdsMs: count, steps: { type: "array", items: stepCard } }, [
  "user",
  "agent",
  "holdsMs",
  "steps",
]);

const proposePlan: GuardedRoute = {
  id: "proposePlan",
  method: "POST",
  path: "/v1/sessions/{id}/plans",
  group: "Calls",
  access: ["caller"],
  summary: "Propose a plan for people to approve",
  about:
    "Nothing is granted by it. Once a person approved it, calls of this session that fit a step count as asked for by the user, so many times and up to such a sum.",
  body: {
    schema: closed(
      {
        goal: textSchema(defaultLimits.planGoalCharsMax, "What it is for, in words for the person who decides."),
        steps: {
          type: "array",
          minItems: 1,
          maxItems: defaultLimits.planStepsMax,
          items: closed(stepMembers, ["tool", "arguments"]),
        },
        holdsMs: { type: "integer", minimum: 1, maximum: defaultLimits.planHoldsMsMax, description: "From the yes on." },
      },
      ["goal", "steps"],
    ),
    example: {
      goal: "refund the three broken orders",
      steps: [{ tool: "order.refund", arguments: { orderId: { oneOf: ["A-1", "A-2"] }, amount: { is: 20 } }, callsMax: 2 }],
    },
  },
  answers: { 201: { about: "It waits for a person.", schema: planSchema } },
  async handle(request) {
    const session = await sessionOf(request, request.path["id"] as string);
    const plan = await request.services.box.plans.propose(request.body as unknown as PlanProposal, session);
    return { kind: "json", status: 201, body: planBody(plan) };
  },
};

const listPlans: GuardedRoute = {
  id: "listPlans",
  method: "GET",
  path: "/v1/plans",
  group: "Approvals",
  access: ["caller", "approver", "administrator"],
  summary: "Plans",
  about: "A caller sees those that it proposed, a user their own, the group `approver` and administrators all of the tenant.",
  query: {
    state: { about: "Only in this state.", schema: { enum: [...states] } },
    session: { about: "Only of this session.", schema: textSchema(200) },
    after: { about: "`next` of the page before.", schema: textSchema(200) },
    limit: { about: "At most this many.", schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "One page; `next` is there when there may be more.",
      schema: open({ plans: { type: "array", items: planSchema }, next: text }, ["plans"]),
    },
  },
  async handle({ services, credential, query }) {
    const { state, session, after, limit } = query as {
      readonly state?: PlanState;
      readonly session?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    const most = Math.min(limit ?? 50, services.limits.pageRowsMax);
    const page = await services.box.plans.list({
      tenant: credential.tenant,
      limit: most,
      ...(state !== undefined && { state }),
      ...(session !== undefined && { sessionId: session }),
      ...(after !== undefined && { after }),
    });
    const next = page.length < most ? undefined : page.at(-1)?.id;
    return ok({ plans: page.filter((plan) => maySee(plan, credential)).map(planBody), next });
  },
};

const readPlan: GuardedRoute = {
  id: "readPlan",
  method: "GET",
  path: "/v1/plans/{id}",
  group: "Approvals",
  access: ["caller", "approver", "administrator"],
  summary: "One plan, with what a person needs to judge it",
  answers: {
    200: {
      about: "`card` is fit for people's eyes; only those who may answer get it.",
      schema: open({ plan: planSchema, card: cardSchema }, ["plan"]),
    },
  },
  async handle(request) {
    const plan = await visiblePlan(request);
    // The card quotes what the conversation read; the agent has no need of it.
    const isPerson = request.credential.actsFor.length === 0;
    const card = isPerson ? await request.services.box.plans.card(plan.id, request.credential.tenant) : undefined;
    return ok({ plan: planBody(plan), card });
  },
};

const answerPlan: GuardedRoute = {
  id: "answerPlan",
  method: "POST",
  path: "/v1/plans/{id}/answer",
  group: "Approvals",
  access: ["approver"],
  summary: "Say yes or no to a plan",
  body: {
    schema: closed({ approve: flag, digest: textSchema(64, "`digest` of the plan as it was shown."), reason: textSchema(1_000) }, [
      "approve",
      "digest",
    ]),
    example: { approve: true, digest: "0".repeat(64) },
  },
  answers: { 200: { about: "The answer counts.", schema: planSchema } },
  async handle(request) {
    const { id } = await visiblePlan(request);
    const decision = { ...(request.body as unknown as Omit<PlanDecision, "by">), by: nameOf(request.credential) };
    return ok(planBody(await request.services.box.plans.decide(id, decision, request.credential)));
  },
};

const revokePlan: GuardedRoute = {
  id: "revokePlan",
  method: "POST",
  path: "/v1/plans/{id}/revoke",
  group: "Approvals",
  access: ["caller", "approver", "administrator"],
  summary: "Take a plan back at once",
  about: "Calls that have passed the gate go on; everything else asks again.",
  body: { schema: closed({ reason: textSchema(1_000) }, []), example: { reason: "the orders were the wrong ones" } },
  answers: { 200: { about: "It grants nothing any more.", schema: planSchema } },
  async handle(request) {
    const { id } = await visiblePlan(request);
    const { reason } = request.body as { readonly reason?: string };
    const revocation = { by: nameOf(request.credential), ...(reason !== undefined && { reason }) };
    return ok(planBody(await request.services.box.plans.revoke(id, revocation, request.credential)));
  },
};

function planBody({ tenant: _tenant, tools: _tools, answer, ...plan }: PlanView): JsonObject {
  const { by, approve, reason, atMs } = answer ?? {};
  return { ...plan, answer: answer === undefined ? undefined : { by, approve, reason, atMs } } as unknown as JsonObject;
}

async function visiblePlan({ services, path, credential }: RouteRequest): Promise<PlanView> {
  const plan = await services.box.plans.get(path["id"] as string, credential.tenant);
  if (!maySee(plan, credential)) throw toolCallError("NOT_FOUND", "no such plan here");
  return plan;
}

function maySee(plan: PlanView, credential: Credential): boolean {
  const { administers, approves, person, id } = credential;
  const isUser = approves.includes(confirmationGroup) && person?.user === plan.user;
  return administers || id === plan.proposedBy || approves.includes("approver") || isUser;
}

/** Routes of plans. */
export const planRoutes: readonly Route[] = [proposePlan, listPlans, readPlan, answerPlan, revokePlan];
