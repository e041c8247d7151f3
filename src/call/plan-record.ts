import { canonicalJson } from "../base/canonical-json.ts";
import { stepCounter } from "../approvals/plans.ts";
import type { ApprovalOrigin } from "../domain/approval.ts";
import type { Plan, PlanStep, PlanView } from "../domain/plan.ts";
import type { Row } from "../store/store.ts";
import type { Runtime } from "./runtime.ts";

/** A plan as it stands in the store: goal and steps, which may hold what is private, are sealed. */
export type PlanRow = Omit<Plan, "goal" | "steps"> & {
  /** Base64. */
  readonly sealed: string;
  /** Where the exact values of each step came from, as traced when it was proposed; without any value. */
  readonly origins: readonly (readonly ApprovalOrigin[])[];
};

/** Kind under which goal and steps are sealed. */
export const planKind = "plan-proposed";

/** The row's own words. */
export function planRowOf(row: Row): PlanRow {
  return row.body as unknown as PlanRow;
}

/** The plan with goal and steps; without them where they were erased. */
export async function openPlan(runtime: Runtime, { sealed, origins: _origins, ...plan }: PlanRow): Promise<Plan> {
  const opened = await runtime.vault.openValues({
    tenant: plan.tenant,
    kind: planKind,
    callId: plan.id,
    sealed: Buffer.from(sealed, "base64"),
  });
  const isOver = (plan.state === "proposed" || plan.state === "approved") && runtime.clock.now() >= plan.expiresAtMs;
  return {
    ...plan,
    state: isOver ? "expired" : plan.state,
    goal: opened?.["goal"]?.value as string | undefined,
    steps: (opened?.["steps"]?.value ?? []) as unknown as readonly PlanStep[],
  };
}

/** The plan with what was used of it. */
export async function viewPlan(runtime: Runtime, row: PlanRow): Promise<PlanView> {
  const plan = await openPlan(runtime, row);
  const keys = plan.steps.flatMap((_step, index) => [stepCounter(plan, index, "calls"), stepCounter(plan, index, "total")]);
  const counts = await runtime.store.counters(keys);
  const used = plan.steps.map(({ total }, index) => ({
    calls: counts[index * 2] ?? 0,
    total: total === undefined ? undefined : (counts[index * 2 + 1] ?? 0) / 1_000_000,
  }));
  return { ...plan, used };
}

/** Goal and steps as they are sealed. */
export function planTexts(plan: Pick<Plan, "goal" | "steps">): { readonly goal: string; readonly steps: string } {
  return { goal: JSON.stringify(plan.goal), steps: canonicalJson(plan.steps) };
}
