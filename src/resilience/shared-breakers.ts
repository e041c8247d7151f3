/**
 * Breakers that several processes keep together. A closed one costs what a local one does: each process counts the failures that it sees itself. When one opens or
 * closes, that is news, which the processes tell each other from time to time; the latest news of a breaker is true. Half-open, one process probes: the one
 * that claims the period first. Its claim is good for as long as a breaker stays open, so that probes of a process that died are not waited for.
 */
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { createLocalBreakers, type BreakerEntry, type Breakers, type BreakerSettings } from "./breaker.ts";

/** What is told of one breaker. Times are wall times in milliseconds. */
export interface BreakerNews {
  readonly atMs: number;
  /** Until when it is open; 0 when it closed. */
  readonly untilMs: number;
}

/** Breakers whose news can be exchanged. */
export interface SharedBreakers extends Breakers {
  /** News that is younger than `breakerNewsMs`, by breaker; undefined when nothing new happened here since this was last asked. */
  news(): Readonly<Record<string, BreakerNews>> | undefined;
  /** What another process told. */
  hear(news: Readonly<Record<string, BreakerNews>>): void;
}

/** What they need from outside. */
export interface SharedBreakerParts {
  readonly clock: Clock;
  /** Claims a name for this process until it is over; false where another process has it. May reject. */
  readonly claim: (name: string, forMs: number) => Promise<boolean>;
}

interface Claimed {
  readonly period: string;
  /** Undefined while it is not known yet. */
  isOwn: boolean | undefined;
  readonly asking: Promise<boolean>;
}

const othersProbe: BreakerEntry = { kind: "refused", retryAfterMs: fixedBounds.comeBackMs };

/** Makes them. */
export function createSharedBreakers(parts: SharedBreakerParts): SharedBreakers {
  const { clock, claim } = parts;
  const local = createLocalBreakers();
  const known = new Map<string, BreakerNews>();
  const claims = new Map<string, Claimed>();
  let isNew = false;

  const wallMs = (monotonicMs: number): number => clock.now() + monotonicMs - clock.monotonic();

  function claimed(key: string, settings: BreakerSettings, nowMs: number): Claimed {
    const untilMs = known.get(key)?.untilMs ?? 0;
    const periodMs = Math.max(settings.openMs, fixedBounds.probePeriodMsMin);
    const period = `${key}/${untilMs}/${Math.floor((wallMs(nowMs) - untilMs) / periodMs)}`;
    const before = claims.get(key);
    if (before?.period === period) return before;
    const asking = claim(period, 2 * periodMs).then(
      (isOwn) => isOwn,
      // Nobody can be told apart while the store is away; then nobody probes.
      () => false,
    );
    const made: Claimed = { period, isOwn: undefined, asking };
    void asking.then((isOwn) => (made.isOwn = isOwn));
    claims.set(key, made);
    return made;
  }

  function tell(key: string, before: "closed" | "open" | "half-open", nowMs: number): void {
    const after = local.view(key, nowMs);
    if (after.state === before) return;
    isNew = true;
    const atMs = wallMs(nowMs);
    known.set(key, { atMs, untilMs: after.state === "closed" ? 0 : Math.ceil(atMs + after.retryAfterMs) });
  }

  return {
    enter(key, settings, nowMs) {
      if (local.view(key, nowMs).state !== "half-open") return local.enter(key, settings, nowMs);
      const { isOwn, asking } = claimed(key, settings, nowMs);
      if (isOwn !== undefined) return isOwn ? local.enter(key, settings, nowMs) : othersProbe;
      return asking.then((isMine) => (isMine ? local.enter(key, settings, nowMs) : othersProbe));
    },
    note(attempt) {
      const { key, nowMonotonicMs } = attempt;
      const { state } = local.view(key, nowMonotonicMs);
      local.note(attempt);
      tell(key, state, nowMonotonicMs);
    },
    cancel: (key, pass) => local.cancel(key, pass),
    view: (key, nowMs) => local.view(key, nowMs),
    news() {
      if (!isNew) return undefined;
      isNew = false;
      const oldMs = clock.now() - fixedBounds.breakerNewsMs;
      for (const [key, { atMs, untilMs }] of known) if (Math.max(atMs, untilMs) < oldMs) known.delete(key);
      return Object.fromEntries(known);
    },
    hear(news) {
      for (const [key, each] of Object.entries(news)) {
        if ((known.get(key)?.atMs ?? -Infinity) >= each.atMs) continue;
        known.set(key, each);
        if (each.untilMs === 0) local.close(key);
        else local.open(key, clock.monotonic() + each.untilMs - clock.now());
      }
    },
  };
}
