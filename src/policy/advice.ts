import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import type { PolicyDocument } from "./document.ts";
import { matchesTool } from "./glob.ts";

/**
 * Lines of YAML that would grant a tool to a principal, added to the first of their roles. For people and logs: a model that saw them would learn
 * what exists. Empty where the tool is granted already.
 */
export function denyAdvice(policy: PolicyDocument, tool: Tool, principal: Principal): string {
  const held = principal.roles.flatMap((role) => (Object.hasOwn(policy.roles, role) ? (policy.roles[role] ?? []) : []));
  const missing: string[] = [];
  if (!held.some((entry) => !entry.startsWith("permission:") && matchesTool(entry, tool))) missing.push(tool.name);
  if (tool.permission !== undefined && !held.includes(`permission:${tool.permission}`)) missing.push(`permission:${tool.permission}`);
  if (missing.length === 0) return "";
  const role = principal.roles[0] ?? "member";
  const known = Object.hasOwn(policy.roles, role) ? (policy.roles[role] ?? []) : [];
  const note = principal.roles.length === 0 ? "  # the user has no role; give them this one" : "";
  return [
    "policy:",
    "  roles:",
    `    ${quoted(role)}:${note}`,
    ...[...known, ...missing].map((entry) => `      - ${quoted(entry)}`),
    "",
  ].join("\n");
}

/** A YAML scalar; quoted where a star or colon would mean something else. */
function quoted(text: string): string {
  return /^[A-Za-z][A-Za-z0-9_.-]*$/.test(text) ? text : JSON.stringify(text);
}
