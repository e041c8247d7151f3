import { toJson } from "../connectors/json-result.ts";
import type { Failure } from "../domain/tool.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Did the tool do what it says? The result must be JSON of bounded size, fit the output schema, and meet the declared postcondition. A valid empty
 * result is a completed one. What fails here has happened all the same, and says so.
 */
export function verify(state: CallState): Verdict {
  const { execution, registered, runtime } = state;
  // What is given again was found right when it came.
  if (execution === undefined || execution.kind !== "value" || state.cached !== undefined) return proceed;
  const { tool } = registered as NonNullable<typeof registered>;
  if (!state.isFallback) {
    // A handler may return anything: nothing at all, a date, a cycle. Everything downstream relies on bounded JSON.
    const form = toJson(execution.value, runtime.limits);
    if (form.kind === "value") state.execution = form;
    const problem = form.kind === "problem" ? form.problem : runtime.checkResult(tool, state.args, form.value);
    if (problem !== undefined) state.execution = { kind: "failure", failure: invalidResult(state, problem) };
  }
  return proceed;
}

function invalidResult(state: CallState, problem: string): Failure {
  const { registered } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  return {
    kind: "failed",
    code: "RESULT_INVALID",
    effect: tool.tier === "read" ? "none" : "applied",
    message: `the result of \`${tool.name}\` is not what the tool declares: ${problem}`,
  };
}
