import { perSecond } from "../../load.ts";
import { result } from "../../standard-call.ts";

/** Steps of one workflow, and how many workflows run at once. */
export const stepsCount = 10;
export const callersCount = 32;

/** One workflow with this number: so many durable steps, one after the other, each with the standard result. */
export type RunWorkflow = (index: number, callerIndex: number) => Promise<unknown>;

/** What the parent asks for. */
export interface WorkflowsWanted {
  readonly from: number;
  readonly count: number;
}

let ranCount = 0;

/** What every step does. */
export function runStep(): Promise<unknown> {
  ranCount += 1;
  return Promise.resolve(result);
}

/** Answers the parent with steps per second, and ends when it goes away. */
export function serveWorkflows(run: RunWorkflow): void {
  process.on("message", (message) => void answer(run, message as WorkflowsWanted));
  process.on("disconnect", () => process.exit(0));
  process.send?.("ready");
}

async function answer(run: RunWorkflow, { from, count }: WorkflowsWanted): Promise<void> {
  const ranBefore = ranCount;
  const rate = await perSecond(callersCount, count, (index, callerIndex) => run(from + index, callerIndex));
  const ran = ranCount - ranBefore;
  if (ran !== count * stepsCount) throw new Error(`${ran} steps ran, wanted ${count * stepsCount}`);
  process.send?.(rate * stepsCount);
}
