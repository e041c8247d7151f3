import type { Json, JsonObject } from "../domain/json.ts";
import { valueAt } from "../domain/json-pointer.ts";
import type { ExecutionResult, Failure, FailureKind, Tool } from "../domain/tool.ts";
import type { Limits } from "../base/limits.ts";
import type { Effect } from "../errors/codes.ts";
import { parseRetryAfter } from "../resilience/backoff.ts";
import type { HttpOptions } from "./http-options.ts";
import type { WireResponse } from "./http-exchange.ts";

/** What is needed to judge an answer. */
export interface Answered {
  readonly options: HttpOptions;
  readonly tool: Tool;
  readonly limits: Limits;
  readonly response: WireResponse;
  /** Not the first attempt under its key, and the key was sent. */
  readonly isResent: boolean;
  /** Wall time, to which a `Retry-After` date is compared. */
  readonly nowMs: number;
}

/** Whether a status is a success of this operation. */
export function isSuccess(options: HttpOptions, status: number): boolean {
  return options.successStatuses?.includes(status) ?? (status >= 200 && status < 300);
}

/** The result of an answer: its value, or a failure with the effect that the status allows to claim. */
export function resultOf(answered: Answered): ExecutionResult {
  const { options, response } = answered;
  return isSuccess(options, response.status) ? successOf(answered) : { kind: "failure", failure: failureOf(answered) };
}

function successOf(answered: Answered): ExecutionResult {
  const { options, tool, limits, response } = answered;
  const encoding = response.headers["content-encoding"];
  if (response.isCut) return invalid(answered, `it is larger than ${limits.resultBytesMax} bytes`);
  if (encoding !== undefined && encoding !== "identity") return invalid(answered, "it is compressed, which was not asked for");
  const decoded = decode(response);
  if (decoded.kind === "broken") return invalid(answered, decoded.problem);
  const suspicion = suspicionOf(decoded.value);
  if (suspicion !== undefined && options.suspicious === "fail") {
    const message = `\`${tool.name}\` answered with status ${response.status}, but ${suspicion}`;
    return { kind: "failure", failure: { kind: "failed", message, effect: isRead(tool) ? "none" : "unknown", detail: detailOf(answered) } };
  }
  const pointed = options.resultPointer === undefined ? decoded.value : valueAt(decoded.value, options.resultPointer);
  if (pointed === undefined) return invalid(answered, `it has nothing at \`${options.resultPointer ?? ""}\``);
  return { kind: "value", value: pointed, ...(suspicion !== undefined && { warnings: [`the status says success, but ${suspicion}`] }) };
}

function invalid(answered: Answered, problem: string): ExecutionResult {
  const { tool } = answered;
  const message = `the answer to \`${tool.name}\` cannot be used: ${problem}`;
  return { kind: "failure", failure: { kind: "failed", code: "RESULT_INVALID", message, effect: isRead(tool) ? "none" : "applied" } };
}

type Decoded = { readonly kind: "value"; readonly value: Json } | { readonly kind: "broken"; readonly problem: string };

const jsonType = /^[a-z]+\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i;
const textType = /^(?:text\/|application\/(?:xml|x-www-form-urlencoded|yaml|javascript)|[a-z]+\/[a-z0-9.-]+\+xml)/i;

function decode(response: WireResponse): Decoded {
  const { body, headers } = response;
  if (body.length === 0) return { kind: "value", value: null };
  const type = headers["content-type"] ?? "";
  const text = decodeUtf8(body);
  if (jsonType.test(type)) {
    if (text === undefined) return { kind: "broken", problem: "it is not UTF-8" };
    try {
      return { kind: "value", value: JSON.parse(text) as Json };
    } catch {
      return { kind: "broken", problem: "it says that it is JSON and is not" };
    }
  }
  if (text !== undefined && (type === "" || textType.test(type))) return { kind: "value", value: text };
  return {
    kind: "value",
    value: { mediaType: (type.split(";")[0] as string).trim() || "application/octet-stream", dataBase64: body.toString("base64") },
  };
}

function decodeUtf8(body: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** Why a body inside a success status looks like a failure. */
function suspicionOf(value: Json): string | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const { error, errors, success, ok, status } = value as JsonObject;
  if (success === false) return "its body says `success: false`";
  if (ok === false) return "its body says `ok: false`";
  if (status === "error" || status === "failed" || status === "failure") return `its body says \`status: ${status}\``;
  if (Array.isArray(errors) && errors.length > 0) return "its body holds `errors`";
  const isEmpty = error === undefined || error === null || error === false || error === "" || error === 0;
  return isEmpty || (Array.isArray(error) && error.length === 0) ? undefined : "its body holds an `error`";
}

interface StatusMeaning {
  readonly kind: FailureKind;
  readonly effect: Effect;
  readonly what: string;
}

function failureOf(answered: Answered): Failure {
  const { tool, response, nowMs } = answered;
  const meaning = meaningOf(answered);
  const header = response.headers["retry-after"];
  return {
    kind: meaning.kind,
    message: `\`${tool.name}\` ${meaning.what} (status ${response.status})`,
    effect: isRead(tool) ? "none" : meaning.effect,
    retryAfterMs: parseRetryAfter(typeof header === "string" ? header : undefined, nowMs),
    detail: detailOf(answered),
  };
}

/**
 * What a status says of the effect. A client error was refused before it was done; a server error may come from anywhere on the way, also from a
 * proxy that lost the answer, so nobody can say.
 */
function meaningOf(answered: Answered): StatusMeaning {
  const { status } = answered.response;
  if (status === 408) return { kind: "timeout", effect: "unknown", what: "did not receive the whole request in time" };
  if (status === 425) return { kind: "unavailable", effect: "none", what: "asks for the request to be sent again" };
  if (status === 429) return { kind: "rate-limited", effect: "none", what: "takes no more requests for now" };
  if (status === 409 && answered.isResent) {
    // The upstream may still be busy with the attempt before, under the same key.
    return { kind: "unavailable", effect: "unknown", what: "reports a conflict with an earlier attempt" };
  }
  if (status === 401 || status === 407) return { kind: "failed", effect: "none", what: "refused the credential it was called with" };
  if (status === 403) return { kind: "rejected", effect: "none", what: "forbids this" };
  if (status === 404 || status === 410) return { kind: "rejected", effect: "none", what: "found nothing under these arguments" };
  if (status >= 400 && status < 500) return { kind: "rejected", effect: "none", what: "refused these arguments" };
  if (status === 501 || status === 505) return { kind: "failed", effect: "none", what: "cannot do this" };
  if (status === 504) return { kind: "timeout", effect: "unknown", what: "got no answer from behind its gateway" };
  if (status >= 500 && status < 600) return { kind: "unavailable", effect: "unknown", what: "failed on its side" };
  if (status === 307 || status === 308) return { kind: "failed", effect: "none", what: "redirects elsewhere, which is not followed" };
  return { kind: "failed", effect: "unknown", what: "answered with a status that is no success" };
}

function detailOf(answered: Answered): string | undefined {
  const { response, limits } = answered;
  if (response.body.length === 0) return undefined;
  const isText = !/^(?:image|audio|video)\//.test(response.headers["content-type"] ?? "");
  if (!isText) return undefined;
  // Control and escape characters have no place in a log or on a terminal.
  const text = response.body.toString("utf8").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, " ");
  return text.slice(0, limits.errorDetailCharsMax).toWellFormed();
}

function isRead(tool: Tool): boolean {
  return tool.tier === "read";
}
