/**
 * What makes a tool easy to use right, in nine points. A definition that breaks one still works; the score tells its author what to say next.
 */
import type { Json, JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { words } from "../schema/nearest.ts";

/** The nine points, in the order in which they are reported. */
export type LintRule =
  | "single-duty"
  | "described"
  | "typed-arguments"
  | "error-messages"
  | "idempotency"
  | "timeout"
  | "rate-limit"
  | "permission"
  | "observability";

/** One point that is missing. */
export interface LintFinding {
  readonly rule: LintRule;
  /** What is missing. */
  readonly message: string;
  /** What to write. */
  readonly mend: string;
}

/** The points that a tool reaches, 0 to 9, and what keeps it from the others. */
export interface LintReport {
  readonly score: number;
  readonly findings: readonly LintFinding[];
}

type Finding = Omit<LintFinding, "rule"> | undefined;

const rules: readonly (readonly [LintRule, (tool: Tool) => Finding])[] = [
  ["single-duty", singleDuty],
  ["described", described],
  ["typed-arguments", typedArguments],
  ["error-messages", errorMessages],
  ["idempotency", idempotency],
  ["timeout", timeout],
  ["rate-limit", rateLimit],
  ["permission", permission],
  ["observability", observability],
];

/** Judges a definition. Pure; cheap enough to run for every tool at start. */
export function lintTool(tool: Tool): LintReport {
  const findings = rules.flatMap(([rule, check]) => {
    const finding = check(tool);
    return finding === undefined ? [] : [{ rule, ...finding }];
  });
  return { score: rules.length - findings.length, findings };
}

/** A warning when more tools are shown to a model at once than it chooses well among; undefined when they are not too many. */
export function tooManyTools(count: number, toolsPerRequestMax: number): string | undefined {
  if (count <= toolsPerRequestMax) return undefined;
  return `${count} tools in one request; models choose worse beyond ${toolsPerRequestMax}: grant fewer, or offer a choice per turn`;
}

const modeNames = new Set(["action", "operation", "mode", "command", "method", "verb"]);

function singleDuty(tool: Tool): Finding {
  const nameWords = words(tool.name);
  if (nameWords.includes("and") || nameWords.includes("or"))
    return { message: "the name joins two duties", mend: "make one tool of each, so that each can have its own tier" };
  for (const [name, schema] of Object.entries(propertiesOf(tool.inputSchema))) {
    const choices = isObject(schema) && Array.isArray(schema.enum) ? schema.enum.length : 0;
    if (modeNames.has(name.toLowerCase()) && choices > 1)
      return {
        message: `\`${name}\` chooses between ${choices} duties`,
        mend: `make one tool of each value of \`${name}\`, so that each can have its own tier`,
      };
  }
  return undefined;
}

function described(tool: Tool): Finding {
  if (tool.description.trim().length < 20)
    return { message: "the description is shorter than 20 characters", mend: "say in a sentence what the tool does and returns" };
  const says = (pattern: RegExp) => pattern.test(tool.description);
  const hasWhen = tool.whenToUse !== undefined || says(/\b(use (this|it|when|for|to)|when|if)\b/i);
  const hasWhenNot = tool.whenNotToUse !== undefined || says(/\b(not|never|instead|except|only)\b/i);
  if (!hasWhen) return { message: "nothing says when to use it", mend: "add `whenToUse`" };
  if (!hasWhenNot) return { message: "nothing says when not to use it", mend: "add `whenNotToUse`, naming the tool to use instead" };
  return undefined;
}

function typedArguments(tool: Tool): Finding {
  for (const [name, schema] of Object.entries(propertiesOf(tool.inputSchema))) {
    if (!isObject(schema) || !constrainedBy.some((keyword) => keyword in schema))
      return { message: `\`${name}\` has no type`, mend: `give \`${name}\` a type` };
    if (typeof schema.description !== "string" || schema.description.trim() === "")
      return { message: `\`${name}\` has no description`, mend: `say what \`${name}\` is, with its unit or format` };
    if (
      schema.type === "string" &&
      !textBounds.some((keyword) => keyword in schema) &&
      tool.argumentRoles[`/${name}`] !== undefined &&
      tool.argumentRoles[`/${name}`] !== "content"
    )
      return {
        message: `\`${name}\` has a role but takes any text`,
        mend: `bound \`${name}\` with \`enum\`, \`pattern\`, \`format\` or \`maxLength\``,
      };
    if (tool.argumentRoles[`/${name}`] === "amount" && !numberBounds.some((keyword) => keyword in schema))
      return { message: `the amount \`${name}\` has no bounds`, mend: `give \`${name}\` a \`minimum\` or \`maximum\`` };
  }
  return undefined;
}

const constrainedBy = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"];
const textBounds = ["enum", "const", "pattern", "format", "maxLength"];
const numberBounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum"];

// What a tool answers when something is wrong can be judged only by what it declares of its results and fallbacks.
function errorMessages(tool: Tool): Finding {
  if (tool.outputSchema !== undefined || tool.postcondition !== undefined) return undefined;
  return {
    message: "nothing tells a failed result from a good one",
    mend: "declare `output` or a `postcondition`, so that an error in a reply is answered as one",
  };
}

function idempotency(tool: Tool): Finding {
  if (tool.tier === "read" || tool.idempotency !== "none") return undefined;
  return {
    message: "a lost reply cannot be settled",
    mend: "declare `idempotency`: `natural`, `key` (the upstream honours ours) or `lookup`",
  };
}

function timeout(tool: Tool): Finding {
  const { attemptMs, executeMs } = tool.timeouts;
  if (attemptMs < executeMs) return undefined;
  return {
    message: `one attempt may take ${attemptMs} ms, all of them only ${executeMs} ms`,
    mend: "set `timeouts.attemptMs` below `timeouts.executeMs`",
  };
}

function rateLimit(tool: Tool): Finding {
  if (tool.tier === "read" && !tool.isEgress && tool.costMicrosUsd === 0) return undefined;
  if (tool.ratePerMinute !== undefined) return undefined;
  return { message: "nothing bounds how often it acts", mend: "set `ratePerMinute`" };
}

function permission(tool: Tool): Finding {
  const isGrave = tool.tier === "irreversible" || tool.tier === "privileged" || tool.runsAs === "service";
  if (!isGrave || tool.permission !== undefined) return undefined;
  return { message: "only the grant of the tool stands before a grave effect", mend: "name the `permission` that the user must hold" };
}

function observability(tool: Tool): Finding {
  if (tool.owner === undefined) return { message: "nobody is named who hears of its failures", mend: "set `owner`" };
  if (tool.source === "local" && tool.tier !== "read")
    return { message: "its effects are not told apart by system", mend: "set `source` to the system that it acts on" };
  return undefined;
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isObject(schema.properties) ? schema.properties : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
