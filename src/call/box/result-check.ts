import type { Limits } from "../../base/limits.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Tool } from "../../domain/tool.ts";
import { compilePostcondition } from "../../policy/postcondition.ts";
import { compileSchema } from "../../schema/compile.ts";

type Check = (args: JsonObject, value: Json) => string | undefined;

/** What every tool declared of its results, compiled once per definition: output schema first, then postcondition. */
export function createResultCheck(limits: Limits): (tool: Tool, args: JsonObject, value: Json) => string | undefined {
  const checks = new WeakMap<Tool, Check>();
  return (tool, args, value) => {
    let check = checks.get(tool);
    if (check === undefined) {
      check = compile(tool, limits);
      checks.set(tool, check);
    }
    return check(args, value);
  };
}

function compile(tool: Tool, limits: Limits): Check {
  const schema = tool.outputSchema === undefined ? undefined : compileSchema(tool.outputSchema, { isForeign: tool.isForeign, limits });
  const postcondition = tool.postcondition === undefined ? undefined : compilePostcondition(tool.postcondition, limits);
  return (args, value) => {
    if (schema !== undefined && !schema.accepts(value)) {
      const problem = schema.check(value)?.[0];
      return problem === undefined
        ? "it does not fit the output schema"
        : `\`${problem.path === "" ? "/" : problem.path}\` must be ${problem.expected}`;
    }
    if (postcondition !== undefined && postcondition(args, value) !== true) return "the postcondition does not hold";
    return undefined;
  };
}
