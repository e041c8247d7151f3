/**
 * Names the handler that holds the event loop. One thread runs every handler given as a function, so one that computes for a second delays every
 * other answer by a second; nothing can stop it from inside the thread, but it must not stay unnoticed. Three observations, each cheap: the
 * synchronous part of a handler is timed; an attempt that ends while the wheel's tick is overdue has just held the loop; and a late tick blames
 * the handlers that are still running. A tool that blocks belongs into a worker (`connectors/worker.ts`).
 */
import type { Limits } from "../base/limits.ts";

/** A handler held the event loop. */
export interface LoopBlocked {
  /** Tools that may have done it; one name where it is certain. */
  readonly tools: readonly string[];
  readonly isCertain: boolean;
  /** How long nothing else could run. */
  readonly blockedMs: number;
}

/** Watches the handlers that run in this thread. */
export interface LoopWatch {
  /** A handler begins. */
  enter(tool: string): void;
  /** A handler has ended. `overdueMs`: by how much the wheel's tick was late then. */
  leave(tool: string, overdueMs: number): void;
  /** The synchronous part of a handler took `blockedMs`. `overdueMs`: by how much the wheel's tick was late after it. */
  noteSynchronous(tool: string, blockedMs: number, overdueMs: number): void;
  /** A tick came `lagMs` late. */
  noteLag(lagMs: number): void;
}

/** A watch that reports what holds the loop for longer than `loopBlockedMs`; a `report` that throws changes nothing. */
export function createLoopWatch(limits: Limits, report: (blocked: LoopBlocked) => void): LoopWatch {
  return new Watch(limits.loopBlockedMs, report);
}

class Watch implements LoopWatch {
  readonly #thresholdMs: number;
  readonly #report: (blocked: LoopBlocked) => void;
  readonly #running = new Map<string, number>();
  /** The block that the next late tick will see was reported already. */
  #isReported = false;

  constructor(thresholdMs: number, report: (blocked: LoopBlocked) => void) {
    this.#thresholdMs = thresholdMs;
    this.#report = report;
  }

  enter(tool: string): void {
    this.#running.set(tool, (this.#running.get(tool) ?? 0) + 1);
  }

  leave(tool: string, overdueMs: number): void {
    if (overdueMs > this.#thresholdMs && !this.#isReported) this.#tell([tool], false, overdueMs);
    const count = (this.#running.get(tool) ?? 0) - 1;
    if (count > 0) this.#running.set(tool, count);
    else this.#running.delete(tool);
  }

  noteSynchronous(tool: string, blockedMs: number, overdueMs: number): void {
    if (blockedMs <= this.#thresholdMs) return;
    this.#tell([tool], true, blockedMs);
    // Without a tick that is late because of it, no tick will see this block.
    this.#isReported = overdueMs > 0;
  }

  noteLag(lagMs: number): void {
    const isReported = this.#isReported;
    this.#isReported = false;
    // With nothing of ours running the machine slept or someone else's code blocked: no tool is blamed.
    if (isReported || lagMs <= this.#thresholdMs || this.#running.size === 0) return;
    const tools = [...this.#running.keys()];
    this.#tell(tools, tools.length === 1, lagMs);
    this.#isReported = false;
  }

  #tell(tools: readonly string[], isCertain: boolean, blockedMs: number): void {
    this.#isReported = true;
    try {
      this.#report({ tools, isCertain, blockedMs: Math.round(blockedMs) });
    } catch {
      // Telemetry never changes an outcome.
    }
  }
}
