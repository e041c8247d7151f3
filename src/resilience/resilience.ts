import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Tool } from "../domain/tool.ts";
import { createLocalBreakers, type Breakers } from "./breaker.ts";
import { createDeadlineWheel, type DeadlineWheel } from "./deadline-wheel.ts";
import { createGuards, type Guards, type Protection } from "./guards.ts";
import { createLoad, type Load } from "./load.ts";
import { createLoopWatch, type LoopBlocked, type LoopWatch } from "./loop-watch.ts";
import { createRetryBudget, type RetryBudget } from "./retry-budget.ts";

/** What the attempts of all calls of one process share. Make one and pass it to every `runAttempts`. */
export interface Resilience {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly wheel: DeadlineWheel;
  readonly loopWatch: LoopWatch;
  /** Breakers, bulkheads and health of tools and sources. */
  readonly guards: Guards;
  /** The calls that this process has taken on. */
  readonly load: Load;
  /** The budget of a tool version, over all its calls in this process. */
  retryBudget(tool: Tool): RetryBudget;
}

/** The shared state. `onLoopBlocked` is told which handler held the event loop; by default nobody is. */
export function createResilience(parts: {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly onLoopBlocked?: ((blocked: LoopBlocked) => void) | undefined;
  /** Where the state of breakers lives. Default: this process. */
  readonly breakers?: Breakers | undefined;
  /** What was said of sources, by name. */
  readonly sources?: Readonly<Record<string, Protection>> | undefined;
}): Resilience {
  const { clock, random, limits } = parts;
  const loopWatch = createLoopWatch(limits, parts.onLoopBlocked ?? (() => {}));
  const load = createLoad(limits);
  const wheel = createDeadlineWheel({
    clock,
    onLag: (lagMs) => {
      loopWatch.noteLag(lagMs);
      load.noteLag(lagMs, clock.monotonic());
    },
  });
  // By the definition itself, so that budgets of removed versions go with them.
  const budgets = new WeakMap<Tool, RetryBudget>();
  return {
    clock,
    random,
    limits,
    wheel,
    loopWatch,
    guards: createGuards({ clock, limits, breakers: parts.breakers ?? createLocalBreakers(), sources: parts.sources }),
    load,
    retryBudget(tool) {
      let budget = budgets.get(tool);
      if (budget === undefined) {
        budget = createRetryBudget(limits);
        budgets.set(tool, budget);
      }
      return budget;
    },
  };
}
