import { cleanForPeople } from "../../approvals/card.ts";
import { judgeArguments, undoWords } from "../../approvals/judge-card.ts";
import type { Seen } from "../../approvals/origins.ts";
import { cutVisible, visible } from "../../approvals/visible.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { ApprovalOrigin } from "../../domain/approval.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { PlanCard, PlanStep, PlanStepCard } from "../../domain/plan.ts";
import type { Tool } from "../../domain/tool.ts";
import { addressesIn, traceCall } from "../../flow/trace.ts";
import { seenBefore } from "./approval-cards.ts";
import { openPlan, type PlanRow } from "../plan-record.ts";
import type { Runtime } from "../runtime.ts";
import { originsOf } from "../traced-origins.ts";
import type { LiveSession } from "../live-session.ts";

/** Where the exact values of steps came from, as known while they are proposed. */
export async function tracedSteps(
  runtime: Runtime,
  session: LiveSession,
  steps: readonly { readonly step: PlanStep; readonly tool: Tool }[],
): Promise<readonly (readonly ApprovalOrigin[])[]> {
  const knowledge = await runtime.flow.knowledgeOf(session);
  const isStrict = runtime.flow.mode === "strict";
  return steps.map(({ step, tool }) => {
    const traced = traceCall({ tool, args: exactValues(step), isStanding: true, isStrict }, knowledge);
    return originsOf(traced, { sessionId: session.id, originsMax: runtime.limits.approvalOriginsMax });
  });
}

/** What a yes vouches for; of one that may have several values, their list. */
function exactValues({ arguments: args }: PlanStep): JsonObject {
  const named: Record<string, Json> = {};
  for (const [name, value] of Object.entries(args)) {
    if ("is" in value) named[name] = value.is;
    else if ("oneOf" in value) named[name] = value.oneOf;
  }
  return named;
}

/** The card of a plan, made when somebody looks, like that of an approval. */
export async function planCard(runtime: Runtime, row: PlanRow): Promise<PlanCard> {
  const plan = await openPlan(runtime, row);
  const seen = await seenBefore(runtime, { ...plan, callId: plan.id });
  return {
    goal: plan.goal === undefined ? undefined : cutVisible(plan.goal, runtime.limits.cardSaidCharsMax).text,
    user: visible(plan.user),
    agent: visible(plan.proposedBy),
    holdsMs: plan.holdsMs,
    steps: plan.steps.map((step, index) => {
      const at = plan.tools[index] as NonNullable<(typeof plan.tools)[number]>;
      return stepCard(runtime, step, { ...at, origins: row.origins[index], seen });
    }),
  };
}

function stepCard(
  runtime: Runtime,
  step: PlanStep,
  at: {
    readonly version: string;
    readonly fingerprint: string;
    readonly origins: readonly ApprovalOrigin[] | undefined;
    readonly seen: Seen;
  },
): PlanStepCard {
  const found = runtime.registry.resolve(`${step.tool}@${at.version}`, () => true);
  const tool = found.kind === "found" ? found.registered.tool : undefined;
  const { origins, seen } = at;
  const judged = judgeArguments({
    args: exactValues(step),
    roles: tool?.argumentRoles ?? {},
    origins,
    seen,
    addressesIn,
    limits: runtime.limits,
  });
  const named = (name: string): string => cutVisible(name, fixedBounds.shownNameCharsMax).text;
  return {
    tool: visible(step.tool),
    version: at.version,
    about: tool === undefined ? "" : cleanForPeople(tool.title ?? tool.description, fixedBounds.shownTextCharsMax),
    tier: tool?.tier,
    undo: tool === undefined ? "unknown: the tool is no longer registered" : undoWords[tool.tier],
    isToolChanged: tool?.fingerprint !== at.fingerprint,
    callsMax: step.callsMax,
    total: step.total === undefined ? undefined : `${named(step.total.argument)}: at most ${step.total.max} in all`,
    ...judged,
    leftOpen: Object.entries(step.arguments).flatMap(([name, value]) =>
      "any" in value ? [`${named(name)}: anything`] : "atMost" in value ? [`${named(name)}: at most ${value.atMost}`] : [],
    ),
  };
}
