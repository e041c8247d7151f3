/**
 * Sources that are asked whether they are well, beside what calls find. What a check finds is counted by the source's breaker as a call would be: so many
 * bad ones in a row open it, its tools are refused or fall back, and once it lets probes through good checks close it, although nobody called.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import { healthCheckProblem } from "../../connectors/http-health-check.ts";
import type { HealthCheck, HealthCheckOptions } from "../../domain/health-check.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { Guards, Protection } from "../../resilience/guards.ts";
import type { Runtime } from "../runtime.ts";

/** Checks that go on until they are stopped. */
export interface HealthChecks {
  stop(): Promise<void>;
}

/** What they need. */
export interface HealthCheckParts {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly guards: Guards;
  /** By the source's name. */
  readonly sources: Readonly<Record<string, Protection>>;
  readonly make: (options: HealthCheckOptions, limits: Limits) => HealthCheck;
  readonly reportFault: Runtime["reportFault"];
}

/** Refuses addresses that may not be asked, all together (`CONFIG_INVALID`), before anything is opened. */
export function requireHealthChecks(sources: HealthCheckParts["sources"]): void {
  const problems = Object.entries(sources).flatMap(([source, { healthCheck }]) => {
    const problem = healthCheck === undefined ? undefined : healthCheckProblem(healthCheck);
    return problem === undefined ? [] : [`\`${source}\` cannot be asked for health: ${problem}`];
  });
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", problems.join("; "));
}

/** Starts them, at addresses that were not refused. */
export function startHealthChecks(parts: HealthCheckParts): HealthChecks {
  const running = Object.entries(parts.sources).flatMap(([source, { healthCheck }]) =>
    healthCheck === undefined ? [] : [startOne(parts, source, healthCheck)],
  );
  return { stop: async () => void (await Promise.all(running.map((each) => each.stop()))) };
}

function startOne(
  { clock, limits, guards, make, reportFault }: HealthCheckParts,
  source: string,
  options: HealthCheckOptions,
): HealthChecks {
  const check = make(options, limits);
  const stopped = new AbortController();
  let timer: Timer | undefined;
  let asking: Promise<void> = Promise.resolve();

  async function ask(): Promise<boolean | undefined> {
    const late = new AbortController();
    const limit = clock.after(limits.healthCheckTimeoutMs, () => late.abort());
    try {
      const isWell = await check.ask(AbortSignal.any([late.signal, stopped.signal]));
      // Who did not answer in time is not well; who was not waited for is unknown.
      return isWell ?? (stopped.signal.aborted ? undefined : false);
    } finally {
      limit.cancel();
    }
  }

  function later(): void {
    if (stopped.signal.aborted) return;
    timer = clock.after(options.everyMs ?? limits.healthCheckMs, () => {
      asking = guards
        .check(source, ask)
        .catch((cause: unknown) => reportFault("health checks", cause))
        .finally(later);
    });
  }
  later();

  return {
    async stop() {
      stopped.abort();
      timer?.cancel();
      await asking;
      await check.close();
    },
  };
}
