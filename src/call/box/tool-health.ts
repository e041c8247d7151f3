import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { LastFailure } from "../../resilience/call-stats.ts";
import type { GuardView } from "../../resilience/guards.ts";
import type { LoadView } from "../../resilience/load.ts";
import type { Runtime } from "../runtime.ts";
import type { ToolSources } from "./tool-sources.ts";

/**
 * `healthy`; `degraded`: too many of its attempts fail, or calls wait for a place; `open`: its breaker or its source's refuses calls, or lets probes through;
 * `down`: its source is not connected; `quarantined`: its definition waits for a person's review.
 */
export type HealthState = "healthy" | "degraded" | "open" | "down" | "quarantined";

/** How one tool or source does, as this process sees it. */
export interface HealthRow {
  readonly state: HealthState;
  readonly breaker: "closed" | "open" | "half-open";
  /** When to come back, while it is open. */
  readonly retryAfterMs: number | undefined;
  readonly runningCount: number;
  readonly waitingCount: number;
  /** Attempts and failures of the last one to two `healthWindowMs`. */
  readonly attemptCount: number;
  readonly failureCount: number;
  /** 95 % of the answers came within. */
  readonly p95Ms: number | undefined;
  /** The last one since this process began. */
  readonly lastFailure: LastFailure | undefined;
}

/** A tool with its health. */
export interface ToolHealth extends HealthRow {
  readonly tool: string;
  readonly version: string;
  readonly source: string;
}

/** A source with its health. */
export interface SourceHealth extends HealthRow {
  readonly source: string;
  readonly toolCount: number;
}

/** How a process, its sources and its tools do. */
export interface HealthReport {
  /** What is wrong with this process itself; calls go on. */
  readonly problems: readonly string[];
  readonly load: LoadView;
  readonly sources: readonly SourceHealth[];
  readonly tools: readonly ToolHealth[];
}

const quietView: GuardView = {
  breaker: { state: "closed", failureCount: 0, retryAfterMs: 0 },
  running: 0,
  waiting: 0,
  stats: { attemptCount: 0, failureCount: 0, p95Ms: undefined, lastFailure: undefined },
};

/** How everything does now. Looks at what calls have found; asks nobody. */
export function healthReport(parts: {
  readonly runtime: Runtime;
  readonly toolSources: ToolSources;
  readonly problems: readonly string[];
}): HealthReport {
  const { runtime, toolSources } = parts;
  const { guards, load } = runtime.resilience;
  const percentMax = runtime.limits.healthFailurePercent;
  const registered = runtime.registry.listVersions(() => true).map((each) => each.tool);
  const downs = new Set(
    toolSources
      .sources()
      .filter(({ state }) => state.kind !== "ready")
      .map(({ source }) => source),
  );
  const names = [...new Set([...registered.map((tool) => tool.source), ...toolSources.sources().map(({ source }) => source)])].sort();
  const sources = names.map((source): SourceHealth => {
    const toolCount = registered.filter((tool) => tool.source === source).length;
    return { source, toolCount, ...rowOf(guards.ofSource(source) ?? quietView, percentMax, downs.has(source) ? "down" : undefined) };
  });
  const states = new Map(sources.map(({ source, state }) => [source, state]));
  const tools = registered.map((tool): ToolHealth => {
    const ofSource = states.get(tool.source);
    const inherited = ofSource === "down" || ofSource === "open" ? ofSource : undefined;
    return { tool: tool.name, version: tool.version, source: tool.source, ...rowOf(guards.ofTool(tool), percentMax, inherited) };
  });
  const waiting = toolSources
    .pins()
    .filter(({ state }) => state === "new" || state === "changed")
    .map((pin): ToolHealth => ({ tool: pin.tool, version: "", source: pin.source, ...rowOf(quietView, percentMax, "quarantined") }));
  return { problems: parts.problems, load: load.view(), sources, tools: [...tools, ...waiting] };
}

function rowOf(view: GuardView, percentMax: number, inherited: HealthState | undefined): HealthRow {
  const { breaker, stats } = view;
  return {
    state: inherited ?? stateOf(view, percentMax),
    breaker: breaker.state,
    retryAfterMs: breaker.state === "open" ? breaker.retryAfterMs : undefined,
    runningCount: view.running,
    waitingCount: view.waiting,
    attemptCount: stats.attemptCount,
    failureCount: stats.failureCount,
    p95Ms: stats.p95Ms,
    lastFailure: stats.lastFailure,
  };
}

function stateOf({ breaker, waiting, stats }: GuardView, percentMax: number): HealthState {
  if (breaker.state !== "closed") return "open";
  // Of a few attempts one failure is no share; several in a row are.
  const isFailing =
    stats.attemptCount >= fixedBounds.healthAttemptsMin
      ? stats.failureCount * 100 > stats.attemptCount * percentMax
      : breaker.failureCount > 1;
  return isFailing || waiting > 0 ? "degraded" : "healthy";
}
