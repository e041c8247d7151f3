import type { Json } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { Scope } from "./scope.ts";
import type { DecisionInput } from "./decision-input.ts";
import type { ToolPlan } from "./tool-plan.ts";

const principals = new WeakMap<Principal, Scope["principal"]>();

/** The variable `principal`: attributes lie beside `user`, `tenant` and `roles` and can never replace them. */
function principalVariables(principal: Principal): Scope["principal"] {
  let variables = principals.get(principal);
  if (variables === undefined) {
    variables = { ...principal.attributes, user: principal.user, tenant: principal.tenant, roles: principal.roles };
    principals.set(principal, variables);
  }
  return variables;
}

/** The variables of a call's conditions. */
export function scopeOf(plan: ToolPlan, input: DecisionInput, facts: Readonly<Record<string, Json>>): Scope {
  return {
    args: input.args,
    principal: principalVariables(input.principal),
    facts,
    tool: plan.variables,
    session: { id: input.session.id, attested: input.session.attested },
    nowMs: input.nowMs,
    sinceMs: input.sinceMs,
  };
}
