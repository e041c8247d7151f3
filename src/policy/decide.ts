import { canonicalJson } from "../base/canonical-json.ts";
import type { Limits } from "../base/limits.ts";
import { sha256Hex } from "../base/hash.ts";
import type { DecidedDelay, Decision, Reason } from "../domain/decision.ts";
import type { Json } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { askFor, askForChange, type MatchedAsk, type Heard } from "./ask.ts";
import { delayOf, together } from "./delay.ts";
import type { PolicyDocument } from "./document.ts";
import { forbiddenPlace } from "./domains.ts";
import { narrowCall, type Narrowing } from "./narrowing.ts";
import type { Grant, Grants } from "./grants.ts";
import { Failure, type Scope } from "./scope.ts";
import { scopeOf } from "./scope-of.ts";
import type { DecisionInput } from "./decision-input.ts";
import type { HistoryFinding } from "./call-history.ts";
import type { ToolPlan } from "./tool-plan.ts";

/** What a decision is made with. */
export interface Deciding {
  readonly policy: PolicyDocument;
  readonly version: string;
  readonly grants: Grants;
  readonly plan: ToolPlan;
  readonly limits: Limits;
}

type Input = DecisionInput & {
  readonly facts: Readonly<Record<string, Json>>;
  readonly findings?: readonly HistoryFinding[];
};

/**
 * Decides one call: what is not granted is denied; every rule of the tool is heard; deny wins over ask, ask over allow; a rule that breaks denies.
 * INVARIANT: rules add denials and questions, and may take away only the question of the reversible and irreversible tiers.
 */
export function decideCall(deciding: Deciding, input: Input): Decision {
  const { plan, version, grants } = deciding;
  const { tool } = input;
  const grant = grants.of(input.principal.roles, tool);
  if (grant.by === undefined)
    return denied([{ rule: "grant", effect: "deny", reason: `no role of the user grants \`${tool.name}\`` }], version, {});
  const reasons: Reason[] = [grantReason(grant.by)];
  addLimits(deciding, grant, input, reasons);
  const scope = scopeOf(plan, input, input.facts);
  const narrowing = plan.narrowing.length === 0 ? undefined : narrowCall(plan.narrowing, tool, scope, deciding.limits);
  const changes = narrowing?.kind === "narrowed" ? narrowing.changes : undefined;
  const ruled = narrowing === undefined ? hearRules(plan, scope, reasons) : hearNarrowed(deciding, input, narrowing, reasons);
  const heard = withFindings(ruled, input.findings, reasons);
  const factDigests = plan.facts.length === 0 ? noDigests : digests(input.facts);
  const asked = askForChange(tool, changes, askFor(tool, heard, reasons), reasons);
  if (reasons.some(isDenial)) return denied(reasons, version, factDigests);
  const delay = together(heard.delays);
  if (delay !== undefined) {
    const effect = { effect: "defer", ask: undefined, notify: false, delay } as const;
    return { ...effect, reasons, policyVersion: version, factDigests, ...(changes !== undefined && { narrowed: changes }) };
  }
  const decision: Decision = {
    effect: asked !== undefined ? "ask" : changes === undefined ? "allow" : "modify",
    reasons,
    ask: asked,
    notify: asked === undefined && isNotified(tool, deciding.policy),
    policyVersion: version,
    factDigests,
  };
  return changes === undefined ? decision : { ...decision, narrowed: changes };
}

/**
 * Hears the rules about the call as it was made and as it would run: what denies or asks either time counts; waived is only what is waived for what would
 * run.
 */
function hearNarrowed(deciding: Deciding, input: Input, narrowing: Narrowing, reasons: Reason[]): Heard {
  const { plan } = deciding;
  if (narrowing.kind !== "narrowed") {
    reasons.push(
      narrowing.kind === "error"
        ? {
            rule: `error:${narrowing.rule}`,
            effect: "deny",
            reason: `rule \`${narrowing.rule}\` could not be decided: ${narrowing.problem}`,
          }
        : { rule: narrowing.rule, effect: "deny", reason: `nothing of \`${narrowing.argument}\` may stay` },
    );
    return hearRules(plan, scopeOf(plan, input, input.facts), reasons);
  }
  const before: Reason[] = [];
  const asMade = hearRules(plan, scopeOf(plan, input, input.facts), before);
  const stricter = before.filter(({ effect }) => effect === "deny" || effect === "defer" || effect === "ask");
  const after: Reason[] = [];
  const changed = { ...input, args: narrowing.args };
  const asRun = hearRules(plan, scopeOf(plan, changed, input.facts), after);
  const rules = new Set(narrowing.changes.map(({ rule }) => rule));
  const narrowed = plan.narrowing.flatMap(({ rule, reason }) => (rules.has(rule.id) ? [reason] : []));
  reasons.push(...new Set([...stricter, ...narrowed, ...after]));
  return {
    asks: [...new Set([...asMade.asks, ...asRun.asks])],
    isTierWaived: asRun.isTierWaived,
    delays: [...asMade.delays, ...asRun.delays],
  };
}

const noDigests: Readonly<Record<string, string>> = Object.freeze({});
const grantReasons = new WeakMap<NonNullable<Grant["by"]>, Reason>();

/** The same grant gives the same reason, so it is made once. */
function grantReason(by: NonNullable<Grant["by"]>): Reason {
  let reason = grantReasons.get(by);
  if (reason === undefined) {
    reason = { rule: "grant", effect: "allow", reason: `role \`${by.role}\` grants \`${by.entry}\`` };
    grantReasons.set(by, reason);
  }
  return reason;
}

/** Whether a reason denies. */
export function isDenial(reason: Reason): boolean {
  return reason.effect === "deny";
}

/** The owner hears of what changed something, and of reads whose arguments left for a place that nobody limited. */
function isNotified(tool: Tool, policy: PolicyDocument): boolean {
  if (tool.tier !== "read") return true;
  return tool.isEgress && policy.limits.allowedDomains === undefined;
}

function addLimits(deciding: Deciding, grant: Grant, input: Input, reasons: Reason[]): void {
  const { tool } = input;
  standingDenials(deciding, grant, tool, reasons);
  if (!tool.isEgress) return;
  const allowed = deciding.policy.limits.allowedDomains;
  if (allowed === undefined) {
    reasons.push({ rule: "egress:unlimited", effect: "allow", reason: "the arguments leave and the policy names no `allowedDomains`" });
    return;
  }
  const place = forbiddenPlace(tool, input.args, allowed);
  if (place !== undefined) reasons.push({ rule: "limits:domains", effect: "deny", reason: place });
}

/** Adds what denies the tool whatever the arguments are. */
export function standingDenials({ plan }: Pick<Deciding, "plan">, grant: Grant, tool: Tool, reasons: Reason[]): void {
  if (!grant.hasPermission)
    reasons.push({ rule: "permission", effect: "deny", reason: `no role of the user holds the permission \`${tool.permission ?? ""}\`` });
  if (plan.blockedBy !== undefined)
    reasons.push({ rule: "limits:blocked", effect: "deny", reason: `\`${plan.blockedBy}\` is a blocked action` });
}

const silence: readonly MatchedAsk[] = [];
const noDelay: readonly DecidedDelay[] = [];

function hearRules(plan: ToolPlan, scope: Scope, reasons: Reason[]): Heard {
  let asks: MatchedAsk[] | undefined;
  let isTierWaived = false;
  let delays: DecidedDelay[] | undefined;
  for (const ready of plan.rules) {
    const { rule, condition, reason } = ready;
    const holds = condition === undefined || condition(scope);
    if (holds === false) continue;
    if (holds instanceof Failure) {
      reasons.push(undecided(rule.id, holds));
      continue;
    }
    // Whether it changed anything is known to the narrowing alone.
    if (rule.effect === "modify") continue;
    if (rule.effect === "defer") {
      const delay = ready.delay === undefined ? undelayed : delayOf(ready.delay, scope, scope.sinceMs ?? scope.nowMs);
      if (delay === undefined) continue;
      if (delay instanceof Failure) {
        reasons.push(undecided(rule.id, delay));
        continue;
      }
      (delays ??= []).push(delay);
    }
    reasons.push(reason);
    if (rule.effect === "ask") (asks ??= []).push(rule);
    else if (rule.effect === "allow") isTierWaived = true;
  }
  return { asks: asks ?? silence, isTierWaived, delays: delays ?? noDelay };
}

const undelayed = new Failure("it does not say what it waits for");

function undecided(rule: string, { message }: Failure): Reason {
  return { rule: `error:${rule}`, effect: "deny", reason: `rule \`${rule}\` could not be decided: ${message}` };
}

/** What earlier calls say against this one denies or asks like a rule that holds. */
function withFindings(heard: Heard, findings: readonly HistoryFinding[] | undefined, reasons: Reason[]): Heard {
  if (findings === undefined || findings.length === 0) return heard;
  for (const { id, effect, reason, message } of findings) reasons.push({ rule: id, effect, reason: reason ?? message });
  const asks = findings.filter(({ effect }) => effect === "ask").map(({ approvers }) => ({ approvers, quorum: 1, confirm: undefined }));
  return { ...heard, asks: [...heard.asks, ...asks] };
}

function denied(reasons: readonly Reason[], policyVersion: string, factDigests: Readonly<Record<string, string>>): Decision {
  return { effect: "deny", reasons, ask: undefined, notify: false, policyVersion, factDigests };
}

function digests(facts: Readonly<Record<string, Json>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, sha256Hex(canonicalJson(value))]));
}
