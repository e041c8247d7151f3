import { fixedBounds } from "../base/fixed-bounds.ts";
import { parseOwnJson } from "../base/own-json.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { declaredLabel, type Label } from "../domain/label.ts";
import type { ShapedResult } from "../domain/outcome.ts";
import type { ResultPart } from "../domain/tool-call.ts";
import type { Tool } from "../domain/tool.ts";
import { cutJson } from "./cut.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/** Brings a result into the shape in which it leaves: secrets redacted, cut to what a model should read, labelled. Never fails the call. */
export function shape(state: CallState): Verdict {
  const { execution, registered, runtime } = state;
  if (execution === undefined || execution.kind !== "value") return proceed;
  const { tool } = registered as NonNullable<typeof registered>;
  const raw = execution.value as Json;
  // Written once, in the order of the tool's own members: what the model reads, what is searched, and what the ledger keeps come from this text.
  const text = JSON.stringify(raw);
  // What the runtime reads for itself, such as the owner of a record, it needs as it is.
  const value = runtime.redact(raw, text, { personalData: tool.redacts === "personal" && state.parent === undefined });
  state.resultValue = value;
  state.resultText = value === raw ? text : JSON.stringify(value);
  const handle = state.resultText.length > runtime.limits.resultCharsMax ? runtime.ids.next("res") : undefined;
  if (handle !== undefined) state.handle = { id: handle, text: canonicalJson(value) };
  state.shaped = shapeResult({
    value,
    text: state.resultText,
    tool,
    handle,
    charsMax: runtime.limits.resultCharsMax,
    asOfMs: state.cached?.atMs ?? runtime.clock.now(),
    isForProgram: state.parent !== undefined,
  });
  return proceed;
}

/** The shaped form of a result, also used when a recorded one is answered again. */
export function shapeResult(parts: {
  readonly value: Json;
  readonly text: string;
  readonly tool: Pick<Tool, "source" | "outputLabels">;
  readonly handle: string | undefined;
  readonly charsMax: number;
  readonly asOfMs: number;
  /** Read by the runtime itself, such as a fact: the whole value is needed, however long. */
  readonly isForProgram: boolean;
}): ShapedResult {
  const { value, text, tool, handle, charsMax, asOfMs, isForProgram } = parts;
  const media = mediaParts(value);
  const cut =
    media === undefined && text.length > charsMax ? cutJson(value, text, charsMax - fixedBounds.cutNoteCharsMax) : { text, cutChars: 0 };
  const isCut = cut.cutChars > 0;
  return {
    parts: media ?? [isCut ? { kind: "json", value: cutValue(cut.text, handle) } : { kind: "json", value, text }],
    value: isCut && !isForProgram ? undefined : value,
    handle: isCut ? handle : undefined,
    cutChars: cut.cutChars,
    label: labelOf(tool),
    source: tool.source,
    asOfMs,
  };
}

function cutValue(cutText: string, handle: string | undefined): Json {
  return { cut: parseOwnJson(cutText) as Json, note: `this result was cut; the whole is at handle ${handle ?? "(none)"}` };
}

/** The label of a whole result: what the tool declares for it, over the default of an undescribed source. */
export function labelOf(tool: Pick<Tool, "source" | "outputLabels">): Label {
  return declaredLabel(tool.source, tool.outputLabels[""]);
}

const partsMember = "signalbox:parts";

/**
 * A result of several parts (text, images, files), for a handler to return.
 *
 *     return resultParts([{ kind: "text", text: "the chart" }, { kind: "image", mediaType: "image/png", dataBase64 }]);
 */
export function resultParts(parts: readonly ResultPart[]): JsonObject {
  return { [partsMember]: parts as unknown as Json };
}

function mediaParts(value: Json): readonly ResultPart[] | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const parts = (value as JsonObject)[partsMember];
  return Array.isArray(parts) && parts.every(isResultPart) ? (parts as unknown as readonly ResultPart[]) : undefined;
}

function isResultPart(part: Json): boolean {
  if (part === null || typeof part !== "object" || Array.isArray(part)) return false;
  const { kind, text, mediaType, dataBase64 } = part as JsonObject;
  if (kind === "text") return typeof text === "string";
  if (kind === "json") return (part as JsonObject)["value"] !== undefined;
  const isMedia = kind === "image" || kind === "audio" || kind === "video" || kind === "file";
  return isMedia && typeof mediaType === "string" && typeof dataBase64 === "string";
}
