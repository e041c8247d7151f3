import type { Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import type { FieldProblem } from "../errors/tool-call-error.ts";
import { compileSchema, type CompiledSchema } from "./compile.ts";
import { repairArguments, type Repair } from "./repair.ts";

/** What arguments are checked against. */
export interface ArgumentContract {
  /** Compiled with `isClosed: true`. */
  readonly inputSchema: CompiledSchema;
  readonly repairsArguments: boolean;
  /** Arguments with the role `credential` or `command` are never repaired, and what was sent as a credential is never quoted. */
  readonly argumentRoles: Readonly<Record<string, ArgumentRole>>;
}

/** Whether arguments fit. `value` is what runs; it is the very object that was given when nothing had to be repaired. */
export type Validation =
  | { readonly kind: "valid"; readonly value: JsonObject; readonly repairs: readonly Repair[] }
  | { readonly kind: "invalid"; readonly problems: readonly FieldProblem[] };

const noRepairs: readonly Repair[] = [];

/** Checks arguments, and repairs them where that is safe and allowed. When it is not, every problem of the arguments as sent is told. */
export function validateArguments(contract: ArgumentContract, args: JsonObject): Validation {
  const { inputSchema, repairsArguments, argumentRoles } = contract;
  if (inputSchema.accepts(args)) return { kind: "valid", value: args, repairs: noRepairs };
  const roles = Object.entries(argumentRoles).map(([pointer, role]) => ({ place: pointer.split("/").slice(1).map(unescape), role }));
  if (repairsArguments) {
    const fixed = roles.filter(({ role }) => role === "credential" || role === "command");
    const repaired = repairArguments(inputSchema, args, (path) => fixed.some(({ place }) => overlaps(place, path)));
    if (repaired !== undefined) return { kind: "valid", ...repaired };
  }
  const secret = roles.filter(({ role }) => role === "credential");
  const problems = (inputSchema.check(args) ?? []).map((problem) => {
    const path = problem.path.split("/").slice(1).map(unescape);
    return secret.some(({ place }) => overlaps(place, path)) ? withoutValue(problem) : problem;
  });
  return { kind: "invalid", problems };
}

/** The check of a box: contracts are made once per definition. */
export function createArgumentValidator(limits: Limits): (tool: Tool, args: JsonObject) => Validation {
  const contracts = new WeakMap<Tool, ArgumentContract>();
  return (tool, args) => {
    let contract = contracts.get(tool);
    if (contract === undefined) {
      const inputSchema = compileSchema(tool.inputSchema, { isForeign: tool.isForeign, limits, isClosed: true });
      contract = { inputSchema, repairsArguments: tool.repairsArguments, argumentRoles: tool.argumentRoles };
      contracts.set(tool, contract);
    }
    return validateArguments(contract, args);
  };
}

function withoutValue(problem: FieldProblem): FieldProblem {
  return { path: problem.path, expected: problem.expected };
}

// One is the other or holds it: text that holds a credential is as little to be touched as the credential itself. `*` stands for any one step.
function overlaps(place: readonly string[], path: readonly string[]): boolean {
  const shared = Math.min(place.length, path.length);
  for (let index = 0; index < shared; index += 1) if (place[index] !== "*" && place[index] !== path[index]) return false;
  return true;
}

function unescape(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}
