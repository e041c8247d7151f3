/**
 * A session hands a part of what it may do to another agent: a session below it, for the same user, with fewer tools, a budget and an end. What is handed down
 * can only shrink: its calls need everything that the sessions above it still have, count in the budgets of all of them, and end with any of them.
 */
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { sessionCounters, type SessionBudget, type SessionCounters } from "../budget/holds.ts";
import type { Credential, Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { globProblem, matchesTool } from "../policy/glob.ts";
import type { RowKey } from "../store/store.ts";
import type { DelegationOptions } from "./box/box-session.ts";

/** What is kept of a delegation with the session it made. */
export interface Delegation {
  /** Sessions above it, the first one first. */
  readonly ancestors: readonly string[];
  /** Tool globs, one list for each of them; a tool must fit all. */
  readonly tools: readonly (readonly string[])[];
  readonly budget: { readonly calls?: number; readonly costMicrosUsd?: number };
  /** Wall time. */
  readonly expiresAtMs: number;
}

/** A budget that a call counts in: that of its session, and those of the sessions above. */
export interface Account {
  readonly counters: SessionCounters;
  /** Limits besides those of the policy. */
  readonly own: SessionBudget;
}

/** What the session above is at the moment. */
export interface Delegator {
  readonly id: string;
  readonly principal: Principal;
  readonly delegation: Delegation | undefined;
}

const noBudget: SessionBudget = Object.freeze({});

/** Checks what is to be handed down, and cuts its end to that of the session above. Throws `REQUEST_INVALID`, or `PERMISSION_DENIED` for roles that are not there. */
export function delegationOf(
  from: Delegator,
  options: DelegationOptions,
  parts: { readonly limits: Limits; readonly nowMs: number },
): Delegation {
  const { limits, nowMs } = parts;
  const { tools, roles, budget = {}, expiresInMs } = options as { readonly [name in keyof DelegationOptions]: DelegationOptions[name] };
  const ancestors = [...(from.delegation?.ancestors ?? []), from.id];
  if (ancestors.length > limits.delegationDepthMax)
    throw toolCallError("REQUEST_INVALID", `what was delegated ${limits.delegationDepthMax} times cannot be delegated again`);
  if (!Array.isArray(tools) || tools.length === 0 || tools.length > limits.delegatedGlobsMax)
    throw toolCallError("REQUEST_INVALID", `\`tools\` of a delegation is a list of 1 to ${limits.delegatedGlobsMax} tool globs`);
  for (const glob of tools as readonly unknown[]) {
    const problem = typeof glob === "string" ? globProblem(glob) : "a tool glob is a text";
    if (problem !== undefined) throw toolCallError("REQUEST_INVALID", `\`tools\` of a delegation: ${problem}`);
  }
  if (!isWhole(expiresInMs, limits.delegationMsMax))
    throw toolCallError("REQUEST_INVALID", `\`expiresInMs\` of a delegation is a whole number from 1 to ${limits.delegationMsMax}`);
  const foreign = roles?.find((role) => !from.principal.roles.includes(role));
  if (foreign !== undefined) throw toolCallError("PERMISSION_DENIED", "a session can delegate only roles that it has");
  return {
    ancestors,
    tools: [...(from.delegation?.tools ?? []), tools],
    budget: budgetOf(budget),
    expiresAtMs: Math.min(nowMs + expiresInMs, from.delegation?.expiresAtMs ?? Infinity),
  };
}

function isWhole(value: unknown, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max;
}

function budgetOf({ calls, usd }: NonNullable<DelegationOptions["budget"]>): Delegation["budget"] {
  const micros = usd === undefined ? undefined : Math.round(usd * 1_000_000);
  for (const value of [calls, micros])
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw toolCallError("REQUEST_INVALID", "`budget` of a delegation is `calls`, a whole number, and `usd`, each of at least 0");
  return { ...(calls !== undefined && { calls }), ...(micros !== undefined && { costMicrosUsd: micros }) };
}

/** Whether every session on the way down handed the tool on. */
export function handsOn(delegation: Delegation, tool: Tool): boolean {
  return delegation.tools.every((globs) => globs.some((glob) => matchesTool(glob, tool)));
}

/** The budgets that a call of a session counts in, its own first. `bodies` are those of the sessions above, in their order. */
export function accountsOf(
  session: { readonly tenant: string; readonly id: string; readonly delegation: Delegation | undefined },
  above: readonly (Delegation | undefined)[],
): readonly Account[] {
  const { tenant, id, delegation } = session;
  const ancestors = delegation?.ancestors ?? [];
  return [
    { counters: sessionCounters(tenant, id), own: delegation?.budget ?? noBudget },
    ...ancestors.map((ancestor, index) => ({ counters: sessionCounters(tenant, ancestor), own: above[index]?.budget ?? noBudget })),
  ];
}

/** The stricter of two budgets, member by member. */
export function stricter(one: SessionBudget, other: SessionBudget): SessionBudget {
  if (other === noBudget) return one;
  return {
    calls: least(one.calls, other.calls),
    executionMs: least(one.executionMs, other.executionMs),
    costMicrosUsd: least(one.costMicrosUsd, other.costMicrosUsd),
  };
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** Whether a credential may use a session: any of its own, or, where it proves one delegated session, that one and those below it. */
export function isWithin(
  session: { readonly id: string; readonly ancestorIds: readonly string[] },
  { sessionId }: Pick<Credential, "sessionId">,
): boolean {
  return sessionId === undefined || session.id === sessionId || session.ancestorIds.includes(sessionId);
}

/** Space of the store that holds tokens of delegations, by hash; each is over when its session is. */
export const delegationSpace = "delegation";

/** @see `tokenShape`: 43 characters of base64url. */
const tokenBytes = 32;
const tokenPrefix = "dlg_";
const tokenShape = /^dlg_[A-Za-z0-9_-]{43}$/;

/** A token that stands for one delegated session and nothing else. Only its hash is kept. */
export function newToken(random: Random): string {
  return `${tokenPrefix}${random.bytes(tokenBytes).toString("base64url")}`;
}

/** Where a token's session is noted; undefined for a text that is no such token. */
export function tokenKey(token: string): RowKey | undefined {
  return tokenShape.test(token) ? { space: delegationSpace, tenant: "", key: sha256Hex(token) } : undefined;
}
