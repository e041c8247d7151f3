import type { ErrorParts } from "../errors/tool-call-error.ts";
import { keptKey } from "../store/row-key.ts";
import type { Operation, RowKey } from "../store/store.ts";

/** What one session may use in all. Undefined members are not limited. */
export interface SessionBudget {
  readonly calls?: number | undefined;
  readonly executionMs?: number | undefined;
  readonly costMicrosUsd?: number | undefined;
}

/** What one call takes from the budgets: operations for the gate, and what to undo or add when the call settles. */
export interface BudgetClaim {
  readonly operations: readonly Operation[];
  /** Cost that was held, in micros of USD. */
  readonly heldMicrosUsd: number;
}

/** Names of the session's counters. */
export type SessionCounter = "calls" | "execution-ms" | "cost-micros-usd";

/** Where the counters of a session live. */
export type SessionCounters = Readonly<Record<SessionCounter, RowKey>>;

/** The counters of a session, for all its calls. */
export function sessionCounters(tenant: string, sessionId: string): SessionCounters {
  const key = (counter: SessionCounter): RowKey => keptKey(sessionCounter(tenant, sessionId, counter));
  return { calls: key("calls"), "execution-ms": key("execution-ms"), "cost-micros-usd": key("cost-micros-usd") };
}

/** Where a session's counter lives. */
export function sessionCounter(tenant: string, sessionId: string, counter: SessionCounter): RowKey {
  return { space: "budget", tenant, key: `${sessionId}/${counter}` };
}

/**
 * Claims one call of a session at the gate. Calls and cost are held before the call; execution time is only known afterwards, so a session that
 * has used it up is refused and the call that crosses the line is the last.
 */
export function claimSessionBudget(claim: {
  readonly counters: SessionCounters;
  readonly budget: SessionBudget;
  readonly costMicrosUsd: number;
}): BudgetClaim {
  const { counters, budget, costMicrosUsd } = claim;
  const operations: Operation[] = [];
  if (budget.calls !== undefined) operations.push({ op: "add", key: counters.calls, delta: 1, max: budget.calls });
  if (budget.executionMs !== undefined)
    operations.push({ op: "add", key: counters["execution-ms"], delta: 0, max: budget.executionMs - 1 });
  if (budget.costMicrosUsd !== undefined && costMicrosUsd > 0)
    operations.push({
      op: "add",
      key: counters["cost-micros-usd"],
      delta: costMicrosUsd,
      max: budget.costMicrosUsd,
    });
  return { operations, heldMicrosUsd: costMicrosUsd };
}

/** Settles what was claimed: the time that execution took is added; cost is given back when nothing happened. */
export function settleSessionBudget(settlement: {
  readonly counters: SessionCounters;
  readonly budget: SessionBudget;
  readonly heldMicrosUsd: number;
  readonly executionMs: number;
  readonly isCostReleased: boolean;
}): readonly Operation[] {
  const { counters, budget, heldMicrosUsd } = settlement;
  const operations: Operation[] = [];
  const executionMs = Math.ceil(settlement.executionMs);
  if (budget.executionMs !== undefined && executionMs > 0)
    operations.push({ op: "add", key: counters["execution-ms"], delta: executionMs });
  if (budget.costMicrosUsd !== undefined && heldMicrosUsd > 0 && settlement.isCostReleased)
    operations.push({ op: "add", key: counters["cost-micros-usd"], delta: -heldMicrosUsd });
  return operations;
}

/** What to say when a counter refused. */
export function budgetRefusal(counterKey: string, budget: SessionBudget): { readonly message: string; readonly parts: ErrorParts } {
  const counter = counterKey.slice(counterKey.lastIndexOf("/") + 1);
  const what =
    counter === "calls"
      ? `${budget.calls} calls`
      : counter === "execution-ms"
        ? `${budget.executionMs} ms of execution`
        : `${((budget.costMicrosUsd ?? 0) / 1_000_000).toFixed(2)} USD`;
  return {
    message: `the budget of this session (${what}) is spent; answer with what you have, or ask the user to start another session`,
    parts: {},
  };
}
