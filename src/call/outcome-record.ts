import { canonicalJson } from "../base/canonical-json.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Ended } from "../domain/outcome.ts";
import type { Tool } from "../domain/tool.ts";
import { parseOwnJson } from "../base/own-json.ts";
import { codes } from "../errors/codes.ts";
import { ToolCallError, type FieldProblem } from "../errors/tool-call-error.ts";
import type { CallBody, SettledBody } from "../ledger/entries.ts";
import type { DeferredText, PrivateTexts } from "../ledger/vault.ts";
import { shapeResult } from "./shape.ts";

/**
 * The private half of an outcome, as canonical JSON by name: the whole redacted result, and words that may quote arguments or results.
 *
 * @param resultText JSON of the result, its members in any order.
 */
export function privateOutcome(outcome: Ended, resultText: string | undefined): PrivateTexts {
  if (outcome.kind === "completed") {
    const { result, notices } = outcome;
    const hasWords = result.handle !== undefined || notices.length > 0;
    const words = hasWords ? canonicalJson({ handle: result.handle, notices: notices.length > 0 ? notices : undefined }) : undefined;
    return {
      result: resultText === undefined ? undefined : new CanonicalText(resultText),
      words,
    };
  }
  const { error } = outcome;
  return {
    words: canonicalJson({
      message: error.message,
      retry: error.retry,
      fields: error.fields.length > 0 ? error.fields : undefined,
      detail: error.detail,
      retryAfterMs: error.retryAfterMs,
      approvalId: error.approvalId,
    }),
  };
}

/** Canonical form of a JSON text, made when the entry is written. From the text, since the value itself is in other hands by then. */
class CanonicalText implements DeferredText {
  readonly #json: string;

  constructor(json: string) {
    this.#json = json;
  }

  get text(): string {
    return canonicalJson(parseOwnJson(this.#json));
  }
}

/** What a recorded outcome is rebuilt from: the entry's body, and its private values where they were not erased. */
export interface RecordedOutcome {
  readonly callId: string;
  readonly body: SettledBody | CallBody;
  readonly opened: { readonly [name: string]: Json } | undefined;
  readonly tool: Pick<Tool, "source" | "outputLabels"> | undefined;
  readonly resultCharsMax: number;
}

/** The same answer as the first time, marked as a replay. */
export function outcomeFrom(recorded: RecordedOutcome): Ended {
  const { body, opened } = recorded;
  if ("outcome" in body && body.outcome === "completed") return completedFrom(recorded, body);
  const words = (opened?.["words"] ?? {}) as JsonObject;
  const effect = "effect" in body ? body.effect : "none";
  const told = words["message"] as string | undefined;
  const recordedReason = "reason" in body ? body.reason : undefined;
  const error = new ToolCallError(body.code ?? "INTERNAL", told ?? recordedReason ?? "the words of this error were erased", {
    effect,
    isSafeToResend: words["retry"] === "same-key",
    fields: (words["fields"] as unknown as readonly FieldProblem[] | undefined) ?? [],
    detail: words["detail"] as string | undefined,
    retryAfterMs: words["retryAfterMs"] as number | undefined,
    approvalId: words["approvalId"] as string | undefined,
    callId: recorded.callId,
  });
  if (codes[error.code].fault === "policy") return { kind: "denied", error };
  return { kind: effect === "unknown" ? "unknown" : "failed", error, isReplay: true };
}

function completedFrom(recorded: RecordedOutcome, body: SettledBody): Ended {
  const words = (recorded.opened?.["words"] ?? {}) as JsonObject;
  const kept = recorded.opened?.["result"];
  // `null` is a result like any other.
  const value = kept === undefined ? { erased: "the result was erased" } : kept;
  return {
    kind: "completed",
    result: shapeResult({
      value,
      text: canonicalJson(value),
      tool: recorded.tool ?? { source: body.label?.source ?? "unknown", outputLabels: {} },
      handle: words["handle"] as string | undefined,
      charsMax: recorded.resultCharsMax,
      asOfMs: body.asOfMs ?? 0,
      isForProgram: false,
    }),
    effect: body.effect,
    notices: (words["notices"] as readonly string[] | undefined) ?? [],
    isReplay: true,
    isFallback: body.isFallback ?? false,
  };
}
