import { createNameMap, type NameMap } from "../../codec/names.ts";
import type { Form } from "../../domain/tool-call.ts";
import type { Tool } from "../../domain/tool.ts";
import type { PolicyEngine } from "../../policy/engine.ts";
import type { Runtime } from "../runtime.ts";
import type { LiveSession } from "../live-session.ts";

/** The tools that a session may call, newest version of each, and their names in each provider's form. */
export interface ShownTools {
  readonly tools: readonly Tool[];
  nameMap(form: Form): NameMap;
}

interface Kept extends ShownTools {
  readonly engine: PolicyEngine;
  readonly revision: number;
}

const keptByRoles = new WeakMap<Runtime, WeakMap<readonly string[], Kept>>();

/**
 * What a session may see, worked out once for its roles: a list of roles is a value, so a revoked role, another policy and a change of the registry
 * each give a new answer.
 */
export function shownTools(runtime: Runtime, live: LiveSession): ShownTools {
  let byRoles = keptByRoles.get(runtime);
  if (byRoles === undefined) {
    byRoles = new WeakMap();
    keptByRoles.set(runtime, byRoles);
  }
  const { roles } = live.principal;
  const { engine } = runtime.policy;
  const { revision } = runtime.registry;
  const before = byRoles.get(roles);
  if (before !== undefined && before.engine === engine && before.revision === revision) return before;
  const tools = runtime.registry.list((tool) => live.mayUse(tool)).map((registered) => registered.tool);
  const maps = new Map<Form, NameMap>();
  const kept: Kept = {
    engine,
    revision,
    tools,
    nameMap(form) {
      let map = maps.get(form);
      if (map === undefined) {
        map = createNameMap(tools, form);
        maps.set(form, map);
      }
      return map;
    },
  };
  byRoles.set(roles, kept);
  return kept;
}
