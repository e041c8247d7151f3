/**
 * How much one process takes on. Beyond it calls are turned away at once, before anything is looked up, so that turning away stays cheap and what was
 * taken on is still answered in time. Who has nothing under way is let in before those who have much: one tenant cannot take all there is.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";

/** Where a process stands. */
export interface LoadView {
  readonly running: number;
  readonly runningMax: number;
  /** Calls turned away since the process began. */
  readonly shedCount: number;
}

/** The calls that one process has taken on for callers. */
export interface Load {
  /** Whether a call of this tenant is turned away now; if so it is counted. */
  sheds(tenant: string, nowMonotonicMs: number): boolean;
  /** A tick of the event loop came `lagMs` late. */
  noteLag(lagMs: number, nowMonotonicMs: number): void;
  /** Whether reads are turned away, so that what is left serves calls that act. */
  shedsRead(): boolean;
  enter(tenant: string): void;
  leave(tenant: string): void;
  view(): LoadView;
}

/** A process that has taken on nothing. */
export function createLoad(limits: Limits): Load {
  const { callsRunningMax, tenantSharePercent, readSharePercent, loopDelayMs } = limits;
  const tenants = new Map<string, number>();
  let running = 0;
  let shedCount = 0;
  let lateTicks = 0;
  let lateAtMs = Number.NEGATIVE_INFINITY;

  /** Below half there is room for everybody; beyond it those who are here share what may be shared. */
  function isBeyondShare(tenant: string): boolean {
    const own = tenants.get(tenant);
    if (own === undefined || running * 2 < callsRunningMax) return false;
    return own >= Math.max(1, Math.floor((callsRunningMax * tenantSharePercent) / 100 / tenants.size));
  }

  return {
    sheds(tenant, nowMs) {
      const isLate = lateTicks >= fixedBounds.lateTicksMin && nowMs - lateAtMs <= loopDelayMs;
      const isOver = running >= callsRunningMax || isLate || isBeyondShare(tenant);
      if (isOver) shedCount += 1;
      return isOver;
    },
    noteLag(lagMs, nowMs) {
      if (lagMs <= loopDelayMs) return;
      // Ticks that come late one after the other lie no further apart than each was late.
      lateTicks = nowMs - lateAtMs <= lagMs + fixedBounds.lateTickGapMs ? lateTicks + 1 : 1;
      lateAtMs = nowMs;
    },
    shedsRead() {
      const isOver = running * 100 >= callsRunningMax * readSharePercent;
      if (isOver) shedCount += 1;
      return isOver;
    },
    enter(tenant) {
      running += 1;
      tenants.set(tenant, (tenants.get(tenant) ?? 0) + 1);
    },
    leave(tenant) {
      running -= 1;
      const left = (tenants.get(tenant) ?? 0) - 1;
      if (left > 0) tenants.set(tenant, left);
      else tenants.delete(tenant);
    },
    view: () => ({ running, runningMax: callsRunningMax, shedCount }),
  };
}
