import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { factAbsent } from "../policy/engine.ts";
import { claimedRules, lookBack } from "./history.ts";
import { stop, stopWith } from "./endings.ts";
import { lookUpFacts } from "./fact-look-ups.ts";
import { applyNarrowing, narrowedArguments, narrowsCall } from "./narrow.ts";
import { noFacts } from "./state.ts";
import type { DecisionInput } from "../policy/decision-input.ts";
import type { HistoryFinding } from "../policy/call-history.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { FactsFrom } from "./held.ts";
import type { CallState } from "./runtime.ts";

/**
 * May the user behind the session do this, with these arguments, now? Facts that the policy names are looked up first, each a call of its own with
 * this one as its parent. Any failure while deciding is a denial.
 */
export function authorize(state: CallState): Verdict | Promise<Verdict> {
  const verdict = may(state);
  return state.registered?.connector.actsAs === "user" ? ownCredential(state, verdict) : verdict;
}

/** A tool that acts with the user's own account needs their connection to it; said before anything is claimed or anybody asked. */
async function ownCredential(state: CallState, verdict: Verdict | Promise<Verdict>): Promise<Verdict> {
  const said = await verdict;
  if (said.kind !== "proceed") return said;
  const { runtime, registered, session } = state;
  const { tool, connector } = registered as NonNullable<typeof registered>;
  const lack = await connector.lacks?.({ principal: session.principal, secret: runtime.secret, tool });
  return lack === undefined ? proceed : stop("CREDENTIAL_MISSING", lack);
}

function may(state: CallState): Verdict | Promise<Verdict> {
  const { runtime, registered, session } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (state.parent !== undefined) return authorizeInside(state);
  if (tool.tier !== "read" && (session.isReadOnly || runtime.isReadOnly)) return refuseUnlessLifted(state);
  return judge(state);
}

/** A session remembers the switch as it stood when it looked last; before it refuses, it looks again. */
async function refuseUnlessLifted(state: CallState): Promise<Verdict> {
  const { runtime, session } = state;
  if (!runtime.isReadOnly) {
    await session.refresh();
    if (!session.isReadOnly) return await judge(state);
  }
  return stop("READ_ONLY", "only reads are let through for now; tell the user, or try again later");
}

function judge(state: CallState): Verdict | Promise<Verdict> {
  const { runtime, registered, session } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const engine = runtime.policy.engine;
  const input = {
    tool,
    args: state.args,
    principal: session.principal,
    session: { id: session.id, attested: session.wordsAttested },
    nowMs: state.startedAtMs,
    sinceMs: state.waitingSinceMs,
  };
  const requests = engine.neededFacts(input);
  if (requests.kind === "error") return stop("DECISION_FAILED", `rule \`${requests.rule}\` could not be decided, which denies`);
  if (requests.facts.length === 0) return decideWithHistory(state, input);
  return lookUpFacts(state, requests.facts).then((found) => {
    switch (found.kind) {
      case "failed":
        return stopWith(found.error);
      case "absent":
        return stopWith(absentOrForeign(state, found.from));
      case "facts":
        state.facts = found.facts;
        state.factsFrom = found.from;
        return decideOnFacts(state, input);
    }
  });
}

/**
 * What the facts deny is denied before anybody looks back on earlier calls: a record of somebody else must not cost more than one that is not there.
 */
function decideOnFacts(state: CallState, input: DecisionInput): Verdict | Promise<Verdict> {
  const { facts, runtime } = state;
  const first = runtime.policy.engine.decide({ ...input, facts });
  return first.effect === "deny" ? decide(state, input, input.args, []) : decideWithHistory(state, input);
}

/** Where rules look back on earlier calls, what they find is part of the decision; the gate claims it. */
function decideWithHistory(state: CallState, input: DecisionInput): Verdict | Promise<Verdict> {
  const { runtime, facts } = state;
  const narrowed = narrowedArguments(state, input);
  if (narrowed.kind === "stop") return narrowed.verdict;
  const { args } = narrowed;
  const history = runtime.policy.engine.history({ ...input, args, facts, nowMs: runtime.clock.now() });
  if (history === undefined) return decide(state, input, args, []);
  if (history.kind === "error") return stop("DECISION_FAILED", `rule \`${history.rule}\` could not be decided, which denies`);
  return lookBack(state, history.claims).then(({ held, findings }) => {
    state.history = held;
    return decide(state, input, args, findings);
  });
}

/** @param args as the rules leave them; the input holds them as they were sent. */
function decide(state: CallState, input: DecisionInput, args: JsonObject, findings: readonly HistoryFinding[]): Verdict | Promise<Verdict> {
  const { runtime, facts } = state;
  const decided = runtime.policy.engine.decide({ ...input, facts, findings });
  const withFacts = facts === noFacts ? decided : { ...decided, factDigests: digests(facts), ...cachedFrom(state) };
  const decision = state.history === undefined ? withFacts : { ...withFacts, history: claimedRules(state.history) };
  state.decision = decision;
  if (decision.effect === "deny") return stopWith(denialByHistory(decision, findings) ?? denial(state, decision));
  if (!narrowsCall(decision)) return beyondPolicy(state, input, decision);
  const applied = applyNarrowing(state, args, decision.narrowed);
  if (!(applied instanceof Promise)) return applied.kind === "proceed" ? beyondPolicy(state, { ...input, args }, decision) : applied;
  return applied.then((verdict) => (verdict.kind === "proceed" ? beyondPolicy(state, { ...input, args }, decision) : verdict));
}

function beyondPolicy(state: CallState, input: DecisionInput, decision: Decision): Verdict | Promise<Verdict> {
  // A call that is put off is decided outside when it wakes.
  if (decision.effect === "defer") return proceed;
  return state.runtime.decisionPoints.concern(input.tool) ? consult(state, input, decision) : proceed;
}

/** What decides outside is asked last, so that it never hears of calls that the policy denies. */
async function consult(state: CallState, { tool, args, principal, session }: DecisionInput, decision: Decision): Promise<Verdict> {
  const asked = { args, principal, sessionId: session.id, facts: state.facts };
  const consulted = await state.runtime.decisionPoints.consult(tool, asked, decision);
  if (consulted.kind === "broken")
    return consulted.code === "DECISION_FAILED"
      ? stop("DECISION_FAILED", `\`point:${consulted.point}\` gave no decision, which denies`)
      : stop("DECISION_UNAVAILABLE", `\`point:${consulted.point}\` could not be reached, which denies; try again later`);
  state.decision = consulted.decision;
  return consulted.decision.effect === "deny" ? stopWith(denial(state, consulted.decision)) : proceed;
}

/** Names the rule where nothing but the history denies; any other reason to deny keeps its general words. */
function denialByHistory(decision: Decision, findings: readonly HistoryFinding[]): ToolCallError | undefined {
  const ids = new Set(findings.map(({ id }) => id));
  if (!decision.reasons.every(({ rule, effect }) => effect !== "deny" || ids.has(rule))) return undefined;
  const against = findings.find(({ effect }) => effect === "deny");
  return against === undefined ? undefined : toolCallError(against.code, against.message, { retryAfterMs: against.retryAfterMs });
}

/** A look-up that the runtime makes for a call that is being decided: only ever a read, and only where an operator named the tool. */
function authorizeInside(state: CallState): Verdict {
  const { registered, parent, runtime } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const purpose = (parent as NonNullable<typeof parent>).purpose;
  if (tool.tier !== "read") return stop("PERMISSION_DENIED", `\`${tool.name}\` is no read, so it cannot serve as a ${purpose} look-up`);
  state.decision = {
    effect: "allow",
    reasons: [{ rule: `purpose:${purpose}`, effect: "allow", reason: `look-up for \`${(parent as NonNullable<typeof parent>).callId}\`` }],
    ask: undefined,
    notify: false,
    policyVersion: runtime.policy.engine.version,
    factDigests: {},
  };
  return proceed;
}

/** The record is not there: the same words as for a record of somebody else. */
function absentOrForeign(state: CallState, from: FactsFrom | undefined): ToolCallError {
  const { runtime } = state;
  state.decision = {
    effect: "deny",
    reasons: [{ rule: factAbsent, effect: "deny", reason: "a record that the policy asks about does not exist" }],
    ask: undefined,
    notify: false,
    policyVersion: runtime.policy.engine.version,
    factDigests: {},
    ...(from !== undefined && { factsFrom: from }),
  };
  return denial(state, state.decision);
}

function denial({ registered, runtime }: CallState, decision: Decision): ToolCallError {
  const { tool } = registered as NonNullable<typeof registered>;
  const broken = decision.reasons.find((reason) => reason.rule.startsWith("error:"));
  if (broken !== undefined)
    return toolCallError("DECISION_FAILED", `rule \`${broken.rule.slice("error:".length)}\` could not be decided, which denies`);
  return toolCallError(
    "PERMISSION_DENIED",
    runtime.policy.engine.denialWords(tool, decision) ??
      `not permitted: the user behind this session may not call \`${tool.name}\` with these arguments, or the record does not exist`,
  );
}

function cachedFrom({ factsFrom }: CallState): Pick<Decision, "factsFrom"> {
  return factsFrom === undefined ? {} : { factsFrom };
}

function digests(facts: Readonly<Record<string, Json>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, sha256Hex(canonicalJson(value))]));
}
