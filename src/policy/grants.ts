import type { Tool } from "../domain/tool.ts";
import type { PolicyDocument } from "./document.ts";
import { matchesTool } from "./glob.ts";

/** What stands against a tool for a set of roles; `undefined` in both members where nothing does. */
export interface Grant {
  /** The role and entry that grant the tool, such as `support: order.*`; undefined where nothing grants it. */
  readonly by: { readonly role: string; readonly entry: string } | undefined;
  /** Whether the permission that the tool requires is held, or none is required. */
  readonly hasPermission: boolean;
}

/** The matrix of roles and tools. A list of roles is a value here: whoever takes a role from a user makes a new list, since answers are kept by list. */
export interface Grants {
  /** What a set of roles says of a tool. Kept per role set and tool, both bounded. */
  of(roles: readonly string[], tool: Tool): Grant;
  /** Whether the tool is granted with the permission it requires. */
  holds(roles: readonly string[], tool: Tool): boolean;
}

const permissionPrefix = "permission:";

/** The matrix of a policy. A role that the policy does not know grants nothing. */
export function createGrants(roles: PolicyDocument["roles"]): Grants {
  // Keyed by the objects themselves: a session keeps its roles and a registry its tools, so that a decision costs two look-ups. A principal or tool
  // that is gone takes its cache with it.
  const byRoles = new WeakMap<readonly string[], WeakMap<Tool, Grant>>();
  const of = (held: readonly string[], tool: Tool): Grant => {
    let byTool = byRoles.get(held);
    if (byTool === undefined) {
      byTool = new WeakMap();
      byRoles.set(held, byTool);
    }
    let grant = byTool.get(tool);
    if (grant === undefined) {
      grant = workOut(roles, held, tool);
      byTool.set(tool, grant);
    }
    return grant;
  };
  return {
    of,
    holds(held, tool) {
      const grant = of(held, tool);
      return grant.by !== undefined && grant.hasPermission;
    },
  };
}

function workOut(roles: PolicyDocument["roles"], held: readonly string[], tool: Tool): Grant {
  let by: Grant["by"];
  let hasPermission = tool.permission === undefined;
  for (const role of held) {
    if (!Object.hasOwn(roles, role)) continue;
    for (const entry of roles[role] ?? []) {
      if (entry.startsWith(permissionPrefix)) hasPermission ||= entry.slice(permissionPrefix.length) === tool.permission;
      else if (by === undefined && matchesTool(entry, tool)) by = { role, entry };
    }
  }
  return { by, hasPermission };
}
