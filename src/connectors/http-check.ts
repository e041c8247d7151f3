import { bareHost, refuseUrl, type EgressPolicy } from "./egress.ts";
import { isUserReference, userReferenceProblem } from "../secrets/user-reference.ts";
import type { HttpAuth, HttpOptions } from "./http-options.ts";
import { isHeaderValue, placeholdersOf } from "./http-request.ts";

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
// Set by the transport or by us; a template that sets them could smuggle a second request or another identity.
const ownHeaders: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "proxy-connection",
  "proxy-authorization",
  "accept-encoding",
]);

/** Where an operation may go: the declared hosts, or that of its URL alone. */
export function egressOf(options: HttpOptions): EgressPolicy {
  const host = URL.canParse(templateUrl(options.url)) ? bareHost(new URL(templateUrl(options.url)).hostname) : "";
  return {
    hosts: (options.egressHosts ?? [host]).map((declared) => bareHost(declared)),
    allowPrivate: (options.allowPrivate ?? []).map((allowed) => allowed.toLowerCase()),
  };
}

/** Everything that is wrong with the options of an operation. */
export function checkHttpOptions(options: HttpOptions): readonly string[] {
  const problems = [...checkUrl(options)];
  const names = [...Object.keys(options.headers ?? {}), ...(typeof options.auth?.scheme === "object" ? [options.auth.scheme.header] : [])];
  if (typeof options.idempotencyHeader === "string") names.push(options.idempotencyHeader);
  for (const name of names) {
    if (!headerName.test(name)) problems.push(`header \`${name.slice(0, 40).replace(/[^\x20-\x7e]/g, "?")}\` is not a header name`);
    else if (ownHeaders.has(name.toLowerCase())) problems.push(`header \`${name}\` is set by the transport and cannot be given`);
  }
  for (const [name, source] of Object.entries(options.headers ?? {})) {
    if (typeof source === "string" && !isHeaderValue(source))
      problems.push(`header \`${name}\` has line breaks or characters beyond ASCII`);
  }
  if (options.resultPointer !== undefined && options.resultPointer !== "" && !options.resultPointer.startsWith("/")) {
    problems.push(`result pointer \`${options.resultPointer}\` must start with \`/\``);
  }
  if (options.auth !== undefined) problems.push(...authProblems(options.auth));
  for (const allowed of options.allowPrivate ?? []) {
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(allowed))
      problems.push(`private host \`${allowed}\` must be given as \`host:port\``);
  }
  return problems;
}

/** Everything that is wrong with how requests prove who sends them. */
export function authProblems({ secret, exchange }: HttpAuth): readonly string[] {
  const problem = isUserReference(secret) ? userReferenceProblem(secret) : undefined;
  if (problem !== undefined) return [`secret \`${secret}\`: ${problem}`];
  if (exchange === undefined) return [];
  if (!isUserReference(secret)) return ["only a secret of each user is exchanged: name it `secret://file/…/{tenant}/{user}`"];
  const refusal = URL.canParse(exchange.url)
    ? refuseUrl(new URL(exchange.url), egressOf({ method: "POST", ...exchange, url: exchange.url }))
    : "it is no URL";
  return refusal === undefined ? [] : [`the token endpoint \`${exchange.url}\` cannot be asked: ${refusal}`];
}

function checkUrl(options: HttpOptions): readonly string[] {
  const origin = /^https?:\/\/[^/?#]*/i.exec(options.url)?.[0] ?? "";
  if (!URL.canParse(templateUrl(options.url))) return [`url \`${options.url}\` is not an absolute URL`];
  if (placeholdersOf(origin).length > 0) return [`url \`${options.url}\` has an argument in its host; arguments belong into the path`];
  const tail = options.url.slice(origin.length).split(/[?#]/).slice(1).join("?");
  if (tail !== "") return [`url \`${options.url}\` has a query or fragment; give query parameters in \`query\``];
  const refusal = refuseUrl(new URL(templateUrl(options.url)), egressOf(options));
  return refusal === undefined ? [] : [`url \`${options.url}\` cannot be asked: ${refusal}`];
}

function templateUrl(url: string): string {
  return url.replace(/\{[^{}]*\}/g, "x");
}
