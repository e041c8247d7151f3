/**
 * What the forms have in common when they decode: each reads its provider's shape into a `Reading`, and `toDecoded` makes calls of it: names mapped
 * back, arguments parsed, ids minted, duplicates, surplus and cut-off calls refused one by one.
 */
import type { Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ToolCall } from "../domain/tool-call.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { checkArguments } from "./check-arguments.ts";
import type { Decoded, Stop } from "./form-codec.ts";
import type { NameMap } from "./names.ts";
import { malformed, parseArguments, type ParsedArguments } from "./parse-arguments.ts";
import { kindOf, quoteInput } from "./quote.ts";
import { dropProjectedNulls, strictSchema } from "./strict-schema.ts";

/** An object of unknown members, as everything from a provider is at first. */
export type Unknowns = { readonly [key: string]: unknown };

/** Arguments as a provider sends them: JSON text, an object, or the free text of a custom tool. */
export type Source =
  | { readonly kind: "text"; readonly text: unknown }
  | { readonly kind: "object"; readonly value: unknown }
  | { readonly kind: "free-text"; readonly text: unknown };

/** One call item, not yet believed. */
export interface RawCall {
  readonly id: unknown;
  readonly name: unknown;
  readonly source: Source;
  readonly echo: JsonObject;
  readonly key?: unknown;
  /** The provider marks this very call as incomplete, or its stream ended inside it. */
  readonly isIncomplete?: boolean;
  /** Whether the strict projection of the tool's schema must be undone. */
  readonly isProjected?: boolean;
}

/** What a form found in a response. */
export interface Reading {
  readonly items: readonly RawCall[];
  readonly stop: Stop;
  readonly problems: readonly string[];
  /** The last call item is the last thing of the response, so a truncated response was cut inside or right after it. */
  readonly isLastItemLast: boolean;
}

/** Whether a value is an object that is not an array. */
export function isObject(value: unknown): value is Unknowns {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The refusal of a response that is not one of the shapes a form knows. */
export function notAResponse(form: string, expected: string, got: unknown): ToolCallError {
  return toolCallError("REQUEST_INVALID", `not a response in the form \`${form}\`: expected ${expected}, found ${kindOf(got)}`);
}

/** The string members among those named, for echoes: nothing of another type or name is carried along. */
export function pickStrings(value: unknown, names: readonly string[]): { readonly [name: string]: string } {
  const picked: { [name: string]: string } = {};
  if (!isObject(value)) return picked;
  for (const name of names) {
    const member = value[name];
    if (typeof member === "string") picked[name] = member;
  }
  return picked;
}

/** Makes calls of a reading. Never throws; a call that cannot be used carries its error. */
export function toDecoded(reading: Reading, names: NameMap, limits: Limits): Decoded {
  const { items } = reading;
  const taken = new Set<string>();
  if (items.length > 1) for (const item of items) if (isId(item.id)) taken.add(item.id);
  // One call alone repeats none.
  const seen = items.length > 1 ? new Set<string>() : undefined;
  const problems = [...reading.problems];
  const calls = items.map((item, index): ToolCall => {
    const hasProviderId = isId(item.id);
    const id = hasProviderId ? (item.id as string) : mintId(index, taken);
    const isDuplicate = seen?.has(id) === true;
    seen?.add(id);
    const providerName = typeof item.name === "string" ? item.name : "";
    const isCutOff = item.isIncomplete === true || (reading.stop === "truncated" && reading.isLastItemLast && index === items.length - 1);
    const refusal = refusalOf({ item, id, index, isDuplicate, limits });
    const isChanged = mayChange(item);
    const read = refusal ?? readSource({ item, schema: names.inputSchema(providerName), isCutOff, isChanged }, limits);
    const raw = rawText(item.source, read, limits);
    return {
      id,
      hasProviderId,
      name: names.fromProvider(providerName) ?? providerName,
      raw,
      ...(!isChanged && isRawWhole(item, read, raw) && { isRawWhole: true }),
      arguments: read,
      ...(typeof item.key === "string" && { key: item.key }),
      echo: item.echo,
    };
  });
  return { calls, stop: reading.stop, problems };
}

function isId(id: unknown): id is string {
  return typeof id === "string" && id !== "";
}

function mintId(index: number, taken: Set<string>): string {
  let id = `call_${index}`;
  // Ends: each round makes a longer name, and there are finitely many taken ones.
  while (taken.has(id)) id += "_";
  taken.add(id);
  return id;
}

function refusalOf(facts: {
  readonly item: RawCall;
  readonly id: string;
  readonly index: number;
  readonly isDuplicate: boolean;
  readonly limits: Limits;
}): ParsedArguments | undefined {
  const { item, id, index, isDuplicate, limits } = facts;
  if (index >= limits.turnCallsMax)
    return malformed(`this is call ${index + 1} of one turn; at most ${limits.turnCallsMax} are taken: make the others in a later turn`);
  if (isDuplicate) return malformed(`the call id ${quoteInput(id)} was used twice in one response; give each call an id of its own`);
  if (typeof item.name !== "string" || item.name === "")
    return malformed("the call names no tool; give the name of one of the tools you were offered");
  return undefined;
}

const cutOff =
  "the response was cut off before the call was complete, so its arguments cannot be trusted; nothing was done: send a shorter call";

interface Reader {
  readonly item: RawCall;
  readonly schema: JsonObject | undefined;
  readonly isCutOff: boolean;
  readonly isChanged: boolean;
}

function readSource({ item, schema, isCutOff, isChanged }: Reader, limits: Limits): ParsedArguments {
  const { source } = item;
  if (source.kind === "object") return isCutOff ? malformed(cutOff) : checkArguments(source.value, limits);
  const text = source.text ?? "";
  if (typeof text !== "string")
    return malformed(`the arguments are ${kindOf(text)}; expected ${source.kind === "text" ? "a string of JSON" : "a string"}`);
  if (source.kind === "free-text") return isCutOff ? malformed(cutOff) : checkArguments({ input: text }, limits);
  const read = parseArguments(text, limits);
  if (isCutOff) {
    // Text that parses is whole; no text at all may be the whole of a call without arguments or the start of one that was cut.
    const isWhole = read.kind === "parsed" && text.trimEnd().endsWith("}");
    if (!isWhole) return read.kind === "malformed" && read.error.message.includes("cut off") ? read : malformed(cutOff);
  }
  return read.kind === "parsed" && isChanged ? unproject(read.value, schema) : read;
}

/** Whether undoing the strict projection may change what was read: it only ever takes out `null`, which JSON spells in one way. */
function mayChange({ isProjected, source }: RawCall): boolean {
  return isProjected === true && source.kind === "text" && typeof source.text === "string" && source.text.includes("null");
}

/** Whether reading the evidence again gives the very same arguments. */
function isRawWhole(item: RawCall, read: ParsedArguments, raw: string): boolean {
  if (read.kind !== "parsed" || !raw.startsWith("{")) return false;
  return item.source.kind !== "free-text";
}

function unproject(value: JsonObject, schema: JsonObject | undefined): ParsedArguments {
  const isStrict = schema !== undefined && strictSchema(schema).isStrict;
  return { kind: "parsed", value: isStrict ? dropProjectedNulls(schema, value) : value };
}

// Evidence: the text as sent, or JSON of what was read, in the order of its own members; of a refused object as much as can be written. Bounded like arguments are.
function rawText(source: Source, read: ParsedArguments, limits: Limits): string {
  if (source.kind !== "object") return typeof source.text === "string" ? source.text.slice(0, limits.argumentsBytesMax) : "";
  if (read.kind === "parsed") return JSON.stringify(read.value);
  let valuesLeft = limits.argumentsBytesMax;
  const counted = (_key: string, member: unknown): unknown => {
    valuesLeft -= 1;
    if (valuesLeft < 0) throw new RangeError("too many values");
    return member;
  };
  try {
    return (JSON.stringify(source.value, counted) ?? "").slice(0, limits.argumentsBytesMax);
  } catch {
    // Nested too deep, too large, cyclic, or unreadable: the refusal in `arguments` is the evidence then.
    return "";
  }
}
