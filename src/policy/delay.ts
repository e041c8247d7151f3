/**
 * Rules that put a call off: until a time, until a condition holds, or for a while. Pure: whether a call still waits is worked out anew from its facts and
 * the time each time it is judged, so nothing is remembered but when it was first put off.
 */
import type { Limits } from "../base/limits.ts";
import type { DecidedDelay } from "../domain/decision.ts";
import { compileExpression } from "./condition.ts";
import type { PolicyDocument, RuleDelay } from "./document.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { Failure, failure, type Evaluate, type Scope, type Value } from "./scope.ts";

/** A rule's delay, ready for calls. */
export interface ReadyDelay {
  readonly wait: { readonly kind: "until"; readonly until: Evaluate } | { readonly kind: "for"; readonly forMs: number };
  readonly expiresMs: number;
  readonly checkMs: number;
  readonly factNames: readonly string[];
}

/** Makes a delay ready; what cannot be read breaks when it is used, which denies. */
export function readyDelay({ wait, expiresMs }: RuleDelay, policy: PolicyDocument, limits: Limits): ReadyDelay {
  const common = { expiresMs: expiresMs ?? limits.deferralExpiryMs, checkMs: limits.deferralCheckMs };
  if (wait.kind === "for") return { ...common, wait, factNames: [] };
  const parsed = parseExpression(wait.until, { variables: conditionVariables, factNames: Object.keys(policy.facts) }, limits);
  if ("problem" in parsed) return { ...common, wait: { kind: "until", until: () => failure(parsed.problem) }, factNames: [] };
  return { ...common, wait: { kind: "until", until: compileExpression(parsed, limits) }, factNames: [...parsed.factNames] };
}

/** How long a call is put off by one rule that holds; undefined where it need not wait any longer. */
export function delayOf({ wait, expiresMs, checkMs }: ReadyDelay, scope: Scope, sinceMs: number): DecidedDelay | Failure | undefined {
  const wakeAtMs = wait.kind === "for" ? sinceMs + wait.forMs : untilMs(wait.until(scope), scope.nowMs + checkMs);
  if (wakeAtMs instanceof Failure) return wakeAtMs;
  return wakeAtMs === undefined || wakeAtMs <= scope.nowMs ? undefined : { wakeAtMs, expiresAtMs: sinceMs + expiresMs };
}

/** A call that several rules put off waits for the last of them, and no longer than the strictest allows. */
export function together(delays: readonly DecidedDelay[]): DecidedDelay | undefined {
  if (delays.length === 0) return undefined;
  const expiresAtMs = Math.min(...delays.map((delay) => delay.expiresAtMs));
  return { wakeAtMs: Math.min(expiresAtMs, Math.max(...delays.map((delay) => delay.wakeAtMs))), expiresAtMs };
}

/** Undefined: the condition holds. */
function untilMs(value: Value | Failure, checkAtMs: number): number | Failure | undefined {
  if (value instanceof Failure) return value;
  if (value === true) return undefined;
  if (value === false) return checkAtMs;
  return timeMs(value) ?? failure("`until` is neither a time nor true or false");
}

/** A time in the library's terms (a wrapped `google.protobuf.Timestamp`), in milliseconds. */
function timeMs(value: Value): number | undefined {
  if (typeof value !== "object" || value === null || !("message" in value)) return undefined;
  const {
    $typeName: name,
    seconds,
    nanos,
  } = (value.message ?? {}) as unknown as {
    readonly $typeName?: unknown;
    readonly seconds?: unknown;
    readonly nanos?: unknown;
  };
  if (name !== "google.protobuf.Timestamp" || typeof seconds !== "bigint") return undefined;
  return Number(seconds) * 1_000 + Math.ceil(Number(nanos ?? 0) / 1_000_000);
}
