/** What a server's answer to `tools/call` means here: its content as a value or as parts, its own errors as failures. All of it is untrusted. */
import type { Json, JsonObject } from "../../domain/json.ts";
import type { ResultPart } from "../../domain/tool-call.ts";
import type { ExecutionResult, Failure, Tool } from "../../domain/tool.ts";
import type { Effect } from "../../errors/codes.ts";
import { effectOfLostAttempt } from "../../resilience/classify.ts";
import type { LinkFailure } from "./link.ts";
import { boundedText, isObject } from "./wire.ts";

/** Member under which the journey takes a result of several parts. */
const partsMember = "signalbox:parts";

/** The result of a `tools/call`. */
export function resultOf(answer: JsonObject, tool: Tool, errorEffect: "none" | "unknown"): ExecutionResult {
  const { content, structuredContent, isError, resultType } = answer;
  if (resultType !== undefined && resultType !== "complete") {
    const message = `\`${tool.name}\` asks for more input or time than this connection offers`;
    return failed({ kind: "failed", message, effect: effectOfLostAttempt(tool, true) });
  }
  const blocks = Array.isArray(content) ? (content as readonly Json[]).filter(isObject) : [];
  if (isError === true) {
    const effect: Effect = tool.tier === "read" || errorEffect === "none" ? "none" : "unknown";
    const detail = boundedText(blocks.flatMap((block) => (typeof block["text"] === "string" ? [block["text"]] : [])).join("\n"));
    return failed({ kind: "failed", message: `\`${tool.name}\` reports an error`, effect, ...(detail !== "" && { detail }) });
  }
  if (content === undefined && structuredContent === undefined) {
    const message = `the answer to \`${tool.name}\` cannot be used: it has no content`;
    return failed({ kind: "failed", code: "RESULT_INVALID", message, effect: tool.tier === "read" ? "none" : "applied" });
  }
  return { kind: "value", value: valueOf(blocks, structuredContent) };
}

function valueOf(blocks: readonly JsonObject[], structured: Json | undefined): Json {
  const parts = blocks.map(partOf);
  const hasMedia = parts.some((part) => part.kind !== "text" && part.kind !== "json");
  // Text beside a structure says the same again, by the protocol; pictures do not.
  if (structured !== undefined && !hasMedia) return withoutParts(structured);
  if (hasMedia)
    return { [partsMember]: [...(structured === undefined ? [] : [{ kind: "json", value: structured }]), ...parts] as unknown as Json };
  const values = parts.map((part) => (part.kind === "text" ? part.text : (part as { readonly value: Json }).value));
  return values.length === 1 ? withoutParts(values[0] as Json) : values;
}

/** A server must not spell what only we may: a structure with our own member is taken one level down. */
function withoutParts(value: Json): Json {
  return isObject(value) && partsMember in value ? { value } : value;
}

function partOf(block: JsonObject): ResultPart {
  const { type, text, data, mimeType, resource } = block;
  if (type === "text" && typeof text === "string") return { kind: "text", text };
  if ((type === "image" || type === "audio") && typeof data === "string" && typeof mimeType === "string")
    return { kind: type, mediaType: mimeType, dataBase64: data };
  if (type === "resource" && isObject(resource)) {
    const { blob, uri, mimeType: mediaType } = resource;
    if (typeof blob === "string")
      return {
        kind: "file",
        mediaType: typeof mediaType === "string" ? mediaType : "application/octet-stream",
        dataBase64: blob,
        ...(typeof uri === "string" && { name: uri }),
      };
    return { kind: "json", value: resource };
  }
  return { kind: "json", value: block };
}

/** The failure of a call that brought no result. */
export function failureOf(failure: LinkFailure, tool: Tool, isSent: boolean): ExecutionResult {
  const { kind, detail, retryAfterMs, code } = failure.parts;
  const lost = effectOfLostAttempt(tool, isSent);
  const base = { cause: failure, ...(detail !== undefined && { detail }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
  switch (kind) {
    case "rpc":
      return failed({ ...base, ...rpcMeaning(code ?? 0, tool) });
    case "unreached":
      return failed({ ...base, kind: "unavailable", message: `the server of \`${tool.name}\` could not be reached`, effect: "none" });
    case "session-lost":
      return failed({ ...base, kind: "unavailable", message: `the server of \`${tool.name}\` has forgotten the session`, effect: "none" });
    case "busy":
      return failed({
        ...base,
        kind: "rate-limited",
        message: `the server of \`${tool.name}\` takes no more calls for now`,
        effect: "none",
      });
    case "refused":
      return failed({
        ...base,
        kind: "failed",
        message: `\`${tool.name}\` cannot be reached with what is configured; its operator must mend it`,
        effect: "none",
      });
    case "lost":
      return failed({ ...base, kind: "unavailable", message: `the server of \`${tool.name}\` gave no complete answer`, effect: lost });
    case "malformed":
      return failed({ ...base, kind: "failed", message: `the server of \`${tool.name}\` gave no usable answer`, effect: lost });
    case "aborted":
      return failed({ ...base, kind: "timeout", message: `\`${tool.name}\` was given up`, effect: lost });
  }
}

/** Errors of the protocol itself come before a tool runs; any other may come from within. */
function rpcMeaning(code: number, tool: Tool): Pick<Failure, "kind" | "message" | "effect"> {
  if (code === -32602) return { kind: "rejected", message: `the server of \`${tool.name}\` refused these arguments`, effect: "none" };
  if (code === -32601 || code === -32600 || code === -32700 || (code <= -32020 && code >= -32099))
    return { kind: "failed", message: `the server of \`${tool.name}\` does not take this call`, effect: "none" };
  return { kind: "failed", message: `the server of \`${tool.name}\` answered with an error`, effect: effectOfLostAttempt(tool, true) };
}

function failed(failure: Failure): ExecutionResult {
  return { kind: "failure", failure };
}
