import type { ServerResponse } from "node:http";
import { httpProblem } from "../errors/wire.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { Reply } from "./route.ts";
import type { RequestNames } from "./trace.ts";

// Answers hold what users and systems said: nothing may run, frame, sniff or keep them.
const alwaysHeaders: readonly string[] = [
  "x-content-type-options",
  "nosniff",
  "cache-control",
  "no-store",
  "referrer-policy",
  "no-referrer",
  "cross-origin-resource-policy",
  "same-origin",
  "x-frame-options",
  "DENY",
];

/** Policy of pages that load and run nothing. */
export const closedContentPolicy = "default-src 'none'; frame-ancestors 'none'";

/** A reply as bytes to send; streams are not among them. */
export function sendReply(response: ServerResponse, reply: Exclude<Reply, { kind: "events" }>, names: RequestNames): number {
  const { status, type, text, contentPolicy, headers } = rendered(reply, names);
  const list = [
    ...alwaysHeaders,
    "content-security-policy",
    contentPolicy,
    "x-request-id",
    names.requestId,
    "content-type",
    type,
    "content-length",
    String(Buffer.byteLength(text)),
  ];
  for (const [name, value] of Object.entries(headers ?? {})) list.push(name, value);
  response.writeHead(status, list);
  response.end(text);
  return status;
}

/** Headers of a stream of events. */
export function eventHeaders(names: RequestNames): readonly string[] {
  return [
    ...alwaysHeaders,
    "content-security-policy",
    closedContentPolicy,
    "x-request-id",
    names.requestId,
    "content-type",
    "text/event-stream; charset=utf-8",
    "x-accel-buffering",
    "no",
  ];
}

interface Rendered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly contentPolicy: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

function rendered(reply: Exclude<Reply, { kind: "events" }>, names: RequestNames): Rendered {
  if (reply.kind === "text")
    return {
      status: reply.status,
      type: reply.type,
      text: reply.text,
      contentPolicy: reply.contentPolicy ?? closedContentPolicy,
      headers: undefined,
    };
  if (reply.kind === "json")
    return {
      status: reply.status,
      type: "application/json",
      text: JSON.stringify(reply.body),
      contentPolicy: closedContentPolicy,
      headers: reply.headers,
    };
  const problem = httpProblem(reply.error);
  const status = reply.status ?? problem.status;
  const body = { ...problem.body, status, ...reply.extra, requestId: names.requestId, traceId: names.traceId };
  const waitMs = reply.error.retryAfterMs;
  const headers = { ...(waitMs !== undefined && { "retry-after": String(Math.max(1, Math.ceil(waitMs / 1_000))) }), ...reply.headers };
  return { status, type: "application/problem+json", text: JSON.stringify(body), contentPolicy: closedContentPolicy, headers };
}

/** The whole answer to bytes that are no HTTP request, as they go to the socket. */
export function malformedAnswer(status: 400 | 408 | 431): string {
  const reason = {
    400: "the bytes received are no HTTP request",
    408: "the request did not arrive in time",
    431: "the headers are too large",
  }[status];
  const phrase = { 400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large" }[status];
  const text = JSON.stringify({ ...httpProblem(toolCallError("REQUEST_INVALID", reason)).body, status });
  return `HTTP/1.1 ${status} ${phrase}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}
