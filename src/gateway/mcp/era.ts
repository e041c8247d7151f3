/**
 * Which era a request belongs to. The body decides: a request of 2026-07-28 names its version in `_meta`, one of the eras before does not. The headers
 * that 2026-07-28 asks for must say the same as the body, since somebody on the way may have decided by them.
 */
import type { JsonObject } from "../../domain/json.ts";
import { legacyVersions, metaMembers, metaOf, modernVersions, rpcCodes } from "./protocol.ts";

/** Headers that the protocol defines, as they came. */
export interface McpHeaders {
  readonly version: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
}

/** What a request is, or why it is refused (with HTTP status 400). */
export type EraVerdict =
  | { readonly kind: "modern" }
  | { readonly kind: "legacy" }
  | { readonly kind: "refused"; readonly code: number; readonly message: string; readonly data?: JsonObject };

/**
 * Judges a request. `headers` is undefined where the transport has none (stdio).
 *
 * @see modelcontextprotocol.io, specification 2026-07-28, Streamable HTTP and Versioning; SEP-2243 for the headers.
 */
export function eraOf(method: string, params: JsonObject, headers: McpHeaders | undefined): EraVerdict {
  const meta = metaOf(params);
  const claimed = meta[metaMembers.version];
  const named = headers?.version;
  if (claimed === undefined) {
    if (named !== undefined && modernVersions.includes(named))
      return invalidEnvelope(`the header names version \`${named}\`, so \`_meta\` must name it under \`${metaMembers.version}\``);
    // An `initialize` says its version in its own parameters.
    if (named === undefined || method === "initialize" || legacyVersions.includes(named)) return { kind: "legacy" };
    return unsupported(named);
  }
  if (typeof claimed !== "string") return invalidEnvelope(`\`${metaMembers.version}\` must be a text`);
  if (headers !== undefined && named !== undefined && named !== claimed)
    return mismatch(`the body names version ${shown(claimed)}, the header \`MCP-Protocol-Version\` ${shown(named)}`);
  if (!modernVersions.includes(claimed)) return unsupported(claimed);
  if (!isObject(meta[metaMembers.clientCapabilities]))
    return invalidEnvelope(`\`_meta\` must hold an object under \`${metaMembers.clientCapabilities}\``);
  return headers === undefined ? { kind: "modern" } : (headerProblem(method, params, headers) ?? { kind: "modern" });
}

function headerProblem(method: string, params: JsonObject, headers: McpHeaders): EraVerdict | undefined {
  if (headers.version === undefined) return mismatch("the header `MCP-Protocol-Version` is missing");
  if (headers.method === undefined) return mismatch("the header `Mcp-Method` is missing");
  if (headers.method !== method)
    return mismatch(`the body names method ${shown(method)}, the header \`Mcp-Method\` ${shown(headers.method)}`);
  const source = Object.hasOwn(nameSources, method) ? params[nameSources[method] as string] : undefined;
  if (typeof source !== "string") return undefined;
  if (headers.name === undefined) return mismatch("the header `Mcp-Name` is missing");
  const name = decodeHeader(headers.name);
  if (name === undefined) return mismatch("the header `Mcp-Name` is not valid Base64 of UTF-8");
  return name === source ? undefined : mismatch(`the body names ${shown(source)}, the header \`Mcp-Name\` ${shown(name)}`);
}

/** Methods whose `Mcp-Name` mirrors a member of the parameters. */
const nameSources: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

const sentinel = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;

/** A header's value, taken out of its Base64 sentinel where it has one; undefined when that is broken. */
export function decodeHeader(value: string): string | undefined {
  if (!value.startsWith("=?base64?") || !value.endsWith("?=")) return value;
  const encoded = sentinel.exec(value)?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : undefined;
}

function mismatch(message: string): EraVerdict {
  return { kind: "refused", code: rpcCodes.headerMismatch, message: `headers and body differ: ${message}` };
}

function invalidEnvelope(message: string): EraVerdict {
  return { kind: "refused", code: rpcCodes.invalidParams, message };
}

function unsupported(requested: string): EraVerdict {
  const supported = [...modernVersions, ...legacyVersions];
  return {
    kind: "refused",
    code: rpcCodes.unsupportedVersion,
    message: `version ${shown(requested)} is not spoken here; use \`${modernVersions[0] ?? ""}\``,
    data: { supported, requested: requested.slice(0, 100) },
  };
}

function shown(text: string): string {
  return `\`${text.slice(0, 80).replace(/[^ -~]/g, "?")}\``;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
