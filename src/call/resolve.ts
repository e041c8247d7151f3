import { overloaded, stop, stopWith } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** In the words for a tool that the turn did not offer, which no policy decides. */
export const notOffered = "was offered in this turn";

/**
 * Which tool, in which version, is meant. A tool that the principal's roles do not grant looks exactly like one that does not exist: the same
 * words, and only visible names are suggested.
 */
export function resolve(state: CallState): Verdict {
  const { runtime, session, call, turn } = state;
  const isInside = state.parent !== undefined;
  const found = runtime.registry.resolve(call.name, (tool) => isInside || session.mayUse(tool));
  if (found.kind === "not-found") {
    if (runtime.registry.isQuarantined(call.name, (tool) => isInside || session.mayUse(tool)))
      return stop(
        "TOOL_QUARANTINED",
        `the definition of \`${printable(call.name)}\` waits for a person's review; tell the user, and use another tool meanwhile`,
      );
    const nearest = found.nearest.map((name) => `\`${name}\``).join(", ");
    const mend = nearest === "" ? "list the tools you have and call one of them" : `nearest: ${nearest}`;
    return stop("TOOL_NOT_FOUND", `no tool named \`${printable(call.name)}\`; ${mend}`);
  }
  const { tool } = found.registered;
  // What room is left serves calls that act; a look-up for such a call is part of it.
  if (tool.tier === "read" && !isInside && runtime.resilience.load.shedsRead()) return stopWith(overloaded());
  if (turn.offered !== undefined && !turn.offered.includes(tool.name))
    return stop("TOOL_NOT_FOUND", `no tool named \`${printable(call.name)}\` ${notOffered}; call one that was`);
  if (tool.deprecated !== undefined) state.notices.push(deprecationNotice(tool.name, tool.deprecated));
  state.registered = found.registered;
  return proceed;
}

function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, "?").slice(0, 80);
}

function deprecationNotice(
  name: string,
  deprecated: { readonly since: string; readonly removal?: string; readonly useInstead?: string },
): string {
  const until = deprecated.removal === undefined ? "" : ` and will be removed on ${deprecated.removal}`;
  const instead = deprecated.useInstead === undefined ? "" : `; use \`${deprecated.useInstead}\``;
  return `\`${name}\` is deprecated since ${deprecated.since}${until}${instead}`;
}
