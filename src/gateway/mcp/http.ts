/** The Streamable HTTP binding: each message is a POST; the reply is JSON, or a stream of events once there is progress to tell. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Gather } from "../../base/gather.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { isJsonType, parseBody, readBody } from "../body.ts";
import { eventHeaders } from "../replies.ts";
import type { Reply } from "../route.ts";
import type { RequestNames } from "../trace.ts";
import type { McpSender } from "./asked.ts";
import type { McpFace } from "./face.ts";
import { errorMessage, isObject, metaMembers, metaOf, rpcCodes, type McpAnswer } from "./protocol.ts";

/** Path at which MCP is spoken. */
export const mcpPath = "/mcp";

/** One request to the MCP endpoint, authenticated. */
export interface McpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly names: RequestNames;
  readonly credential: Credential;
}

/** What the binding needs. */
export interface McpHttpParts {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly gather: Gather;
}

/** What to send; `sent` where a stream was written already. */
export type McpReply = Reply | { readonly kind: "sent"; readonly status: number };

/** Answers one request. Never rejects for anything a client sends, except that its connection breaks. */
export async function answerMcp(face: McpFace, exchange: McpExchange, { limits, clock, gather }: McpHttpParts): Promise<McpReply> {
  const { request } = exchange;
  if (request.method !== "POST") {
    const error = toolCallError("REQUEST_INVALID", "only `POST` is possible here: there are no streams to open and no sessions to delete");
    return { kind: "problem", error, status: 405, headers: { allow: "POST" } };
  }
  if (!isJsonType(request.headers["content-type"])) {
    const error = toolCallError("REQUEST_INVALID", "the body must be JSON; send `content-type: application/json`");
    return { kind: "problem", error, status: 415 };
  }
  const read = await readBody(request, limits, gather);
  if ("error" in read) {
    const body = errorMessage(undefined, { code: rpcCodes.invalidRequest, message: read.error.message });
    return { kind: "json", status: read.isTooLarge ? 413 : 400, body, ...(read.isTooLarge && { headers: { connection: "close" } }) };
  }
  const parsed = parseBody(read.text, limits);
  if ("error" in parsed) return { kind: "json", status: 400, body: unreadable(read.text, parsed.error.message) };
  const stream = createStream(exchange, limits);
  const stopPings = parsed.value["method"] === "subscriptions/listen" ? pings(exchange, { limits, clock }) : undefined;
  const answer = await face.handle(parsed.value, senderOf(exchange), { gone: stream.gone(parsed.value), notify: stream.notify });
  stopPings?.();
  stream.end();
  return replyOf(answer, stream);
}

/** The error for a text that is no message: a batch of them, or no JSON object at all. */
export function unreadable(text: string, message: string): JsonObject {
  const isBatch = text.trimStart().startsWith("[");
  return errorMessage(
    undefined,
    isBatch
      ? { code: rpcCodes.invalidRequest, message: "batches are not taken; send each message alone" }
      : { code: rpcCodes.parse, message },
  );
}

function senderOf({ request, names, credential }: McpExchange): McpSender {
  const { headers } = request;
  return {
    credential,
    sessionId: headerText(headers["mcp-session-id"]),
    headers: {
      version: headerText(headers["mcp-protocol-version"]),
      method: headerText(headers["mcp-method"]),
      name: headerText(headers["mcp-name"]),
    },
    traceId: names.traceId,
  };
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The events of one response; begun by the first notification. */
interface EventStream {
  readonly notify: ((notification: JsonObject) => void) | undefined;
  /** Fires when the client closes the response of a 2026-07-28 request. In the eras before, a broken connection cancels nothing. */
  gone(message: JsonObject): AbortSignal | undefined;
  end(): void;
  isBegun(): boolean;
  finish(message: JsonObject): void;
}

function createStream({ request, response, names }: McpExchange, limits: Limits): EventStream {
  const takesEvents = /(?:^|,)\s*text\/event-stream\b/i.test(request.headers.accept ?? "");
  let isBegun = false;
  let controller: AbortController | undefined;
  const onClose = (): void => {
    if (!response.writableEnded) controller?.abort();
  };
  const begin = (): void => {
    if (isBegun) return;
    isBegun = true;
    response.writeHead(200, [...eventHeaders(names)]);
  };
  return {
    notify: takesEvents
      ? (notification) => {
          // A client of the eras before may be gone without having taken its call back.
          if (response.destroyed) return;
          begin();
          // A slow reader misses progress; the result always comes.
          if (response.writableLength < limits.eventStreamBytesMax) response.write(eventOf(notification));
        }
      : undefined,
    gone(message) {
      if (message["method"] !== "tools/call" && message["method"] !== "subscriptions/listen") return undefined;
      const { params } = message;
      const isModern = isObject(params) && metaOf(params)[metaMembers.version] !== undefined;
      if (!isModern) return undefined;
      controller = new AbortController();
      response.on("close", onClose);
      // The client may have left while its message waited for its turn.
      if (response.destroyed) controller.abort();
      return controller.signal;
    },
    end: () => response.off("close", onClose),
    isBegun: () => isBegun,
    finish: (message) => void response.end(eventOf(message)),
  };
}

/** Signs of life in a stream that may be quiet for long; what stands between would close it otherwise. */
function pings({ response }: McpExchange, { limits, clock }: Pick<McpHttpParts, "limits" | "clock">): () => void {
  let timer: Timer | undefined;
  const schedule = (): void => {
    timer = clock.after(limits.eventPingMs, () => {
      if (response.headersSent && !response.destroyed) response.write(": here\n\n");
      schedule();
    });
  };
  schedule();
  return () => timer?.cancel();
}

function eventOf(message: JsonObject): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

function replyOf(answer: McpAnswer, stream: EventStream): McpReply {
  if (answer.kind === "accepted") return { kind: "text", status: 202, type: "text/plain; charset=utf-8", text: "" };
  if (stream.isBegun()) {
    stream.finish(answer.message);
    return { kind: "sent", status: 200 };
  }
  if (answer.kind === "cancelled") return { kind: "json", status: 200, body: answer.message };
  const { status, message, sessionId } = answer;
  return { kind: "json", status, body: message, ...(sessionId !== undefined && { headers: { "mcp-session-id": sessionId } }) };
}
