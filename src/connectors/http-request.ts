import type { Json, JsonObject } from "../domain/json.ts";
import type { HttpOptions } from "./http-options.ts";
import type { WireRequest } from "./http-exchange.ts";

/** A request without its credential, or why these arguments do not make one. */
export type BuiltRequest =
  | { readonly kind: "request"; readonly request: WireRequest }
  | { readonly kind: "refused"; readonly problem: string };

/** Builds the requests of one operation from arguments. */
export type RequestBuilder = (args: JsonObject) => BuiltRequest;

const placeholder = /\{([A-Za-z_][A-Za-z0-9_.-]{0,99})\}/g;
const methodsWithBody: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** Names of the arguments that a URL template holds. */
export function placeholdersOf(url: string): readonly string[] {
  return [...url.matchAll(placeholder)].map((match) => match[1] as string);
}

/** The builder of one operation, whose options have been checked. */
export function createRequestBuilder(options: HttpOptions): RequestBuilder {
  const inPath = placeholdersOf(options.url);
  const elsewhere = [...Object.values(options.query ?? {}), ...Object.values(options.headers ?? {})].flatMap((source) =>
    typeof source === "string" ? [] : [source.from],
  );
  const used: ReadonlySet<string> = new Set([...inPath, ...elsewhere]);
  const body = options.body ?? (methodsWithBody.has(options.method) ? "rest" : "none");
  return (args) => {
    try {
      const url = buildUrl(options, args);
      const headers = buildHeaders(options, args);
      const text = buildBody(body, options, args, used);
      if (text !== undefined) headers["content-type"] ??= "application/json";
      return { kind: "request", request: { url, method: options.method, headers, body: text } };
    } catch (thrown) {
      if (thrown instanceof ArgumentProblem) return { kind: "refused", problem: thrown.message };
      throw thrown;
    }
  };
}

/** Carries a problem out of the nested builders; never leaves this file. */
class ArgumentProblem extends Error {}

function buildUrl(options: HttpOptions, args: JsonObject): URL {
  const text = options.url.replace(placeholder, (_whole, name: string) => pathSegment(name, args[name]));
  const url = new URL(text);
  // INVARIANT: what the arguments filled in stayed inside the path's own segments. A parser that folds `..` would have shortened the path.
  const written = text.slice(text.indexOf("/", text.indexOf("//") + 2)).split(/[?#]/)[0];
  if (text.indexOf("/", text.indexOf("//") + 2) > 0 && url.pathname !== written) {
    throw new ArgumentProblem("the arguments change the path of the URL; give plain identifiers");
  }
  for (const [name, source] of Object.entries(options.query ?? {}))
    appendQuery(url, name, typeof source === "string" ? source : args[source.from]);
  return url;
}

function pathSegment(name: string, value: Json | undefined): string {
  const text = scalarText(name, value);
  if (text === undefined || text === "") throw new ArgumentProblem(`argument \`${name}\` is part of the URL and must not be empty`);
  // Many servers decode `%2F` before they route, so an encoded slash is a slash.
  const hasForbidden = /[/\\]/.test(text) || hasControl(text) || text === "." || text === "..";
  if (hasForbidden || !text.isWellFormed()) {
    throw new ArgumentProblem(
      `argument \`${name}\` is one segment of the URL's path and must not hold \`/\`, \`\\\`, \`..\` or control characters`,
    );
  }
  return encodeURIComponent(text);
}

function appendQuery(url: URL, name: string, value: Json | undefined): void {
  if (value === undefined || value === null) return;
  const values = Array.isArray(value) ? (value as readonly Json[]) : [value];
  for (const item of values) url.searchParams.append(name, typeof item === "object" && item !== null ? JSON.stringify(item) : String(item));
}

function buildHeaders(options: HttpOptions, args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {
    accept: options.accept ?? "application/json, text/plain;q=0.5, */*;q=0.1",
    // An answer that is not compressed cannot be a bomb.
    "accept-encoding": "identity",
  };
  for (const [name, source] of Object.entries(options.headers ?? {})) {
    const text = typeof source === "string" ? source : scalarText(source.from, args[source.from]);
    if (text === undefined) continue;
    if (!isHeaderValue(text)) {
      throw new ArgumentProblem(`header \`${name}\` must not hold line breaks, control characters or characters beyond ASCII`);
    }
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

/** Whether a text can be a header's value without becoming anything else. */
export function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text);
}

function buildBody(body: HttpOptions["body"], options: HttpOptions, args: JsonObject, used: ReadonlySet<string>): string | undefined {
  if (body === "none" || body === undefined) return undefined;
  if (typeof body === "object") {
    const value = args[body.from];
    return value === undefined ? undefined : JSON.stringify(value);
  }
  const rest = Object.entries(args).filter(([name]) => !used.has(name));
  return JSON.stringify({ ...Object.fromEntries(rest), ...options.bodyExtra });
}

function scalarText(name: string, value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object") throw new ArgumentProblem(`argument \`${name}\` must be a text, a number or a boolean here`);
  return String(value);
}

function hasControl(text: string): boolean {
  return /[\u0000-\u001f\u007f-\u009f]/.test(text);
}
