import { isIP } from "node:net";
import type { IncomingHttpHeaders } from "node:http";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";

/** Judges from where a request may come: `undefined` when it may. */
export type OriginGuard = (headers: IncomingHttpHeaders) => ToolCallError | undefined;

const hostShape = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/;

/**
 * Refuses what a browser sends for somebody else's page. `Host` must be a loopback name or address, the address listened on, or one of `hosts`: a
 * name that was rebound to this machine is none of them. `Origin`, which only browsers send, must be this very host; there is no CORS.
 */
export function createOriginGuard(listenHost: string, hosts: readonly string[]): OriginGuard {
  const allowed = new Set([...hosts.map((host) => host.toLowerCase()), listenHost.toLowerCase(), "localhost"]);
  return (headers) => {
    const host = headers.host?.toLowerCase() ?? "";
    const bare = hostShape.exec(host)?.[1];
    if (bare === undefined || !isAllowed(bare, allowed))
      return toolCallError(
        "REQUEST_INVALID",
        "the `Host` header names no host that is served here; add it to `hosts` of the configuration",
      );
    const { origin } = headers;
    const site = headers["sec-fetch-site"];
    const isForeign = origin !== undefined && origin.toLowerCase() !== `http://${host}` && origin.toLowerCase() !== `https://${host}`;
    if (isForeign || site === "cross-site" || site === "same-site")
      return toolCallError(
        "REQUEST_INVALID",
        "requests from pages of other origins are refused; ask from a page of this host, or without a browser",
      );
    return undefined;
  };
}

function isAllowed(host: string, allowed: ReadonlySet<string>): boolean {
  const name = host.startsWith("[") ? host.slice(1, -1) : host;
  if (allowed.has(name)) return true;
  return isIP(name) === 4 ? name.startsWith("127.") : name === "::1";
}
