/**
 * Who would read what a call sends. Only what a tool declares to be its targets counts as all there are: that a question is not asked must not rest on a
 * guess. What looks like an address in an argument that nobody declared counts besides. Where it cannot be told, nothing is lifted.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { tenantReader } from "../domain/label.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import { argumentLeaves } from "./roles.ts";
import { actionablesIn } from "./tokens.ts";

/** One recipient, as it stands in the arguments. */
export interface Recipient {
  /** JSON pointer of the argument that names it. */
  readonly pointer: string;
  /** Which of those that the argument names, from 0. */
  readonly part: number;
  /** What is looked up: one address, number or name. Private. */
  readonly text: string;
}

/** A recipient and what it is called among readers; no names: the directory does not know it. */
export interface KnownRecipient extends Recipient {
  readonly names: ReadonlySet<string> | undefined;
}

/** Who reads what leaves, or why that is not known. */
export type Recipients =
  | { readonly kind: "known"; readonly people: readonly KnownRecipient[] }
  /** @param why for people, the end of a sentence. */
  | { readonly kind: "untold"; readonly why: string };

/** The recipients that a call names. */
export type NamedRecipients =
  | { readonly kind: "named"; readonly recipients: readonly Recipient[] }
  | Extract<Recipients, { readonly kind: "untold" }>;

type Described = Pick<Tool, "argumentRoles" | "inputSchema">;

/** All recipients of a call, each text once. `untold` where not all of them can be told, or where there are more than `recipientsMax`. */
export function recipientsOf(tool: Described, args: JsonObject, recipientsMax: number): NamedRecipients {
  const found = new Map<string, Recipient>();
  const add = (pointer: string, texts: readonly string[]): void => {
    for (const [part, text] of texts.entries()) if (!found.has(text)) found.set(text, { pointer, part, text });
  };
  // The members of an object have no order that lasts, and what is shown must be the same again.
  const targets = declaredTargets(tool, args).toSorted(byPointer);
  for (const { pointer, text } of targets) add(pointer, piecesOf(text));
  if (found.size === 0) return untold("no argument is declared to be its target");
  const leaves = argumentLeaves(tool, args).toSorted(byPointer);
  for (const { pointer, isDeclared, value } of leaves) {
    const addresses = isDeclared || typeof value !== "string" ? [] : actionablesIn(value);
    if (addresses.length >= fixedBounds.actionablesMax) return untold(tooMany);
    add(
      pointer,
      addresses.map(({ text }) => text),
    );
  }
  if (targets.length >= fixedBounds.argumentLeavesMax || leaves.length >= fixedBounds.argumentLeavesMax || found.size > recipientsMax)
    return untold(tooMany);
  return { kind: "named", recipients: [...found.values()] };
}

function byPointer(left: { readonly pointer: string }, right: { readonly pointer: string }): number {
  return left.pointer < right.pointer ? -1 : left.pointer > right.pointer ? 1 : 0;
}

const tooMany = "it has more recipients than are looked up";

function untold(why: string): { readonly kind: "untold"; readonly why: string } {
  return { kind: "untold", why };
}

interface Place {
  readonly pointer: string;
  readonly pattern: string;
  readonly role: ArgumentRole | undefined;
}

/** Every value in an argument that is declared to be a target, constants of the schema as well. At most `fixedBounds.argumentLeavesMax`. */
function declaredTargets({ argumentRoles }: Described, args: JsonObject): readonly Omit<Recipient, "part">[] {
  const found: Omit<Recipient, "part">[] = [];
  const open = (value: Json, place: Place): void => {
    if (found.length >= fixedBounds.argumentLeavesMax) return;
    const role = argumentRoles[place.pattern] ?? argumentRoles[place.pointer] ?? place.role;
    if (value === null || typeof value !== "object") {
      if (role === "target" && value !== null) found.push({ pointer: place.pointer, text: String(value) });
      return;
    }
    for (const [key, member] of Object.entries(value as JsonObject)) {
      const step = key.replaceAll("~", "~0").replaceAll("/", "~1");
      open(member, { pointer: `${place.pointer}/${step}`, pattern: `${place.pattern}/${Array.isArray(value) ? "*" : step}`, role });
    }
  };
  open(args, { pointer: "", pattern: "", role: undefined });
  return found;
}

/** `Ann Example <ann@example.com>`: what stands before an address and holds none of its own. */
const named = /^[^<>@"]*<([^<>\s]+@[^<>\s]+)>$/;

/** The addresses of a list in one text. What is no plain list stays whole: no directory knows it then. */
function piecesOf(text: string): readonly string[] {
  return text
    .split(/[,;]/)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "")
    .map((piece) => named.exec(piece)?.[1] ?? piece);
}

/** Whether somebody may have what only these readers may have. */
export function mayRead(readers: readonly string[], names: ReadonlySet<string> | undefined): boolean {
  return names !== undefined && readers.some((reader) => names.has(reader));
}

/** What a person of the directory is called among readers. */
export function readerNames(person: {
  readonly user: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
}): ReadonlySet<string> {
  return new Set([
    tenantReader,
    `user:${person.user}`,
    ...person.groups.map((group) => `group:${group}`),
    ...person.roles.map((role) => `role:${role}`),
  ]);
}

/** Those who may not have a text that only the readers of all of these circles may have. */
export function barredFrom(circles: readonly (readonly string[])[], people: readonly KnownRecipient[]): readonly KnownRecipient[] {
  return people.filter(({ names }) => !circles.every((readers) => mayRead(readers, names)));
}
