import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import { tiers, type Tool } from "../domain/tool.ts";
import { patternProblem } from "../schema/patterns.ts";
import { schemaProblems } from "../schema/vet.ts";
import { hiddenCharacter, nameProblem } from "./names.ts";
import { parseVersion } from "./semver.ts";

const idempotencies = ["natural", "key", "lookup", "none"];
const operators = ["cap", "subset", "flag"];
const roles = ["target", "ref", "amount", "date", "command", "credential", "content", "control"];

/** Everything that keeps a definition from being registered, each problem in one line; empty when there is none. */
export function definitionProblems(tool: Tool, limits: Limits): readonly string[] {
  return [
    ...nameProblems(tool),
    ...textProblems(tool),
    ...choiceProblems(tool, limits),
    ...numberProblems(tool),
    ...schemaProblems(tool.inputSchema, { limits, isForeign: tool.isForeign, isObject: true }).map((problem) => `input schema: ${problem}`),
    ...(tool.outputSchema === undefined
      ? []
      : schemaProblems(tool.outputSchema, { limits, isForeign: tool.isForeign }).map((problem) => `output schema: ${problem}`)),
  ];
}

function nameProblems(tool: Tool): string[] {
  const problem = typeof tool.name === "string" ? nameProblem(tool.name, tool.isForeign) : "`name` is missing";
  const problems = problem === undefined ? [] : [problem];
  if (parseVersion(String(tool.version)) === undefined)
    problems.push(`\`${String(tool.version)}\` is no semantic version, such as \`1.0.0\``);
  return problems;
}

function textProblems(tool: Tool): string[] {
  if (typeof tool.description !== "string" || tool.description.trim() === "")
    return ["`description` is missing: say what the tool does and when to use it"];
  const seen: { readonly where: string; readonly character: string }[] = [];
  const texts = {
    title: tool.title,
    description: tool.description,
    whenToUse: tool.whenToUse,
    whenNotToUse: tool.whenNotToUse,
    examples: tool.examples as unknown,
  };
  for (const [where, text] of Object.entries({ ...texts, "input schema": tool.inputSchema, "output schema": tool.outputSchema })) {
    const character = firstHidden(text as Json | undefined, 0);
    if (character !== undefined) seen.push({ where, character });
  }
  return seen.map(
    ({ where, character }) => `${where} holds the hidden character ${character}; people and models would not read the same text`,
  );
}

// Depth is bounded here as well, since texts are read before the schema's own depth is known to be fine.
function firstHidden(value: Json | undefined, depth: number): string | undefined {
  if (typeof value === "string") return hiddenCharacter(value);
  if (value === undefined || value === null || typeof value !== "object" || depth > fixedBounds.definitionDepthMax) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const found = hiddenCharacter(name) ?? firstHidden(member as Json, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function choiceProblems(tool: Tool, limits: Limits): string[] {
  const problems: string[] = [];
  if (!tiers.includes(tool.tier)) problems.push(`tier \`${String(tool.tier)}\` is none of ${quoted(tiers)}`);
  if (!idempotencies.includes(tool.idempotency)) problems.push(`idempotency \`${tool.idempotency}\` is none of ${quoted(idempotencies)}`);
  if (tool.idempotency === "lookup" && tool.lookupTool === undefined)
    problems.push("idempotency `lookup` needs `lookupTool`, the read tool that finds what became of a key");
  if (tool.cache !== undefined && tool.tier !== "read") problems.push("`cache` is only for a tool of the tier `read`");
  if (tool.hedge !== undefined && (tool.tier !== "read" || tool.isForeign || tool.isEgress))
    problems.push("`hedge` is only for a tool of the tier `read` that is defined here and is no egress");
  for (const phrase of tool.asks ?? []) {
    const problem =
      typeof phrase === "string" ? patternProblem(phrase, { isForeign: true, limits }) : "`asks` holds something that is no text";
    if (problem !== undefined) problems.push(`asks: ${problem}`);
  }
  for (const [name, operator] of Object.entries(tool.narrows ?? {})) problems.push(...narrowingProblems(tool, name, operator));
  for (const [pointer, role] of Object.entries(tool.argumentRoles))
    if (!roles.includes(role)) problems.push(`the role \`${role}\` of \`${pointer}\` is none of ${quoted(roles)}`);
  return problems;
}

function narrowingProblems({ inputSchema }: Tool, name: string, operator: string): string[] {
  if (!operators.includes(operator)) return [`narrows: \`${operator}\` of \`${name}\` is none of ${quoted(operators)}`];
  const properties = (inputSchema["properties"] ?? {}) as Readonly<Record<string, Json>>;
  return Object.hasOwn(properties, name) ? [] : [`narrows: the input schema has no argument \`${name}\``];
}

function numberProblems(tool: Tool): string[] {
  const rows: readonly (readonly [string, number | undefined, number])[] = [
    ["timeouts.attemptMs", tool.timeouts.attemptMs, 1],
    ["timeouts.executeMs", tool.timeouts.executeMs, 1],
    ["timeouts.replyMs", tool.timeouts.replyMs, 1],
    ["timeouts.idleMs", tool.timeouts.idleMs, 1],
    ["breaker.failures", tool.breaker?.failures, 1],
    ["breaker.openMs", tool.breaker?.openMs, 1],
    ["breaker.probes", tool.breaker?.probes, 1],
    ["bulkhead.concurrent", tool.bulkhead?.concurrent, 1],
    ["bulkhead.queue", tool.bulkhead?.queue, 0],
    ["bulkhead.waitMs", tool.bulkhead?.waitMs, 1],
    ["hedge.afterMs", tool.hedge?.afterMs, 1],
    ["cache.ttlMs", tool.cache?.ttlMs, 1],
    ["retry.attempts", tool.retry.attempts, 1],
    ["costMicrosUsd", tool.costMicrosUsd, 0],
    ["ratePerMinute", tool.ratePerMinute, 1],
  ];
  return rows
    .filter(([, value, min]) => value !== undefined && !(Number.isSafeInteger(value) && value >= min))
    .map(([name, value, min]) => `\`${name}\` is \`${String(value)}\`; it must be a whole number of at least ${min}`);
}

function quoted(list: readonly string[]): string {
  return list.map((item) => `\`${item}\``).join(", ");
}
