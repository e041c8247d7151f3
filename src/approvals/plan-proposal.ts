import { canonicalJson } from "../base/canonical-json.ts";
import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { PlanStep, PlanValue } from "../domain/plan.ts";

/** A proposal that is well formed. */
export interface ReadProposal {
  readonly goal: string;
  readonly steps: readonly PlanStep[];
  readonly holdsMs: number;
}

type Bounds = Pick<
  Limits,
  "planGoalCharsMax" | "planStepsMax" | "planBytesMax" | "planStepCallsMax" | "planHoldsMs" | "planHoldsMsMax" | "toolNameCharsMax"
>;

/** Reads what a caller proposes. Gives one line on the first thing that is wrong with it. */
export function readProposal(raw: unknown, limits: Bounds): ReadProposal | { readonly problem: string } {
  if (!isObject(raw)) return { problem: "a plan is an object with `goal` and `steps`" };
  const { goal, steps, holdsMs = limits.planHoldsMs, ...others } = raw;
  const other = Object.keys(others)[0];
  if (other !== undefined) return { problem: `a plan has no \`${other.slice(0, 60)}\`` };
  if (typeof goal !== "string" || goal.trim() === "" || goal.length > limits.planGoalCharsMax || !goal.isWellFormed())
    return { problem: `\`goal\` is text of 1 to ${limits.planGoalCharsMax} characters` };
  if (!isWhole(holdsMs, limits.planHoldsMsMax)) return { problem: `\`holdsMs\` is a whole number from 1 to ${limits.planHoldsMsMax}` };
  if (!Array.isArray(steps) || steps.length === 0 || steps.length > limits.planStepsMax)
    return { problem: `\`steps\` is a list of 1 to ${limits.planStepsMax} steps` };
  const read: PlanStep[] = [];
  for (const [index, step] of steps.entries()) {
    const found = readStep(step as Json, limits);
    if ("problem" in found) return { problem: `step ${index + 1}: ${found.problem}` };
    read.push(found);
  }
  const bytes = Buffer.byteLength(canonicalJson(read));
  if (bytes > limits.planBytesMax) return { problem: `the steps are ${bytes} bytes long; at most ${limits.planBytesMax} are taken` };
  return { goal, steps: read, holdsMs };
}

function readStep(raw: Json, limits: Bounds): PlanStep | { readonly problem: string } {
  if (!isObject(raw)) return { problem: "a step is an object with `tool` and `arguments`" };
  const { tool, arguments: args, callsMax = 1, total, ...others } = raw;
  const other = Object.keys(others)[0];
  if (other !== undefined) return { problem: `a step has no \`${other.slice(0, 60)}\`` };
  if (typeof tool !== "string" || tool === "" || tool.length > limits.toolNameCharsMax) return { problem: "`tool` is the name of a tool" };
  if (!isWhole(callsMax, limits.planStepCallsMax))
    return { problem: `\`callsMax\` is a whole number from 1 to ${limits.planStepCallsMax}` };
  if (!isObject(args)) return { problem: "`arguments` says of each argument what it may be" };
  const wrong = Object.entries(args).find(([, value]) => !isPlanValue(value));
  if (wrong !== undefined)
    return {
      problem: `\`${wrong[0].slice(0, 60)}\` is one of \`{ is }\`, \`{ oneOf }\`, \`{ atMost }\` (a number from 0) and \`{ any: true }\``,
    };
  if (total !== undefined && !isTotal(total)) return { problem: "`total` is an object with `argument` and `max`, a number from 0" };
  const step = { tool, callsMax, arguments: args as unknown as Record<string, PlanValue> };
  return total === undefined ? step : { ...step, total: total as unknown as NonNullable<PlanStep["total"]> };
}

function isPlanValue(raw: Json): boolean {
  if (!isObject(raw) || Object.keys(raw).length !== 1) return false;
  const { is, oneOf, atMost, any } = raw;
  if (is !== undefined || any === true) return true;
  return (Array.isArray(oneOf) && oneOf.length > 0) || (typeof atMost === "number" && atMost >= 0);
}

function isTotal(raw: Json): boolean {
  return (
    isObject(raw) &&
    Object.keys(raw).length === 2 &&
    typeof raw["argument"] === "string" &&
    typeof raw["max"] === "number" &&
    raw["max"] >= 0
  );
}

function isWhole(raw: unknown, max: number): raw is number {
  return Number.isSafeInteger(raw) && (raw as number) >= 1 && (raw as number) <= max;
}

function isObject(raw: unknown): raw is JsonObject {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}
