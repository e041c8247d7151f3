import type { Json, JsonObject } from "../domain/json.ts";
import type { Answer } from "../domain/outcome.ts";
import type { ResultPart } from "../domain/tool-call.ts";
import type { Tool } from "../domain/tool.ts";
import { describe } from "./definition.ts";
import type { Codec } from "./form-codec.ts";
import { isObject, notAResponse, toDecoded, type RawCall, type Reading } from "./reading.ts";
import { errorJson, pendingBody, replyPart } from "./result-text.ts";

const form = "mcp";

/** Member of `_meta` in which a client names an idempotency key. */
export const mcpKeyMember = "signalbox/key";
/** Member of `_meta` in which a result carries what the runtime has to say beside it. */
const mcpNoticesMember = "signalbox/notices";
/** Member of `_meta` that tells a waiting call from a result that only spells one. */
const mcpPendingMember = "signalbox/pending";

/**
 * The Model Context Protocol's `tools/call`. Clients are programs, so a result goes out as the tool gave it; what the runtime adds stands in a block of
 * its own and in `_meta`, where no tool can write.
 */
export const mcp: Codec = {
  form,
  decode: (response, names, limits) => toDecoded(read(response), names, limits),
  answer: (answers) => answers.map(callResult),
  tools: (tools, names) => tools.map((tool) => definition(tool, names.ofTool(tool))),
};

function read(response: unknown): Reading {
  const list: readonly unknown[] = Array.isArray(response) ? response : [response];
  return { items: list.map(readCall), stop: "tool-calls", problems: [], isLastItemLast: false };
}

function readCall(request: unknown): RawCall {
  if (!isObject(request)) throw notAResponse(form, "a `tools/call` request or its `params`", request);
  const { method, id } = request;
  if (method !== undefined && method !== "tools/call") throw notAResponse(form, "the method `tools/call`", method);
  const parameters = method === undefined ? request : request["params"];
  if (!isObject(parameters) || typeof parameters["name"] !== "string")
    throw notAResponse(form, "`params` with a string `name`", isObject(parameters) ? parameters["name"] : parameters);
  const { _meta: meta } = parameters;
  const isRequestId = typeof id === "string" || (typeof id === "number" && Number.isSafeInteger(id));
  return {
    id: method !== undefined && isRequestId ? `${id}` : undefined,
    name: parameters["name"],
    source: { kind: "object", value: parameters["arguments"] },
    // The JSON-RPC id keeps its type for whoever writes the response.
    echo: method !== undefined && isRequestId ? { requestId: id } : {},
    ...(isObject(meta) && { key: meta[mcpKeyMember] }),
  };
}

function callResult({ outcome }: Answer): JsonObject {
  if (outcome.kind === "pending") {
    const body = pendingBody(outcome);
    return { content: [textBlock(body)], _meta: { [mcpPendingMember]: body["pending"] as Json } };
  }
  if (outcome.kind !== "completed") return { content: [textBlock(errorJson(outcome.error))], isError: true };
  const { notices, result } = outcome;
  const content = result.parts.map(contentBlock);
  if (notices.length > 0) content.push(textBlock({ notices }));
  const { value } = result;
  // Objects only, since clients of the eras before 2026-07-28 take nothing else; and none beside parts, which say it all already.
  const isStructured = result.parts.length === 1 && result.parts[0]?.kind === "json" && isJsonObject(value);
  return {
    content,
    ...(isStructured && { structuredContent: value }),
    ...(notices.length > 0 && { _meta: { [mcpNoticesMember]: notices } }),
  };
}

function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textBlock(body: JsonObject): JsonObject {
  return { type: "text", text: JSON.stringify(body) };
}

function contentBlock(part: ResultPart): JsonObject {
  const sound = replyPart(part, () => undefined);
  switch (sound.kind) {
    case "value":
      return { type: "text", text: typeof sound.value === "string" ? sound.value : (sound.text ?? JSON.stringify(sound.value)) };
    case "omitted":
      return textBlock({ omitted: sound.about });
    case "media": {
      const { kind, dataBase64, mediaType, name } = sound.part;
      if (kind === "image" || kind === "audio") return { type: kind, data: dataBase64, mimeType: mediaType };
      const uri = `signalbox:result/${encodeURIComponent((name ?? kind).toWellFormed())}`;
      return { type: "resource", resource: { uri, mimeType: mediaType, blob: dataBase64 } };
    }
  }
}

function definition(tool: Tool, name: string): JsonObject {
  const { outputSchema } = tool;
  return {
    name,
    ...(tool.title !== undefined && { title: tool.title }),
    description: describe(tool),
    inputSchema: { type: "object", ...tool.inputSchema },
    // A client that is promised a structure refuses results without one, so only what `structuredContent` can carry is promised.
    ...(typeof outputSchema === "object" && outputSchema["type"] === "object" && { outputSchema }),
    annotations: {
      readOnlyHint: tool.tier === "read",
      destructiveHint: tool.tier === "irreversible" || tool.tier === "privileged",
      idempotentHint: tool.tier === "read" || tool.idempotency === "natural",
      openWorldHint: tool.isEgress,
    },
  };
}
