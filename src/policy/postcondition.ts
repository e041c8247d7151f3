import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { compileCondition } from "./condition.ts";
import { parseExpression } from "./expression.ts";

/**
 * A tool's postcondition: CEL over `args` and `result` that must be exactly `true` of a result for it to count as a success. What cannot be decided
 * does not hold.
 *
 * @throws RangeError when the expression cannot be read.
 */
export function compilePostcondition(source: string, limits: Limits): (args: JsonObject, result: Json) => boolean {
  const expression = parseExpression(source, { variables: ["args", "result"], factNames: [] }, limits);
  if ("problem" in expression) throw new RangeError(`the postcondition \`${source}\`: ${expression.problem}`);
  const condition = compileCondition(expression, limits);
  const nothing = {};
  return (args, result) =>
    condition({ args, result, principal: nothing, facts: nothing, tool: nothing, session: nothing, nowMs: 0 }) === true;
}
