import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Decision, Reason } from "../domain/decision.ts";
import type { FlowMode } from "../domain/flow.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { SessionKnowledge } from "../flow/knowledge.ts";
import type { FlowReason } from "../flow/rules.ts";
import { isConsequential, traceCall, type FlowCall, type FlowTrace } from "../flow/trace.ts";
import type { DirectorySpec } from "../policy/document.ts";
import { askDirectory } from "./directory.ts";
import { stopWith } from "./endings.ts";
import { driftRule } from "./session/session-record.ts";
import { findStep } from "./plan-fit.ts";
import { barredIn } from "./traced-origins.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { HeldStep } from "./held.ts";
import type { CallState } from "./runtime.ts";

/**
 * Where did each argument come from? A call that changes something, or whose arguments leave, runs without a question only if the user asked for such
 * an action and everything that steers it comes from them, from trusted data or from a directory. Reads are not traced, and pay nothing.
 */
export function trace(state: CallState): Verdict | Promise<Verdict> {
  const { registered, parent, runtime, session } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (parent !== undefined || !isConsequential(tool)) return proceed;
  state.step = undefined;
  if (session.plans.length > 0 && tool.tier !== "privileged") return tracePlanned(state, tool);
  const known = runtime.flow.knowledgeOf(session);
  return known instanceof Promise ? known.then((knowledge) => traceWith(state, tool, knowledge)) : traceWith(state, tool, known);
}

/** A person may have said yes to such calls of this session before. */
async function tracePlanned(state: CallState, tool: Tool): Promise<Verdict> {
  state.step = await findStep(state);
  return await traceWith(state, tool, await state.runtime.flow.knowledgeOf(state.session));
}

function traceWith(state: CallState, tool: Tool, knowledge: SessionKnowledge): Verdict | Promise<Verdict> {
  const { runtime, session, turn } = state;
  const { mode } = runtime.flow;
  if (turn.said !== undefined && (mode !== "strict" || session.wordsAttested)) knowledge.words.add(turn.said, session.wordsAttested);
  const call = {
    tool,
    args: asSent(state),
    isStanding: isWaived(state.decision as Decision),
    isStrict: mode === "strict",
    planned: state.step?.fit.named,
  };
  const traced = traceCall(call, knowledge);
  const { directory } = runtime.policy.engine.document;
  if (!traced.isForReaders || directory === undefined) return judge(state, tool, { traced, knowledge });
  return traceForReaders(state, directory, { call, knowledge });
}

/** What the call repeats may be meant for those who read it. What was read meanwhile counts as well. */
async function traceForReaders(
  state: CallState,
  directory: DirectorySpec,
  { call, knowledge }: { readonly call: FlowCall & { readonly tool: Tool }; readonly knowledge: SessionKnowledge },
): Promise<Verdict> {
  const { recipients, from } = await askDirectory(state, directory);
  const traced = traceCall({ ...call, recipients }, knowledge);
  const decision = state.decision as Decision;
  const barred = barredIn(traced);
  state.decision = {
    ...decision,
    // A yes holds for those who were shown: when somebody else may not read it any more, it is asked anew.
    ...(barred.length > 0 && { factDigests: { ...decision.factDigests, [directoryFact]: sha256Hex(canonicalJson(barred)) } }),
    ...(Object.keys(from).length > 0 && { factsFrom: { ...decision.factsFrom, ...from } }),
  };
  return judge(state, call.tool, { traced, knowledge });
}

const directoryFact = "directory:recipients";

function judge(
  state: CallState,
  tool: Tool,
  { traced, knowledge }: { readonly traced: FlowTrace; readonly knowledge: SessionKnowledge },
): Verdict {
  const { mode } = state.runtime.flow;
  const decision = state.decision as Decision;
  state.traced = traced;
  // Where the plan names everything that steers, nobody has to be believed about the user's words.
  const isAttested = knowledge.words.isAttested || (state.step !== undefined && traced.traced.every(({ source }) => source !== "user"));
  state.decision = withDrift(withStep(decided(decision, tool, { traced, mode, isAttested, step: state.step }), state.step), traced);
  return state.decision.effect === "deny" ? stopWith(forbidden(traced)) : proceed;
}

/** A value that a rule of the policy narrowed has no origin of its own: traced is what it was before, of which it is at most as much. */
function asSent({ narrowing, args }: CallState): JsonObject {
  return narrowing?.before?.args ?? args;
}

/** Whether a rule of the policy lets this call run without the question of its tier: a standing grant. */
function isWaived(decision: Decision): boolean {
  return decision.reasons.some(({ rule, effect }) => effect === "allow" && !builtIn.test(rule));
}

const builtIn = /^(grant$|tier:|egress:|purpose:|flow:|limits:|plan:)/;

function withStep(decision: Decision, step: HeldStep | undefined): Decision {
  if (step === undefined) return decision;
  const reason = `step ${step.index + 1} of a plan that \`${step.plan.answer?.by ?? ""}\` approved for this session`;
  return { ...decision, reasons: [...decision.reasons, { rule: `plan:${step.plan.id}`, effect: "allow", reason }] };
}

/** For people who look at the conversation; it decides nothing. */
function withDrift(decision: Decision, { drift }: FlowTrace): Decision {
  if (drift?.isDetour !== true) return decision;
  const reason = `a detour: ${drift.distance} of 100 away from what the user asked for`;
  return { ...decision, reasons: [...decision.reasons, { rule: driftRule, effect: "allow", reason }] };
}

interface Traced {
  readonly traced: FlowTrace;
  readonly mode: FlowMode;
  readonly isAttested: boolean;
  readonly step: HeldStep | undefined;
}

function decided(decision: Decision, tool: Tool, { traced, mode, isAttested, step }: Traced): Decision {
  // What the trace says besides a denial is heard when the call wakes.
  if (decision.effect === "defer" && (traced.effect !== "deny" || mode === "observe")) return decision;
  if (traced.effect === "allow")
    return mode === "observe" ? decision : passed(decision, traced.isWhollyFromUser && isAttested && isDeclared(tool, step));
  if (mode === "observe") {
    const reasons = traced.reasons.map((reason) => recorded(reason, "allow", `would ${traced.effect}: `));
    return { ...decision, reasons: [...decision.reasons, ...reasons] };
  }
  const effect = traced.effect;
  const reasons = [...decision.reasons, ...traced.reasons.map((reason) => recorded(reason, effect, ""))];
  if (effect === "deny") return { ...decision, effect, reasons, ask: undefined, notify: false };
  return { ...decision, effect: "ask", reasons, notify: false, ask: decision.ask ?? askedOf };
}

const askedOf: NonNullable<Decision["ask"]> = { gate: "approval", approvers: ["approver"], quorum: 1, needsFreshAuthentication: false };

/** A guess may add a question, never take one away: how users ask for a tool, and what its arguments mean, has to be declared, or stand in the plan. */
function isDeclared({ asks, argumentRoles }: Tool, step: HeldStep | undefined): boolean {
  const hasRoles = Object.keys(argumentRoles).length > 0;
  return step === undefined ? asks !== undefined && hasRoles : step.fit.isWhole || hasRoles;
}

/** The tier's own question is answered where the user's attested words, or a plan, ask for the action and name everything that steers it. */
function passed(decision: Decision, isWholly: boolean): Decision {
  const asking = decision.reasons.filter(({ effect }) => effect === "ask");
  const isTierAlone = asking.length > 0 && asking.every(({ rule }) => rule === "tier:irreversible");
  if (!isWholly || !isTierAlone) return decision;
  return {
    ...decision,
    effect: "allow",
    reasons: [
      ...decision.reasons.map((reason) => (reason.effect === "ask" ? { ...reason, effect: "allow" as const } : reason)),
      { rule: "flow:passed", effect: "allow", reason: "the user asked for this and named everything that steers it" },
    ],
    ask: undefined,
    notify: true,
  };
}

function recorded({ rule, pointer, reason }: FlowReason, effect: Reason["effect"], prefix: string): Reason {
  return {
    rule: pointer === undefined ? rule : `${rule}:${pointer}`,
    effect,
    reason: `${prefix}${pointer === undefined ? "" : `\`${pointer}\`: `}${reason}`,
  };
}

/** Names rule and argument only: neither what was read nor by which call. */
function forbidden(traced: FlowTrace): ToolCallError {
  const blamed = traced.reasons.find(({ rule, pointer }) => rule === "flow:R2" && pointer !== undefined);
  return toolCallError(
    "FLOW_FORBIDDEN",
    `rule R2: \`${blamed?.pointer ?? "/"}\` does not come from the user or from trusted data, and the user did not ask for this kind of action; use values that the user gave, or tell the user`,
  );
}
