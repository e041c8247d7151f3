import { canonicalJson } from "../base/canonical-json.ts";
import { isoTime } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import { parseOwnJson } from "../base/own-json.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Tool } from "../domain/tool.ts";
import type { CachedResult } from "../resilience/read-cache.ts";
import { touches } from "./shared-writes.ts";
import type { Execution } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Finds the result of an earlier read that answers this one: of the same user with the same roles and attributes under the same credential, of the same
 * definition of the tool, with the same arguments. The call was decided like any other. Whatever the runtime asks for itself is asked anew.
 */
export function findCached(state: CallState): boolean {
  const { runtime, registered, session, parent } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (tool.cache === undefined || tool.tier !== "read" || parent !== undefined) return false;
  const key = readKey(session, tool, state.effectiveDigest);
  const found = runtime.cache.find(key, runtime.clock.now());
  state.cached = found;
  if (found !== undefined) return true;
  state.caching = { key, begun: runtime.cache.begin(), origin: { tenant: session.principal.tenant, tool: tool.name, source: tool.source } };
  return false;
}

/** Names what a read brought: whose rights it was made with, by which definition of which tool, and what was asked. */
export function readKey(session: CallState["session"], tool: Tool, asked: string): string {
  const { tenant, user, roles, attributes } = session.principal;
  const whose = [tenant, user, [...roles].sort(), attributes, session.credentialId, session.dataSubject ?? null];
  return sha256Hex(canonicalJson([...whose, tool.name, tool.fingerprint, asked]));
}

/** What an earlier read brought, for a call that it answers. */
export function cachedExecution(state: CallState, cached: CachedResult): Execution {
  state.notices.push(`answered from the cache, as of ${isoTime(cached.atMs)}`);
  return { kind: "value", value: parseOwnJson(cached.text) };
}

/** Keeps what a call brought, once it is recorded. An answer that came with a warning, or from a fallback, is not one to give again. */
export function keepResult(state: CallState, outcome: Outcome): void {
  const { runtime, caching, registered, resultText, callId } = state;
  if (caching === undefined || resultText === undefined || outcome.kind !== "completed") return;
  if (outcome.isFallback || outcome.notices.length > 0) return;
  const { tool } = registered as NonNullable<typeof registered>;
  const { asOfMs } = outcome.result;
  runtime.cache.keep({
    key: caching.key,
    origin: caching.origin,
    begun: caching.begun,
    untilMs: asOfMs + (tool.cache?.ttlMs ?? 0),
    result: { callId, atMs: asOfMs, text: resultText },
  });
}

/** A call that acts makes what was read before it old, whether or not it succeeds: what its tool says it changes, otherwise everything of its source. */
export function forgetReads(state: CallState): void {
  const { runtime, registered, session } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (tool.tier === "read") return;
  const { tenant } = session.principal;
  const touched = tool.invalidates === undefined ? { tenant, source: tool.source } : { tenant, tools: tool.invalidates };
  runtime.cache.forget((origin) => touches(touched, origin));
  runtime.sharedWrites?.note(touched);
}
