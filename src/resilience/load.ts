/**
 * How much one process takes on. Beyond it calls are turned away at once, before anything is looked up, so that turning away stays cheap and what was
 * taken on is still answered in time. Who has nothing under way is let in before those who have much: one tenant cannot take all there is.
 */
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
  /** Whether a call of this tenant is turned away now; if so it is counted. `loopDelayMs`: by how much the event loop is late. */
  sheds(tenant: string, loopDelayMs: number): boolean;
  /** Whether reads are turned away, so that what is left serves calls that act. */
  shedsRead(): boolean;
  enter(tenant: string): void;
  leave(tenant: string): void;
  view(): LoadView;
}

/** A process that has taken on nothing. */
export function createLoad(limits: Limits): Load {
  const { callsRunningMax, tenantSharePercent, readSharePercent, loopDelayMsMax } = limits;
  const tenants = new Map<string, number>();
  let running = 0;
  let shedCount = 0;

  /** Below half there is room for everybody; beyond it those who are here share what may be shared. */
  function isBeyondShare(tenant: string): boolean {
    const own = tenants.get(tenant);
    if (own === undefined || running * 2 < callsRunningMax) return false;
    return own >= Math.max(1, Math.floor((callsRunningMax * tenantSharePercent) / 100 / tenants.size));
  }

  return {
    sheds(tenant, loopDelayMs) {
      const isOver = running >= callsRunningMax || loopDelayMs > loopDelayMsMax || isBeyondShare(tenant);
      if (isOver) shedCount += 1;
      return isOver;
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
