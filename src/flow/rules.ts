/**
 * The flow rules. The model is taken for hostile: a consequential call may happen without a question only where the user asked for such an action,
 * and where everything that steers it comes from the user, from trusted data or from an entry of a directory.
 */
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import type { Intent } from "./intent.ts";
import type { Origin } from "./restrictions.ts";

/** Where a value of an argument came from. */
export type Source =
  /** The user said it. */
  | "user"
  /** A trusted output holds it. */
  | "trusted"
  /** It is an entry of a directory. */
  | "directory"
  /** A person who approved a plan named it exactly. */
  | "plan"
  /** It stands in the field of the same name of a record that the user named, or is a link at a place that they named. */
  | "named-record"
  /** Untrusted text holds it. */
  | "untrusted"
  /** It was read nowhere: the model made it up, or worked it out. */
  | "nowhere";

/** One value that steers or leaves, and where it came from. */
export interface Traced {
  readonly pointer: string;
  /** Which address inside the argument, by `addressesIn`; absent: the argument as a whole. */
  readonly part?: number;
  readonly role: ArgumentRole;
  /** Who says what the argument means: its tool, its name, or nobody. */
  readonly roleFrom: "declared" | "name" | "nobody";
  readonly source: Source;
  /** The call that brought it, where one did and it is remembered. */
  readonly origin: Origin | undefined;
  /** The value as it stands in the arguments, or the part of it that counts: private. */
  readonly text: string;
}

/** Content, or an address, that repeats what only certain readers may have. */
export interface GuardedValue extends Traced {
  /** For people; recorded, so it names no value. */
  readonly why: string;
}

/** Ids of the rules. */
export type FlowRule = "flow:R1" | "flow:R2" | "flow:R3" | "flow:R4" | "flow:R5";

/** One rule that a call breaks. */
export interface FlowReason {
  readonly rule: FlowRule;
  /** The argument that it is about; undefined for the call as a whole. */
  readonly pointer: string | undefined;
  /** For people. */
  readonly reason: string;
  readonly traced: Traced | undefined;
}

/** What the flow rules say of a call. */
export interface FlowVerdict {
  readonly effect: "allow" | "ask" | "deny";
  readonly reasons: readonly FlowReason[];
  /** Everything that steers the call was said by the user, who asked for it. */
  readonly isWhollyFromUser: boolean;
}

/** What the rules look at. */
export interface FlowFacts {
  readonly tool: Pick<Tool, "tier" | "isEgress">;
  readonly intent: Intent;
  /** Values that steer: targets, references, amounts, dates, commands, credentials. */
  readonly steering: readonly Traced[];
  /** Addresses, links and accounts in content. */
  readonly carried: readonly Traced[];
  /** Content that only certain readers may have, where not everybody who reads it may. */
  readonly guarded: readonly GuardedValue[];
  /** Nobody told what the user said. */
  readonly isBlind: boolean;
  /** What is not known counts as not given. */
  readonly isStrict: boolean;
  /** A policy rule allows such calls without their tier's question, which stands for being asked for. */
  readonly isStanding: boolean;
  /** The call fits a step of a plan that a person approved for this session, which stands for being asked for. */
  readonly isPlanned: boolean;
  /** The user said that details are to be taken from what is read. */
  readonly isPointed: boolean;
  /** The user asked for whatever another text says, and how one asks for this tool is only guessed: then their words refuse nothing. */
  readonly isDelegated: boolean;
  /** Whether untrusted text was read at all. */
  readonly hasReadUntrusted: boolean;
}

const vouched: readonly Source[] = ["user", "plan", "trusted", "directory", "named-record"];

/** Judges a consequential call. */
export function judgeFlow(facts: FlowFacts): FlowVerdict {
  const reasons: FlowReason[] = [];
  const isPlainFetch = facts.tool.tier === "read";
  const isFinal = facts.tool.tier === "irreversible" || facts.tool.tier === "privileged";
  if (!facts.isStanding) {
    if (facts.intent === "not-asked") reasons.push(about("flow:R1", "the user did not ask for this kind of action"));
    else if (facts.intent === "unknown" && (isFinal || facts.isStrict))
      reasons.push(about("flow:R1", "whether the user asked for this is not known"));
  }
  const loose = facts.steering.filter((traced) => isLoose(traced, facts));
  for (const traced of loose) reasons.push(about("flow:R2", looseWords(traced), traced));
  for (const traced of facts.carried) {
    if (traced.source === "untrusted") reasons.push(about("flow:R3", "an address or link in it is known only from untrusted text", traced));
    else if (traced.source === "nowhere" && facts.hasReadUntrusted)
      reasons.push(about("flow:R3", "an address or link in it was read nowhere, after untrusted text had been read", traced));
  }
  for (const traced of facts.guarded) reasons.push(about("flow:R4", traced.why, traced));
  if (isFinal && !facts.isStanding && !facts.isPlanned) {
    const targets = facts.steering.filter(({ role }) => role === "target" || role === "ref");
    const unnamed = targets.find(({ source, origin }) => !(source === "user" || (source === "trusted" && origin?.isNamed === true)));
    if (facts.isBlind) reasons.push(about("flow:R5", "it cannot be undone, and nobody told what the user said"));
    else if (unnamed !== undefined)
      reasons.push(about("flow:R5", "it cannot be undone, and the user did not name what it concerns", unnamed));
  }
  // Days and amounts are worked out and copied all the time: on their own they lead to a question, not to a refusal.
  const isUntrusted = loose.some(
    ({ role, source, roleFrom }) =>
      role !== "amount" && role !== "date" && (source === "untrusted" || (facts.hasReadUntrusted && roleFrom === "declared")),
  );
  // Nothing that the user said leads to an irreversible call for which neither the action nor its object was named.
  const isBaseless = facts.hasReadUntrusted && reasons.some(({ rule }) => rule === "flow:R5");
  const isRefused =
    facts.intent === "not-asked" && !facts.isStanding && !isPlainFetch && ((isUntrusted && !facts.isDelegated) || isBaseless);
  return {
    effect: reasons.length === 0 ? "allow" : isRefused ? "deny" : "ask",
    reasons,
    isWhollyFromUser:
      reasons.length === 0 &&
      facts.intent === "asked" &&
      (facts.steering.length > 0 || facts.isPlanned) &&
      facts.steering.every(({ source }) => source === "user" || source === "plan"),
  };
}

/** Whether nobody vouches for a value that steers. */
function isLoose({ source, role, roleFrom }: Traced, facts: FlowFacts): boolean {
  if (vouched.includes(source)) return false;
  if (source === "untrusted") return !(role === "date" && facts.isPointed && facts.intent === "asked" && facts.tool.tier === "reversible");
  // An argument that means nothing known may hold anything; only where it was read counts against it.
  if (roleFrom === "nobody") return false;
  // A day may be worked out; what nobody can know is not held against a call whose words are unknown.
  return role !== "date" && (!facts.isBlind || facts.isStrict);
}

function looseWords({ role, source, origin }: Traced): string {
  if (role === "content") return "the user said what it is to be called, and this name comes from untrusted text";
  const what = `the ${role}`;
  if (source === "nowhere") return `${what} was not said by the user and was read nowhere`;
  return origin === undefined ? `${what} comes from untrusted text` : `${what} comes from untrusted text, read by \`${origin.tool}\``;
}

function about(rule: FlowRule, reason: string, traced?: Traced): FlowReason {
  return { rule, pointer: traced?.pointer, reason, traced };
}
