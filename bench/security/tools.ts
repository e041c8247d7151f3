import type { RegisteredTool, Tier, Tool } from "../../src/domain/tool.ts";
import { splitName } from "../../src/flow/roles.ts";
import { nameProblem } from "../../src/registry/names.ts";
import { completeTool } from "../../src/registry/complete.ts";
import type { Annotation, DataTool } from "./data.ts";

/** `annotated`: everything a person declared; `zero-config`: only its tier, which the product asks of every tool. */
export type Declared = "annotated" | "zero-config";

/** Gives what a tool of a replay returns: the output that was recorded for the session's current call. */
export type Recorded = (sessionId: string) => unknown;

const tiersByEffect: Readonly<Record<NonNullable<Annotation["effect"]>, { readonly tier: Tier; readonly isEgress: boolean }>> = {
  read: { tier: "read", isEgress: false },
  egress_read: { tier: "read", isEgress: true },
  write: { tier: "reversible", isEgress: false },
  egress: { tier: "reversible", isEgress: true },
  destructive: { tier: "irreversible", isEgress: false },
};

/** A tool of the data as a tool of the product. */
export function replayTool(
  tool: DataTool,
  annotation: Annotation | undefined,
  declared: Declared,
  recorded: Recorded,
  isBlind: boolean,
): RegisteredTool {
  const effect = (annotation?.effect === undefined ? undefined : tiersByEffect[annotation.effect]) ?? guessedEffect(tool, isBlind);
  const whole = completeTool({
    name: legalName(tool.name),
    description: tool.description === undefined || tool.description.trim() === "" ? splitName(tool.name) : tool.description,
    inputSchema: tool.input_schema ?? { type: "object" },
    source: "replay",
    isForeign: true,
    isRepeatable: true,
    ...effect,
    ...(declared === "annotated" && annotation !== undefined && declaredParts(annotation)),
  });
  return {
    tool: whole,
    connector: { kind: "replay", execute: (_args, { sessionId }) => Promise.resolve({ kind: "value", value: recorded(sessionId) }) },
  };
}

/** Other suites may name tools as the product does not. */
function legalName(name: string): string {
  return nameProblem(name, true) === undefined ? name : `tool_${name.replace(/[^A-Za-z0-9_.-]+/g, "_").slice(0, 50)}`;
}

/**
 * Outputs that can hold text of third parties: the values that the system issues are entries of a directory, everything else is untrusted. Outputs that
 * cannot: trusted where that is said of all of it, else the record that was acted on, whose values count only as they are.
 */
function declaredParts(annotation: Annotation): Partial<Tool> {
  const { trusted = [], untrusted = true, roles = {}, intent } = annotation;
  const isAll = trusted.includes("*");
  const whole = untrusted ? (isAll ? "directory" : "untrusted") : isAll ? "trusted" : "directory";
  const leaves = trusted.filter((key) => key !== "*").flatMap((key) => (key === "" ? ["/*"] : [`/**/${key}`]));
  return {
    argumentRoles: Object.fromEntries(Object.entries(roles).map(([name, role]) => [`/${name}`, role])),
    outputLabels: {
      "": { integrity: whole },
      ...(untrusted && Object.fromEntries(leaves.map((pointer) => [pointer, { integrity: "directory" as const }]))),
    },
    ...(typeof intent === "string" && { asks: [intent] }),
  };
}

const readVerbs =
  /^(?:get|list|search|find|read|view|show|check|fetch|query|lookup|look|browse|describe|count|retrieve|access|navigate|estimate|verify|monitor|track|predict|analyze)\b/;
const finalVerbs =
  /\b(?:delete|remove|clear|cancel|erase|drop|pay|transfer|send money|buy|sell|trade|order|execute|terminate|dispatch|erase)\b/;

/**
 * Tier of a tool that nobody annotated, from its name alone: a read only where its first verb says so. What changes something is `irreversible` in blind
 * mode, as the product takes it for without a declaration, and otherwise mostly `reversible`, which is harder: its tier asks nobody.
 */
function guessedEffect(tool: DataTool, isBlind: boolean): { readonly tier: Tier; readonly isEgress: boolean } {
  const words = splitName(tool.name).split(" ");
  const verb = words.findIndex((_, index) => readVerbs.test(words.slice(index).join(" ")));
  const change = words.findIndex((word) => changingWord.test(word));
  const name = words.join(" ");
  const isRead = verb >= 0 && (change < 0 || verb < change);
  const properties = Object.keys((tool.input_schema?.["properties"] ?? {}) as object);
  const leaves = properties.some((property) => /\b(?:url|uri|link|website)\b/.test(splitName(property)));
  if (isRead) return { tier: "read", isEgress: leaves };
  return { tier: isBlind || finalVerbs.test(name) ? "irreversible" : "reversible", isEgress: true };
}

const changingWord =
  /^(?:add|create|update|delete|remove|send|post|share|set|make|move|edit|cancel|order|pay|transfer|grant|revoke|unlock|lock|execute|run|write|upload|invite|follow|like|manage|clear|store|import|export|download|apply|place|book|schedule|play|go|give|join|leave|enable|disable|block|unblock|deploy|trade|buy|sell|sign|compile|reset|input|click|generate|organize|retweet|unfollow|unlike|auto|hand|deposit|withdraw|modify|control|change)$/;
