/**
 * The words a person reads before saying yes. Whoever wrote the arguments may be hostile: nothing they contain may hide, reorder or imitate what the
 * card says around them. Values stand in quotes with inner quotes escaped; names, values and descriptions lose every invisible character.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import { cutVisible } from "./visible.ts";

/** What a person wants to know first. */
export const roleOrder: readonly (ArgumentRole | undefined)[] = [
  "target",
  "amount",
  "command",
  "ref",
  "date",
  "credential",
  "content",
  undefined,
  "control",
];

/**
 * One line, at most 300 characters, of what will happen if somebody says yes: what the tool does, its name and version, then its arguments, the
 * consequential ones first. What does not fit is counted; the full arguments are beside it. Credentials are never shown.
 */
export function approvalSummary(tool: Tool, args: JsonObject): string {
  const about = cleanForPeople(tool.title ?? firstSentence(tool.description), fixedBounds.shownNameCharsMax);
  const head = `${about === "" ? "Run" : about} (${cleanForPeople(`${tool.name}@${tool.version}`, fixedBounds.shownNameCharsMax)})`;
  const leaves = leavesOf(args, tool.argumentRoles).sort((left, right) => roleOrder.indexOf(left.role) - roleOrder.indexOf(right.role));
  if (leaves.length === 0) return `${head}, without arguments`;
  let line = head;
  for (const [index, leaf] of leaves.entries()) {
    const next = `${line}${index === 0 ? ": " : ", "}${cleanForPeople(leaf.name, fixedBounds.shownNameCharsMax)} ${shown(leaf)}`;
    const rest = leaves.length - index - 1;
    if (next.length + (rest > 0 ? ending(rest).length : 0) > fixedBounds.cardSummaryCharsMax) return line + ending(leaves.length - index);
    line = next;
  }
  return line;
}

function ending(count: number): string {
  return `, and ${count} more argument${count === 1 ? "" : "s"}`;
}

function firstSentence(description: string): string {
  const end = description.search(/[.!?](\s|$)/);
  return end < 0 ? description : description.slice(0, end);
}

/** One argument, opened down to a single value. */
export interface Leaf {
  readonly pointer: string;
  readonly name: string;
  readonly role: ArgumentRole | undefined;
  readonly value: Json;
}

interface Place {
  readonly pointer: string;
  readonly rolePointer: string;
  readonly name: string;
  readonly inherited: ArgumentRole | undefined;
}

/** The arguments one by one; objects are opened, lists stay whole unless they hold objects, or `opensLists`. At most `argumentLeavesMax`. */
export function leavesOf(args: JsonObject, roles: Tool["argumentRoles"], opensLists = false): Leaf[] {
  const leaves: Leaf[] = [];
  const open = (value: Json, { pointer, rolePointer, name, inherited }: Place): void => {
    if (leaves.length >= fixedBounds.argumentLeavesMax) return;
    const isOpened =
      typeof value === "object" &&
      value !== null &&
      (!Array.isArray(value) || opensLists || value.some((item) => typeof item === "object" && item !== null));
    // What holds a credential holds nothing else, however deep.
    const role = roles[rolePointer] ?? roles[pointer] ?? inherited;
    if (!isOpened || (pointer !== "" && Object.keys(value).length === 0)) {
      leaves.push({ pointer, name, role: role ?? roles[`${rolePointer}/*`], value });
      return;
    }
    for (const [key, inner] of Object.entries(value as JsonObject)) {
      const step = key.replaceAll("~", "~0").replaceAll("/", "~1");
      open(inner, {
        pointer: `${pointer}/${step}`,
        rolePointer: `${rolePointer}/${Array.isArray(value) ? "*" : step}`,
        name: name === "" ? key : `${name}.${key}`,
        inherited: role,
      });
    }
  };
  open(args, { pointer: "", rolePointer: "", name: "", inherited: undefined });
  return leaves;
}

function shown(leaf: Leaf): string {
  if (leaf.role === "credential") return "(a credential, not shown)";
  if (typeof leaf.value === "string") return `"${shownText(leaf.value).replace(/["\\]/g, "\\$&")}"`;
  return cleanForPeople(JSON.stringify(leaf.value), fixedBounds.quotedCharsMax);
}

/** A value is what people decide about: in it nothing is dropped, what they could not see is written out. */
function shownText(value: string): string {
  const note = ` (${value.length} characters)`;
  const { text, isCut } = cutVisible(value, fixedBounds.quotedCharsMax);
  return isCut ? `${cutVisible(value, fixedBounds.quotedCharsMax - note.length).text}${note}` : text;
}

// Escape sequences of terminals: CSI, OSC up to its end, and two-character ones.
// oxlint-disable-next-line no-control-regex -- finding control characters is the point.
const terminalSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])|\u009b[0-?]*[ -/]*[@-~]/g;
/** Characters that show nothing or change the direction or place of others: format characters, fillers and variation selectors. */
const invisible = /[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\u{e0100}-\u{e01ef}]/gu;
const stackedMarks = /(\p{M}{3})\p{M}+/gu;

/**
 * Text that somebody else wrote, fit for a person's eyes: one line, without control characters, terminal sequences, direction overrides, zero-width
 * characters and piled-up accents. Longer text is cut in the middle, since both ends of a name or address matter, and its length is stated.
 *
 * @param charsMax of the result; at least 1.
 */
export function cleanForPeople(text: string, charsMax: number): string {
  const clean = text
    .toWellFormed()
    .replace(terminalSequence, "")
    .replace(invisible, "")
    .replace(/[\p{Cc}\p{Z}]+/gu, " ")
    .replace(stackedMarks, "$1")
    .trim();
  if (clean.length <= charsMax) return clean;
  const note = ` (${clean.length} characters)`;
  const room = charsMax - note.length - 1;
  if (room < 8) return headOf(clean, charsMax);
  const headChars = Math.ceil(room * 0.6);
  return `${headOf(clean, headChars)}…${tailOf(clean, room - headChars)}${note}`;
}

/** Cuts never fall between the halves of one character. */
function headOf(text: string, charsMax: number): string {
  return text.slice(0, charsMax).replace(/[\ud800-\udbff]$/, "");
}

function tailOf(text: string, charsMax: number): string {
  return text.slice(text.length - charsMax).replace(/^[\udc00-\udfff]/, "");
}
