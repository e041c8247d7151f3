/**
 * The facts of a call: each looked up by a read of its own, with the call as its parent. A fact whose policy says `cacheMs` may serve later calls of the same
 * user under the same credential for so long, unless a write to its source came between, in this process or, as the pulse tells it, in another of the same store. That the record is absent is kept like any other answer, so that
 * asking again costs the same whether a record is somebody else's or not there.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import { parseOwnJson } from "../base/own-json.ts";
import type { Json } from "../domain/json.ts";
import type { Answer } from "../domain/outcome.ts";
import type { Tool } from "../domain/tool.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { FactRequest } from "../policy/facts.ts";
import type { CacheOrigin } from "../resilience/read-cache.ts";
import { readKey } from "./cached-reads.ts";
import type { FactsFrom } from "./held.ts";
import type { CallState } from "./runtime.ts";

/** What the look-ups of a call brought. */
export type LookedUp =
  | { readonly kind: "facts"; readonly facts: Readonly<Record<string, Json>>; readonly from: FactsFrom | undefined }
  /** A record is not there. */
  | { readonly kind: "absent"; readonly from: FactsFrom | undefined }
  | { readonly kind: "failed"; readonly error: ToolCallError };

/** Looks up what a call needs, all at once. */
export async function lookUpFacts(state: CallState, requests: readonly FactRequest[]): Promise<LookedUp> {
  const answers = await Promise.all(requests.map((request) => lookUp(state, request)));
  const facts: Record<string, Json> = {};
  const from: Record<string, string> = {};
  let isAbsent = false;
  for (const [index, { name }] of requests.entries()) {
    const { value, callId } = answers[index] as Found;
    if (value === undefined)
      return {
        kind: "failed",
        error: toolCallError("DECISION_UNAVAILABLE", `the fact \`${name}\` could not be looked up, which denies; try again later`),
      };
    if (callId !== undefined) from[name] = callId;
    if (value === null) isAbsent = true;
    else facts[name] = value;
  }
  const known = Object.keys(from).length === 0 ? undefined : from;
  return isAbsent ? { kind: "absent", from: known } : { kind: "facts", facts, from: known };
}

/** What one look-up brought. */
export interface Found {
  /** `null`: absent. `undefined`: nobody could say. */
  readonly value: Json | undefined;
  /** The earlier look-up that answered. */
  readonly callId?: string;
}

/** Makes one look-up, or takes the answer of an earlier one where the policy allows it. */
export async function lookUp(state: CallState, request: FactRequest): Promise<Found> {
  const { runtime } = state;
  const place = cachePlace(state, request);
  const cached = place === undefined || !mayUseCached(state) ? undefined : runtime.cache.find(place.key, runtime.clock.now());
  if (cached !== undefined) return { value: parseOwnJson(cached.text) as Json, callId: cached.callId };
  const begun = place === undefined ? 0 : runtime.cache.begin();
  const answer = await runtime.callInside(state, { tool: request.tool, arguments: request.arguments, purpose: "fact" });
  const value = valueOf(answer);
  if (place !== undefined && value !== undefined) {
    const { key, origin } = place;
    const atMs = runtime.clock.now();
    const result = { callId: answer.callId, atMs, text: canonicalJson(value) };
    runtime.cache.keep({ key, origin, begun, untilMs: atMs + (request.cacheMs ?? 0), result });
  }
  return { value };
}

/** A read that refuses says that the record is not there. */
function valueOf({ outcome }: Answer): Json | undefined {
  if (outcome.kind === "completed") return outcome.result.value ?? null;
  return outcome.kind === "failed" && outcome.error.code === "TOOL_REFUSED" ? null : undefined;
}

/**
 * What cannot be taken back, and what waited or is judged again because something changed, is decided on what is so now.
 */
function mayUseCached({ registered, waitingSinceMs, againCount }: CallState): boolean {
  const { tier } = (registered as NonNullable<CallState["registered"]>).tool;
  return waitingSinceMs === undefined && againCount === 0 && (tier === "read" || tier === "reversible");
}

/** Undefined where it may not be kept at all: nobody said so, or other processes of the store may write without this one hearing of it. */
function cachePlace(state: CallState, request: FactRequest): { readonly key: string; readonly origin: CacheOrigin } | undefined {
  const { runtime, session } = state;
  if (request.cacheMs === undefined || runtime.sharedWrites?.isCurrent(runtime.clock.monotonic()) === false) return undefined;
  const found = runtime.registry.resolve(request.tool, () => true);
  if (found.kind !== "found") return undefined;
  const tool: Tool = found.registered.tool;
  const key = readKey(session, tool, `fact ${canonicalJson(request.arguments)}`);
  return { key, origin: { tenant: session.principal.tenant, tool: tool.name, source: tool.source } };
}
