/**
 * Circuit breakers: what keeps failing is left alone for a while. A breaker is closed, open, or half-open; half-open it lets a bounded number of probes
 * through, and what they find closes or opens it. Only what says something about the upstream is counted (`tellsOfUpstream`).
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Failure } from "../domain/tool.ts";

/** When a breaker opens, for how long, and how it closes again. */
export interface BreakerSettings {
  /** Consecutive failures that open it. Default `breakerFailures`. */
  readonly failures: number;
  /** Open for so long before the first probe. Default `breakerOpenMs`. */
  readonly openMs: number;
  /** Probes that a half-open breaker lets through, and that must all succeed to close it. Default `breakerProbes`. */
  readonly probes: number;
}

/** What a breaker says to a call. A pass of 0 is that of a closed breaker; any other number marks the call as a probe, for `note` and `cancel`. */
export type BreakerEntry =
  | { readonly kind: "let-through"; readonly pass: number }
  | { readonly kind: "refused"; readonly retryAfterMs: number };

/** Where a breaker stands. */
export interface BreakerView {
  readonly state: "closed" | "open" | "half-open";
  /** Consecutive failures so far, while it is closed. */
  readonly failureCount: number;
  /** When to come back, while it is open. 0 otherwise. */
  readonly retryAfterMs: number;
}

/**
 * The port to the state of all breakers. An implementation that shares it between processes may answer `enter` later, but should do so only for a breaker
 * that is not closed: a closed one is asked on the way of every call. INVARIANT: in one half-open period no more than `probes` calls are let through.
 * What a shared one lets through it must count as lost when its process dies. The contract is `breaker.contract.ts`.
 */
export interface Breakers {
  /** Asks to let one call through. Who is let through with a pass other than 0 ends it with exactly one `note` or `cancel`. */
  enter(key: string, settings: BreakerSettings, nowMonotonicMs: number): BreakerEntry | Promise<BreakerEntry>;
  /** How an attempt ended that was let through with `pass`. What an earlier period let through says nothing about this one, and is not counted. */
  note(attempt: {
    readonly key: string;
    readonly settings: BreakerSettings;
    readonly pass: number;
    readonly isFailure: boolean;
    readonly nowMonotonicMs: number;
  }): void;
  /** A probe that ended without a word on the upstream: its place is free again. */
  cancel(key: string, pass: number): void;
  /** Where it stands, without asking to be let through. */
  view(key: string, nowMonotonicMs: number): BreakerView;
}

/** Whether a failure says that the upstream is in trouble: no answer, no connection, or a failure on its side. A refusal says that it is well. */
export function tellsOfUpstream(failure: Failure): boolean {
  return failure.code === undefined && (failure.kind === "timeout" || failure.kind === "unavailable");
}

interface Breaker {
  failureCount: number;
  /** 0 while it is closed. */
  openUntilMs: number;
  /** Number of the half-open period, 0 outside of one. */
  period: number;
  probesOut: number;
  probesGood: number;
}

const letThrough: BreakerEntry = { kind: "let-through", pass: 0 };
const closedView: BreakerView = { state: "closed", failureCount: 0, retryAfterMs: 0 };

/** Breakers that can be told what somebody else found out. */
export interface SettableBreakers extends Breakers {
  /** Open until a time, and half-open from then on. */
  open(key: string, untilMonotonicMs: number): void;
  close(key: string): void;
}

/** Breakers in the memory of one process. One that is closed and has no failure takes no room. */
export function createLocalBreakers(): SettableBreakers {
  return new LocalBreakers();
}

class LocalBreakers implements SettableBreakers {
  readonly #breakers = new Map<string, Breaker>();
  #lastPeriod = 0;

  enter(key: string, settings: BreakerSettings, nowMs: number): BreakerEntry {
    const breaker = this.#breakers.get(key);
    if (breaker === undefined || breaker.openUntilMs === 0) return letThrough;
    if (nowMs < breaker.openUntilMs) return { kind: "refused", retryAfterMs: Math.ceil(breaker.openUntilMs - nowMs) };
    if (breaker.period === 0) {
      this.#lastPeriod += 1;
      breaker.period = this.#lastPeriod;
      breaker.probesOut = 0;
      breaker.probesGood = 0;
    }
    if (breaker.probesOut + breaker.probesGood >= settings.probes) return { kind: "refused", retryAfterMs: fixedBounds.comeBackMs };
    breaker.probesOut += 1;
    return { kind: "let-through", pass: breaker.period };
  }

  note(attempt: Parameters<Breakers["note"]>[0]): void {
    const { key, settings, pass, isFailure, nowMonotonicMs } = attempt;
    const breaker = this.#breakers.get(key);
    if (breaker === undefined) {
      if (isFailure && pass === 0) this.#count(key, { failureCount: 0, openUntilMs: 0, period: 0, probesOut: 0, probesGood: 0 }, attempt);
      return;
    }
    if (pass === 0 && breaker.openUntilMs === 0) {
      if (isFailure) this.#count(key, breaker, attempt);
      else this.#breakers.delete(key);
      return;
    }
    if (pass === 0 || pass !== breaker.period) return;
    breaker.probesOut -= 1;
    if (isFailure) {
      breaker.openUntilMs = nowMonotonicMs + settings.openMs;
      breaker.period = 0;
      return;
    }
    breaker.probesGood += 1;
    if (breaker.probesGood >= settings.probes) this.#breakers.delete(key);
  }

  cancel(key: string, pass: number): void {
    const breaker = this.#breakers.get(key);
    if (breaker !== undefined && pass !== 0 && pass === breaker.period) breaker.probesOut -= 1;
  }

  view(key: string, nowMs: number): BreakerView {
    const breaker = this.#breakers.get(key);
    if (breaker === undefined) return closedView;
    if (breaker.openUntilMs === 0) return { state: "closed", failureCount: breaker.failureCount, retryAfterMs: 0 };
    const retryAfterMs = Math.max(0, Math.ceil(breaker.openUntilMs - nowMs));
    return { state: retryAfterMs > 0 ? "open" : "half-open", failureCount: breaker.failureCount, retryAfterMs };
  }

  open(key: string, untilMonotonicMs: number): void {
    // 0 would be a closed one.
    const openUntilMs = untilMonotonicMs === 0 ? 1 : untilMonotonicMs;
    this.#breakers.set(key, { failureCount: 0, openUntilMs, period: 0, probesOut: 0, probesGood: 0 });
  }

  close(key: string): void {
    this.#breakers.delete(key);
  }

  #count(key: string, breaker: Breaker, { settings, nowMonotonicMs }: Parameters<Breakers["note"]>[0]): void {
    breaker.failureCount += 1;
    if (breaker.failureCount >= settings.failures) breaker.openUntilMs = nowMonotonicMs + settings.openMs;
    this.#breakers.set(key, breaker);
  }
}
