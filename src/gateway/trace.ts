import type { IncomingHttpHeaders } from "node:http";

const traceShape = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;
const requestShape = /^[A-Za-z0-9._:-]{1,128}$/;

/** By what a request is found again. */
export interface RequestNames {
  readonly requestId: string;
  /** The trace of a valid `traceparent`; else the request's own id. */
  readonly traceId: string;
}

/** Names from `X-Request-Id` and `traceparent` (W3C Trace Context, level 1); what does not have the right form is replaced, never passed on. */
export function requestNames(headers: IncomingHttpHeaders, mint: () => string): RequestNames {
  const given = headers["x-request-id"];
  const requestId = typeof given === "string" && requestShape.test(given) ? given : mint();
  const parent = headers["traceparent"];
  const match = typeof parent === "string" ? traceShape.exec(parent) : null;
  const isValid =
    match !== null && !/^0+$/.test(match[1] as string) && !/^0+$/.test(match[2] as string) && !(parent as string).startsWith("ff");
  return { requestId, traceId: isValid ? (match[1] as string) : requestId };
}
