import type { JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";

/** A tool's description as a model reads it: what it does, when to use it and when not, and what replaces it. */
export function describe(tool: Tool): string {
  const lines = [tool.description];
  if (tool.whenToUse !== undefined) lines.push(`Use it when: ${tool.whenToUse}`);
  if (tool.whenNotToUse !== undefined) lines.push(`Do not use it when: ${tool.whenNotToUse}`);
  if (tool.deprecated !== undefined) {
    const instead = tool.deprecated.useInstead === undefined ? "" : `; use ${tool.deprecated.useInstead} instead`;
    lines.push(`Deprecated since ${tool.deprecated.since}${instead}.`);
  }
  return lines.join("\n");
}

/** A tool's input schema for a provider: an object at the root, without the members that only validators read. */
export function inputSchemaOf(tool: Tool): JsonObject {
  const { $schema: _dialect, $id: _id, ...rest } = tool.inputSchema;
  return { type: "object", ...rest };
}
