import { fitStep, microsOf, planKey, stepCounter } from "../approvals/plans.ts";
import type { Plan } from "../domain/plan.ts";
import type { Operation, RowKey } from "../store/store.ts";
import { openPlan, planRowOf } from "./plan-record.ts";
import type { HeldStep } from "./held.ts";
import type { CallState } from "./runtime.ts";

/**
 * The first step of a plan approved for this session that the call fits and that has room for it. What it finds is only as good as this moment; the gate
 * holds the plan to be there still and takes from its budget.
 */
export async function findStep(state: CallState): Promise<HeldStep | undefined> {
  const { runtime, session, registered, args } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const rows = await runtime.store.read(session.plans.map((id) => planKey(session.principal.tenant, id)));
  for (const row of rows) {
    if (row === undefined) continue;
    const body = planRowOf(row);
    if (
      body.state !== "approved" ||
      body.sessionId !== session.id ||
      !body.tools.some(({ fingerprint }) => fingerprint === tool.fingerprint)
    )
      continue;
    const plan = await openPlan(runtime, body);
    if (plan.state !== "approved") continue;
    for (const [index, step] of plan.steps.entries()) {
      if (plan.tools[index]?.fingerprint !== tool.fingerprint) continue;
      const fit = fitStep(step, args);
      if (fit === undefined) continue;
      const held = { plan, index, fit, key: planKey(plan.tenant, plan.id), version: row.version };
      if (await hasRoom(state, held)) return held;
    }
  }
  return undefined;
}

async function hasRoom({ runtime }: CallState, held: HeldStep): Promise<boolean> {
  const takes = stepTakes(held);
  const values = await runtime.store.counters(takes.map(({ key }) => key));
  return takes.every(({ delta, max }, index) => (values[index] ?? 0) + delta <= max);
}

function stepTakes({ plan, index, fit }: HeldStep): readonly { readonly key: RowKey; readonly delta: number; readonly max: number }[] {
  const step = plan.steps[index] as Plan["steps"][number];
  const calls = { key: stepCounter(plan, index, "calls"), delta: 1, max: step.callsMax };
  if (step.total === undefined) return [calls];
  return [calls, { key: stepCounter(plan, index, "total"), delta: fit.totalMicros, max: microsOf(step.total.max) ?? 0 }];
}

/** What the gate claims: that the plan is as it was, and room in its step; exact over all processes, as part of the gate's transaction. */
export function stepClaims(held: HeldStep): readonly Operation[] {
  const { key, version } = held;
  return [{ op: "expect", key, version }, ...stepTakes(held).map((take): Operation => ({ op: "add", ...take }))];
}

/** A call that certainly had no effect gives back what it took. */
export function stepReturned(held: HeldStep): readonly Operation[] {
  return stepTakes(held).map(({ key, delta }): Operation => ({ op: "add", key, delta: -delta }));
}
