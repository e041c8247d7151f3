/**
 * What stands between a call and its upstream: the breakers and bulkheads of the tool and of its source, and the counts that health is told from.
 * A call that they let through has a permit, which hears of every attempt and gives its places back. A tool that is well costs a look into an empty map
 * and a few counters; its permit is the guard itself, so nothing is allocated.
 */
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { HealthCheckOptions } from "../domain/health-check.ts";
import type { Failure, Tool } from "../domain/tool.ts";
import { tellsOfUpstream, type BreakerEntry, type Breakers, type BreakerSettings, type BreakerView } from "./breaker.ts";
import { createBulkhead, type Bulkhead } from "./bulkhead.ts";
import { CallStats, type StatsView } from "./call-stats.ts";

/** What may be said of the upstream behind a source or one tool; what is left out comes from the limits. */
export interface Protection {
  readonly breaker?: Tool["breaker"] | undefined;
  readonly bulkhead?: Tool["bulkhead"] | undefined;
  /** Of a source: how it is asked whether it is well. Absent: only calls find out. */
  readonly healthCheck?: HealthCheckOptions | undefined;
}

/** A call that was let through. */
export interface Permit {
  /** How an attempt ended; undefined for an answer. */
  noteAttempt(failure: Failure | undefined, durationMs: number): void;
  /** Whether another attempt would be let through now. */
  mayTryAgain(): boolean;
  /** 95 % of the tool's answers came within; undefined where too few are known. */
  p95Ms(answersMin: number): number | undefined;
  /** Gives back what the call holds. Exactly once, when its last attempt is over. */
  release(): void;
}

/** What the guards say to a call. */
export type Admission =
  | { readonly kind: "permit"; readonly permit: Permit }
  | { readonly kind: "refused"; readonly why: "open" | "full" | "gone"; readonly what: "tool" | "source"; readonly retryAfterMs: number };

/** How a tool or source does. */
export interface GuardView {
  readonly breaker: BreakerView;
  readonly running: number;
  readonly waiting: number;
  readonly stats: StatsView;
}

/** The guards of one box. */
export interface Guards {
  /** Asks to let one call of the tool through; waits where its bulkheads are full. */
  admit(tool: Tool, signal: AbortSignal | undefined): Admission | Promise<Admission>;
  /**
   * Asks a source whether it is well, unless its breaker is open, and counts what `ask` finds as an attempt of a call would be; half-open it is one of the probes.
   * `ask` resolves with undefined where it learnt nothing.
   */
  check(source: string, ask: () => Promise<boolean | undefined>): Promise<void>;
  ofTool(tool: Tool): GuardView;
  /** Undefined for a source of which nothing was called yet, and for tools that code defines: they share no upstream. */
  ofSource(source: string): GuardView | undefined;
}

/** What guards are made with. */
export interface GuardParts {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly breakers: Breakers;
  /** What was said of sources, by name. */
  readonly sources?: Readonly<Record<string, Protection>> | undefined;
}

// Not the failure's own words: whoever watches over all tenants must not read what one tenant's call was told.
const troubles: Readonly<Record<Failure["kind"], string>> = {
  timeout: "did not answer in time",
  unavailable: "could not be reached, or failed on its side",
  "rate-limited": "took no more calls",
  rejected: "refused the call",
  failed: "failed while the call was carried out",
};

/** Tools that code defines say this of their source, and have no upstream in common. */
const ownSource = "local";

/** Makes them. */
export function createGuards(parts: GuardParts): Guards {
  // By the definition itself, so that guards of removed versions go with them.
  const tools = new WeakMap<Tool, ToolGuard>();
  const sources = new Map<string, UpstreamGuard>();

  function sourceGuard(source: string): UpstreamGuard | undefined {
    if (source === ownSource) return undefined;
    let guard = sources.get(source);
    if (guard === undefined) {
      const said = Object.hasOwn(parts.sources ?? {}, source) ? parts.sources?.[source] : undefined;
      guard = new UpstreamGuard(parts, { key: `source/${source}`, said, concurrentMax: parts.limits.sourceConcurrentMax });
      sources.set(source, guard);
    }
    return guard;
  }

  function guardOf(tool: Tool): ToolGuard {
    let guard = tools.get(tool);
    if (guard === undefined) {
      guard = new ToolGuard(parts, tool, sourceGuard(tool.source));
      tools.set(tool, guard);
    }
    return guard;
  }

  return {
    admit: (tool, signal) => guardOf(tool).admit(signal),
    check: async (source, ask) => await sourceGuard(source)?.check(ask),
    ofTool: (tool) => guardOf(tool).own.view(),
    ofSource: (source) => sources.get(source)?.view(),
  };
}

/** Breaker, bulkhead and counts of one upstream. */
class UpstreamGuard {
  readonly key: string;
  readonly settings: BreakerSettings;
  readonly bulkhead: Bulkhead;
  readonly stats: CallStats;
  readonly #parts: GuardParts;

  constructor(parts: GuardParts, of: { readonly key: string; readonly said: Protection | undefined; readonly concurrentMax: number }) {
    const { limits, clock } = parts;
    this.#parts = parts;
    this.key = of.key;
    this.settings = {
      failures: of.said?.breaker?.failures ?? limits.breakerFailures,
      openMs: of.said?.breaker?.openMs ?? limits.breakerOpenMs,
      probes: of.said?.breaker?.probes ?? limits.breakerProbes,
    };
    this.bulkhead = createBulkhead(clock, {
      concurrent: of.said?.bulkhead?.concurrent ?? of.concurrentMax,
      queue: of.said?.bulkhead?.queue ?? limits.bulkheadQueueMax,
      waitMs: of.said?.bulkhead?.waitMs ?? limits.bulkheadWaitMs,
    });
    this.stats = new CallStats(limits.healthWindowMs);
  }

  enter(nowMs: number): BreakerEntry | Promise<BreakerEntry> {
    return this.#parts.breakers.enter(this.key, this.settings, nowMs);
  }

  breaker(): BreakerView {
    return this.#parts.breakers.view(this.key, this.#parts.clock.monotonic());
  }

  note(pass: number, isFailure: boolean, nowMs: number): void {
    this.#parts.breakers.note({ key: this.key, settings: this.settings, pass, isFailure, nowMonotonicMs: nowMs });
  }

  cancel(pass: number): void {
    if (pass !== 0) this.#parts.breakers.cancel(this.key, pass);
  }

  async check(ask: () => Promise<boolean | undefined>): Promise<void> {
    const { clock } = this.#parts;
    const entry = await this.enter(clock.monotonic());
    if (entry.kind === "refused") return;
    const isWell = await ask();
    if (isWell === undefined) {
      this.cancel(entry.pass);
      return;
    }
    this.note(entry.pass, !isWell, clock.monotonic());
    if (!isWell) this.stats.remember({ kind: "unavailable", message: "did not say that it is well", atMs: clock.now() });
  }

  view(): GuardView {
    const stats = this.stats.view(this.#parts.clock.monotonic());
    return { breaker: this.breaker(), running: this.bulkhead.running, waiting: this.bulkhead.waiting, stats };
  }
}

const noPasses = { tool: 0, source: 0 } as const;

/** The guards of one tool: its own and that of its source. As a permit it stands for a call that closed breakers let through. */
class ToolGuard implements Permit {
  readonly own: UpstreamGuard;
  readonly shared: UpstreamGuard | undefined;
  readonly #clock: Clock;
  readonly #asPermit: Admission = { kind: "permit", permit: this };

  constructor(parts: GuardParts, tool: Tool, shared: UpstreamGuard | undefined) {
    this.#clock = parts.clock;
    this.shared = shared;
    this.own = new UpstreamGuard(parts, {
      key: `tool/${tool.name}@${tool.version}`,
      said: tool,
      concurrentMax: parts.limits.toolConcurrentMax,
    });
  }

  admit(signal: AbortSignal | undefined): Admission | Promise<Admission> {
    // Who would be refused anyway need not wait for a place.
    const shut = this.#shut();
    if (shut !== undefined) return shut;
    const first = this.own.bulkhead.enter(signal);
    if (first !== true) return this.#wait(first, signal);
    const second = this.shared?.bulkhead.enter(signal) ?? true;
    if (second !== true) return this.#waitForSource(second, signal);
    return this.#pass();
  }

  noteAttempt(failure: Failure | undefined, durationMs: number): void {
    this.noteUnder(noPasses, failure, durationMs);
  }

  mayTryAgain(): boolean {
    return this.own.breaker().state === "closed" && (this.shared === undefined || this.shared.breaker().state === "closed");
  }

  p95Ms(answersMin: number): number | undefined {
    return this.own.stats.p95Ms(answersMin, this.#clock.monotonic());
  }

  release(): void {
    this.shared?.bulkhead.leave();
    this.own.bulkhead.leave();
  }

  /** Returns whether the attempt said anything about the upstream. */
  noteUnder(passes: { readonly tool: number; readonly source: number }, failure: Failure | undefined, durationMs: number): boolean {
    // A refusal, or an error that our own side makes of a healthy answer, is an answer of the upstream; a caller that left says nothing at all.
    if (failure?.code === "CANCELLED") return false;
    const nowMs = this.#clock.monotonic();
    const isFailure = failure !== undefined && tellsOfUpstream(failure);
    this.own.note(passes.tool, isFailure, nowMs);
    // One slow tool says little of the others behind the same address; one that cannot be reached does.
    this.shared?.note(passes.source, isFailure && failure.kind === "unavailable", nowMs);
    // What a tool refuses it refuses in good health.
    const isTrouble = failure !== undefined && failure.kind !== "rejected";
    this.own.stats.note(durationMs, isTrouble, nowMs);
    this.shared?.stats.note(durationMs, isTrouble, nowMs);
    if (isTrouble) {
      const last = { kind: failure.kind, message: troubles[failure.kind], atMs: this.#clock.now() };
      this.own.stats.remember(last);
      this.shared?.stats.remember(last);
    }
    return true;
  }

  async #wait(first: boolean | Promise<boolean>, signal: AbortSignal | undefined): Promise<Admission> {
    if (!(await first)) return refusedFull("tool", signal);
    return await this.#waitForSource(this.shared?.bulkhead.enter(signal) ?? true, signal);
  }

  async #waitForSource(second: boolean | Promise<boolean>, signal: AbortSignal | undefined): Promise<Admission> {
    if (await second) return await this.#pass();
    this.own.bulkhead.leave();
    return refusedFull("source", signal);
  }

  #shut(): Admission | undefined {
    const own = this.own.breaker();
    if (own.state === "open") return refusedOpen("tool", own.retryAfterMs);
    const shared = this.shared?.breaker();
    return shared?.state === "open" ? refusedOpen("source", shared.retryAfterMs) : undefined;
  }

  /** With places in the bulkheads: past the breakers, or the places go back. */
  #pass(): Admission | Promise<Admission> {
    const nowMs = this.#clock.monotonic();
    const own = this.own.enter(nowMs);
    const shared = this.shared?.enter(nowMs) ?? closedEntry;
    if (own instanceof Promise || shared instanceof Promise) return this.#passLater(own, shared);
    return this.#passed(own, shared);
  }

  async #passLater(own: BreakerEntry | Promise<BreakerEntry>, shared: BreakerEntry | Promise<BreakerEntry>): Promise<Admission> {
    try {
      return this.#passed(await own, await shared);
    } catch (cause) {
      this.release();
      throw cause;
    }
  }

  #passed(own: BreakerEntry, shared: BreakerEntry): Admission {
    if (own.kind === "let-through" && shared.kind === "let-through") {
      if (own.pass === 0 && shared.pass === 0) return this.#asPermit;
      return { kind: "permit", permit: new ProbePermit(this, { tool: own.pass, source: shared.pass }) };
    }
    if (own.kind === "let-through") this.own.cancel(own.pass);
    if (shared.kind === "let-through") this.shared?.cancel(shared.pass);
    this.release();
    if (own.kind === "refused") return refusedOpen("tool", own.retryAfterMs);
    return refusedOpen("source", shared.kind === "refused" ? shared.retryAfterMs : 0);
  }
}

const closedEntry: BreakerEntry = { kind: "let-through", pass: 0 };

/** A call that a half-open breaker let through: its first attempt is the probe, and there is no second. */
class ProbePermit implements Permit {
  readonly #guard: ToolGuard;
  readonly #passes: { readonly tool: number; readonly source: number };
  #isSpent = false;

  constructor(guard: ToolGuard, passes: { readonly tool: number; readonly source: number }) {
    this.#guard = guard;
    this.#passes = passes;
  }

  noteAttempt(failure: Failure | undefined, durationMs: number): void {
    if (!this.#isSpent) this.#isSpent = this.#guard.noteUnder(this.#passes, failure, durationMs);
  }

  mayTryAgain(): boolean {
    return false;
  }

  p95Ms(): number | undefined {
    return undefined;
  }

  release(): void {
    if (!this.#isSpent) {
      this.#guard.own.cancel(this.#passes.tool);
      this.#guard.shared?.cancel(this.#passes.source);
    }
    this.#guard.release();
  }
}

function refusedOpen(what: "tool" | "source", retryAfterMs: number): Admission {
  return { kind: "refused", why: "open", what, retryAfterMs: Math.max(1, retryAfterMs) };
}

function refusedFull(what: "tool" | "source", signal: AbortSignal | undefined): Admission {
  return { kind: "refused", why: signal?.aborted === true ? "gone" : "full", what, retryAfterMs: fixedBounds.comeBackMs };
}
