import { isoTime } from "../base/clock.ts";
import type { Decision, Reason } from "../domain/decision.ts";
import { shortVersion } from "./version.ts";

/**
 * A recorded decision in words for people, several lines: what was decided, who has to answer, every reason with its rule, strongest first, and the
 * policy that decided. Read from the record, never recomputed. Not for a model: it betrays rules and the existence of records.
 */
export function explainDecision(decision: Decision): string {
  const lines = [headline(decision)];
  for (const reason of byStrength(decision.reasons)) lines.push(`  ${reason.effect.padEnd(5)} ${reason.rule}: ${oneLine(reason.reason)}`);
  for (const { argument, operator, rule } of decision.narrowed ?? []) lines.push(`  changed \`${argument}\` by ${operator} of ${rule}`);
  const { delay } = decision;
  if (delay !== undefined) lines.push(`  waits until ${isoTime(delay.wakeAtMs)}, at most until ${isoTime(delay.expiresAtMs)}`);
  const facts = Object.entries(decision.factDigests);
  if (facts.length > 0)
    lines.push(`  facts ${facts.map(([name, digest]) => `${name} (${digest.slice(0, 12)}${fromOf(decision, name)})`).join(", ")}`);
  if (decision.history !== undefined && decision.history.length > 0) lines.push(`  counts for ${decision.history.join(", ")}`);
  lines.push(`  policy ${shortVersion(decision.policyVersion)}`);
  return lines.join("\n");
}

function fromOf({ factsFrom }: Decision, name: string): string {
  return factsFrom?.[name] === undefined ? "" : `, cached from ${factsFrom[name]}`;
}

function headline(decision: Decision): string {
  if (decision.effect !== "ask" || decision.ask === undefined) {
    const words = { deny: "denied", defer: "deferred", ask: "asked a person", modify: "allowed with changes", allow: "allowed" };
    return words[decision.effect] + (decision.notify ? ", the tool's owner was notified" : "");
  }
  const { gate, approvers, quorum, isOfEach, needsFreshAuthentication } = decision.ask;
  if (gate === "confirmation") return "asked the user to confirm";
  const people = quorum === 1 ? "one person" : `${quorum} people`;
  const fresh = needsFreshAuthentication ? ", who must have just authenticated" : "";
  const each = isOfEach === true ? ", at least one of each," : "";
  return `asked ${people} of ${approvers.map((group) => `\`${group}\``).join(", ")}${each} to approve${fresh}`;
}

const strengths: readonly Reason["effect"][] = ["deny", "defer", "ask", "modify", "allow"];

function byStrength(reasons: readonly Reason[]): readonly Reason[] {
  return [...reasons].sort((left, right) => strengths.indexOf(left.effect) - strengths.indexOf(right.effect));
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}
