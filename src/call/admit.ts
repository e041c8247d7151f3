import type { Failure } from "../domain/tool.ts";
import type { Admission } from "../resilience/guards.ts";
import { findCached } from "./cached-reads.ts";
import { stop } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Would the tool take the call now? Its rate, its breaker and bulkhead and those of its source are asked before anything is claimed, so that a call that is
 * turned away left nothing behind. What an earlier read of the same user answers asks nobody. Where the tool has a fallback the call goes on without its upstream.
 */
export function admit(state: CallState): Verdict | Promise<Verdict> {
  const { runtime, registered, signal } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  if (tool.cache !== undefined && findCached(state)) return proceed;
  const waitMs = runtime.takeToolRate(state);
  if (waitMs > 0)
    return stop("RATE_LIMITED", `\`${tool.name}\` takes ${tool.ratePerMinute} calls a minute; wait ${waitMs} ms`, { retryAfterMs: waitMs });
  const said = runtime.resilience.guards.admit(tool, signal);
  return said instanceof Promise ? said.then((later) => admitted(state, later)) : admitted(state, said);
}

function admitted(state: CallState, said: Admission): Verdict {
  if (said.kind === "permit") {
    state.permit = said.permit;
    return proceed;
  }
  const { tool } = state.registered as NonNullable<CallState["registered"]>;
  if (said.why === "gone") return stop("CANCELLED", `\`${tool.name}\` was cancelled by its caller before anything was done`);
  const message = `${whatRefuses(said, tool)}; nothing was sent, come back in ${said.retryAfterMs} ms or use another tool`;
  if (tool.fallback === undefined) return stop("TOOL_UNAVAILABLE", message, { retryAfterMs: said.retryAfterMs });
  state.unavailable = { kind: "unavailable", message, effect: "none", retryAfterMs: said.retryAfterMs } satisfies Failure;
  return proceed;
}

function whatRefuses(said: Extract<Admission, { kind: "refused" }>, tool: { readonly name: string; readonly source: string }): string {
  const name = said.what === "tool" ? `\`${tool.name}\`` : `the source \`${tool.source}\` of \`${tool.name}\``;
  return said.why === "open" ? `${name} has kept failing and is left alone for a while` : `${name} has as many calls under way as it may`;
}

/** Gives back what lets the call go to its upstream. Harmless when it holds nothing. */
export function releasePermit(state: CallState): void {
  const { permit } = state;
  state.permit = undefined;
  permit?.release();
}
