import type { DecidedDelay, Decision, Gate, NarrowedArgument, Reason } from "../domain/decision.ts";
import type { Tier, Tool } from "../domain/tool.ts";
import { approverGroupDefault, confirmationGroup, type Rule } from "./document.ts";

/** What a rule that asks says of who answers. */
export type MatchedAsk = Pick<Rule, "approvers" | "quorum" | "isOfEach" | "confirm">;

/** What the rules said beyond denials. */
export interface Heard {
  readonly asks: readonly MatchedAsk[];
  readonly isTierWaived: boolean;
  readonly delays: readonly DecidedDelay[];
}

/**
 * Who has to answer, from the tier and the rules that ask; adds the tier's reason. Undefined where nobody has to.
 *
 * | tier | not sensitive | sensitive |
 * |---|---|---|
 * | read | runs | runs |
 * | reversible | runs, owner notified | confirmation by the user |
 * | irreversible | approval by another person, or confirmation where a rule says `confirm: self` | the same |
 * | privileged | approval by another person who has just authenticated, whatever the rules say | the same |
 */
export function askFor(tool: Tool, heard: Pick<Heard, "asks" | "isTierWaived">, reasons: Reason[]): Decision["ask"] {
  const tierGate = gateOfTier(tool, heard.isTierWaived);
  reasons.push(tierReason(tool.tier, tierGate, heard.isTierWaived));
  if (tierGate === undefined && heard.asks.length === 0) return undefined;
  const gate = gateOf(tool.tier, tierGate, heard.asks);
  const needsFreshAuthentication = tool.tier === "privileged";
  if (gate === "confirmation") return { gate, approvers: [confirmationGroup], quorum: 1, needsFreshAuthentication };
  const isOfEach = heard.asks.some((ask) => ask.isOfEach === true);
  const approvers = isOfEach ? eachOf(heard.asks) : approversOf(heard.asks);
  if (approvers.length === 0)
    reasons.push({ rule: "approvers:conflict", effect: "deny", reason: "the rules that ask name approvers who have no group in common" });
  const most = heard.asks.reduce((quorum, ask) => Math.max(quorum, ask.quorum), 1);
  const quorum = isOfEach ? Math.max(most, approvers.length) : most;
  return { gate, approvers, quorum, ...(isOfEach && { isOfEach }), needsFreshAuthentication };
}

/** An irreversible call is never changed silently: where nothing else asks, somebody looks at it as it would run. */
export function askForChange(
  tool: Tool,
  changes: readonly NarrowedArgument[] | undefined,
  asked: Decision["ask"],
  reasons: Reason[],
): Decision["ask"] {
  if (changes === undefined || tool.tier === "read" || tool.tier === "reversible") return asked;
  // A reason of its own, so that neither a waiver nor the user's words answer for it.
  reasons.push({ rule: changedRule, effect: "ask", reason: "a rule changed the arguments of a call that cannot be taken back" });
  if (asked !== undefined) return asked;
  return { gate: "approval", approvers: [approverGroupDefault], quorum: 1, needsFreshAuthentication: false };
}

/** Id of the built-in reason that an irreversible call does not run as it was made. */
const changedRule = "changed";

function gateOfTier(tool: Tool, isWaived: boolean): Gate | undefined {
  // First, so that no waiver is ever consulted for it.
  if (tool.tier === "privileged") return "approval";
  if (tool.tier === "read" || isWaived) return undefined;
  if (tool.tier === "irreversible") return "approval";
  return tool.isSensitive ? "confirmation" : undefined;
}

function gateOf(tier: Tier, tierGate: Gate | undefined, asks: readonly MatchedAsk[]): Gate {
  if (tier === "privileged") return "approval";
  if (asks.some((ask) => ask.confirm === undefined)) return "approval";
  return asks.length > 0 ? "confirmation" : (tierGate as Gate);
}

/** Groups of which every rule that names any accepts an answer. */
function approversOf(asks: readonly MatchedAsk[]): readonly string[] {
  let groups: readonly string[] | undefined;
  for (const { approvers } of asks) {
    if (approvers === undefined) continue;
    groups = groups === undefined ? approvers : groups.filter((group) => approvers.includes(group));
  }
  return groups === undefined ? [approverGroupDefault] : [...new Set(groups)].sort();
}

/**
 * All groups that any rule wants a person of. What the other rules want has to be met by those people, whoever they are; otherwise nobody could say that
 * every rule was heard, and there is none.
 */
function eachOf(asks: readonly MatchedAsk[]): readonly string[] {
  const groups = [...new Set(asks.flatMap(({ isOfEach, approvers }) => (isOfEach === true ? (approvers ?? []) : [])))].sort();
  const isMet = asks.every(({ isOfEach, approvers, quorum }) => {
    if (isOfEach === true || approvers === undefined) return true;
    const common = groups.filter((group) => approvers.includes(group)).length;
    return common === groups.length || common >= quorum;
  });
  return isMet ? groups : [];
}

type TierReasons = Readonly<Record<Tier, Reason>>;

function reasonsOf(effect: "allow" | "ask", words: Readonly<Record<Tier, string>>): TierReasons {
  const reason = (tier: Tier): Reason => Object.freeze({ rule: `tier:${tier}`, effect, reason: words[tier] });
  return { read: reason("read"), reversible: reason("reversible"), irreversible: reason("irreversible"), privileged: reason("privileged") };
}

const running = reasonsOf("allow", {
  read: "a read runs",
  reversible: "a reversible call runs and is marked for its owner",
  irreversible: "",
  privileged: "",
});
const asking = reasonsOf("ask", {
  read: "",
  reversible: "a reversible call on sensitive data wants the user's confirmation",
  irreversible: "an irreversible call wants a person's answer",
  privileged: "a privileged call always wants an approver who has just authenticated",
});
const waived = reasonsOf("allow", {
  read: "a read runs",
  reversible: "the question of the tier is waived; it is marked for its owner",
  irreversible: "the question of the tier is waived; it is marked for its owner",
  privileged: "",
});

function tierReason(tier: Tier, gate: Gate | undefined, isWaived: boolean): Reason {
  if (gate !== undefined) return asking[tier];
  return isWaived ? waived[tier] : running[tier];
}
