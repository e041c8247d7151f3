import { fixedBounds } from "../base/fixed-bounds.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import { decodedOnce } from "./decode-once.ts";
import { driftOf, type Drift } from "./drift.ts";
import { fold, foldValue } from "./fold.ts";
import { guessedIn } from "./guessed-content.ts";
import { intentOf, type Intent } from "./intent.ts";
import { amountForm, dayForm, type SessionKnowledge } from "./knowledge.ts";
import { saysNumbered } from "./numbered.ts";
import { pointingOf, type Pointing } from "./pointing.ts";
import type { Guarded } from "./guarded-text.ts";
import { barredFrom, type KnownRecipient, type Recipients } from "./recipients.ts";
import type { Origin } from "./restrictions.ts";
import { argumentLeaves, type ArgumentLeaf } from "./roles.ts";
import { judgeFlow, type FlowVerdict, type GuardedValue, type Source, type Traced } from "./rules.ts";
import { forgottenOrigin } from "./shingles.ts";
import { amountOf, dayOf, spellingsOfAmount, spellingsOfDay } from "./spellings.ts";
import { isRenamed, isTitle } from "./spelled-out.ts";
import { actionablesIn, normalEmail, normalUrl, urlParts, type Actionable } from "./tokens.ts";

/** What is traced. */
export interface FlowCall {
  readonly tool: Pick<Tool, "name" | "description" | "asks" | "tier" | "isEgress" | "argumentRoles" | "inputSchema">;
  readonly args: JsonObject;
  /** A policy rule lets such calls run without their tier's question. */
  readonly isStanding: boolean;
  /** Names of the arguments that an approved plan names exactly; absent where the call fits no step of one. */
  readonly planned?: ReadonlySet<string> | undefined;
  /** Mode `strict`: what is not known counts as not given. */
  readonly isStrict: boolean;
  /** Who reads what leaves, where a directory was asked. */
  readonly recipients?: Recipients | undefined;
}

/** The verdict, with what it rests on. */
export interface FlowTrace extends FlowVerdict {
  readonly intent: Intent;
  readonly traced: readonly Traced[];
  /** How far the call is from what the user asked for; undefined where nobody told that. */
  readonly drift: Drift | undefined;
  /** Whether the call repeats guarded data in content, so that it counts who reads it. */
  readonly isForReaders: boolean;
  /** Recipients who may not have what the call repeats; empty where nobody was looked up. */
  readonly barred: readonly KnownRecipient[];
}

/** Whether a call has to be traced at all: it changes something, or its arguments leave. */
export function isConsequential(tool: Pick<Tool, "tier" | "isEgress">): boolean {
  return tool.tier !== "read" || tool.isEgress;
}

const steeringRoles: readonly ArgumentRole[] = ["target", "ref", "amount", "date", "command", "credential"];

/** Traces every argument of a consequential call and judges it. Results that were read must have been indexed. */
export function traceCall(call: FlowCall, knowledge: SessionKnowledge): FlowTrace {
  const { tool } = call;
  const intent = call.planned === undefined ? intentOf(tool, knowledge.words) : "asked";
  const leaves = argumentLeaves(tool, call.args);
  const pointing = pointingOf(knowledge.words);
  const isAsked = intent === "asked";
  const isFetch = tool.tier === "read" && isAsked;
  const steering: Traced[] = [];
  const carried: Traced[] = [];
  const guarded: GuardedValue[] = [];
  const texts = tool.isEgress ? knowledge.restrictions.guarded() : [];
  let isForReaders = false;
  const barred = new Set<KnownRecipient>();
  for (const leaf of leaves) {
    const role = roleOf(leaf);
    if (role === "control") continue;
    if (steeringRoles.includes(role)) {
      steering.push(traceValue({ tool, leaf, role, knowledge, isFetch, isAsked, pointing, planned: call.planned }));
      // Whoever runs a page reads what its address says.
      if (typeof leaf.value === "string" && isGuardedUrl(leaf.value, texts)) guarded.push(guardedValue(leaf, role, notForThem));
    } else if (typeof leaf.value === "string") {
      carried.push(...carriedBy(leaf, leaf.value, knowledge));
      const renamed = isAsked ? traceTitle(leaf, leaf.value, call.tool, knowledge) : undefined;
      if (renamed !== undefined) steering.push({ pointer: leaf.pointer, role, roleFrom: fromOf(leaf), text: leaf.value, ...renamed });
      const circles = circlesOf(leaf.value, texts);
      if (circles.length === 0) continue;
      isForReaders = true;
      const outside = outsideOf(circles, call.recipients);
      for (const person of outside ?? []) barred.add(person);
      if (outside === undefined || outside.length > 0) guarded.push(guardedValue(leaf, role, whyGuarded(call.recipients, outside)));
    }
  }
  if (leaves.length >= fixedBounds.argumentLeavesMax) {
    steering.push(untraced("", "target", knowledge));
    if (texts.length > 0) guarded.push({ ...untraced("", "content", knowledge), why: "it holds more values than are looked at" });
  }
  for (const { leaf, role, readers, why } of guessedIn({ tool, leaves, steering }, knowledge)) {
    isForReaders ||= readers !== undefined;
    const outside = readers === undefined ? undefined : outsideOf([readers], call.recipients);
    for (const person of outside ?? []) barred.add(person);
    if (outside === undefined || outside.length > 0) guarded.push(guardedValue(leaf, role, why));
  }
  const verdict = judgeFlow({
    tool,
    intent,
    steering,
    carried,
    guarded,
    isBlind: knowledge.words.isEmpty,
    isStrict: call.isStrict,
    isStanding: call.isStanding,
    isPlanned: call.planned !== undefined,
    isPointed: pointing.isAny,
    // What the tool itself says of how it is asked for is no guess, and stands.
    isDelegated: pointing.isDelegated && tool.asks === undefined,
    hasReadUntrusted: !knowledge.restrictions.isEmpty,
  });
  const drift = driftOf({ intent, traced: steering, isBlind: knowledge.words.isEmpty });
  return { ...verdict, intent, traced: [...steering, ...carried, ...guarded], drift, isForReaders, barred: [...barred] };
}

/** The recipients who may not have what only these circles may have; undefined where nobody knows who the recipients are. */
function outsideOf(circles: readonly (readonly string[])[], recipients: Recipients | undefined): readonly KnownRecipient[] | undefined {
  return recipients?.kind === "known" ? barredFrom(circles, recipients.people) : undefined;
}

const notForThem = "it holds data that is not meant for these readers";

/** Names arguments and no values: the reason is recorded. */
function whyGuarded(recipients: Recipients | undefined, barred: readonly KnownRecipient[] | undefined): string {
  if (recipients?.kind === "untold") return `it holds data that is meant for certain readers, and ${recipients.why}`;
  if (barred === undefined) return notForThem;
  const pointers = [...new Set(barred.map(({ pointer }) => pointer))].map((pointer) => `\`${pointer}\``);
  const shown =
    pointers.length > fixedBounds.namedMax ? `${pointers.slice(0, fixedBounds.namedMax).join(", ")} and others` : pointers.join(", ");
  return `it holds data that is not meant for everybody in ${shown}`;
}

function guardedValue(leaf: ArgumentLeaf, role: ArgumentRole, why: string): GuardedValue {
  const text = String(leaf.value);
  return { pointer: leaf.pointer, role, roleFrom: fromOf(leaf), source: "untrusted", origin: undefined, text, why };
}

/** An argument that means nothing known is content when it is long, and refers to something when it is short. */
function roleOf({ role, value }: ArgumentLeaf): ArgumentRole {
  if (role !== undefined) return role;
  return typeof value === "string" && (value.length > fixedBounds.steeringCharsMax || value.includes("\n")) ? "content" : "ref";
}

function fromOf(leaf: ArgumentLeaf): Traced["roleFrom"] {
  return leaf.isDeclared ? "declared" : leaf.role === undefined ? "nobody" : "name";
}

function traceValue(parts: {
  readonly tool: FlowCall["tool"];
  readonly leaf: ArgumentLeaf;
  readonly role: ArgumentRole;
  readonly knowledge: SessionKnowledge;
  readonly isFetch: boolean;
  readonly isAsked: boolean;
  readonly pointing: Pointing;
  readonly planned: ReadonlySet<string> | undefined;
}): Traced {
  const { leaf, role, knowledge, isFetch, planned } = parts;
  const text = String(leaf.value);
  const found =
    planned?.has(argumentOf(leaf)) === true
      ? place("plan")
      : role === "date"
        ? (traceDay(text, knowledge) ?? tracePlain(leaf, text, knowledge, isFetch))
        : role === "amount"
          ? (traceAmount(leaf.value, knowledge) ?? tracePlain(leaf, text, knowledge, isFetch))
          : (traceNumbered(text, parts) ?? tracePointed(text, parts) ?? tracePlain(leaf, text, knowledge, isFetch));
  return { pointer: leaf.pointer, role, roleFrom: fromOf(leaf), text, ...found };
}

function traceNumbered(
  text: string,
  { tool, leaf, role, knowledge }: Pick<Parameters<typeof traceValue>[0], "tool" | "leaf" | "role" | "knowledge">,
): Place | undefined {
  return role === "ref" && saysNumbered(text, { tool, field: leaf.field }, knowledge.words) ? place("user") : undefined;
}

/**
 * For an action that the user asked for: the id of the only record that has the name which they gave, and the only address of its kind at the place which
 * they named, where they say that one of this kind is to be found there.
 */
function tracePointed(
  text: string,
  { role, knowledge, isAsked, pointing }: Pick<Parameters<typeof traceValue>[0], "role" | "knowledge" | "isAsked" | "pointing">,
): Place | undefined {
  if (!isAsked || knowledge.words.says(text)) return undefined;
  const { pointedAt } = knowledge;
  if (role === "ref") return placeAt(pointedAt.recordOf(foldValue(text)));
  if (role !== "target" || pointing.kinds.size === 0) return undefined;
  const [found, ...others] = actionablesIn(text);
  if (found === undefined || others.length > 0 || !pointing.kinds.has(found.kind)) return undefined;
  return placeAt(pointedAt.placeOf(found.kind, found.value));
}

function placeAt(origin: Origin | undefined): Place | undefined {
  return origin === undefined ? undefined : place("named-record", origin);
}

/** A title steers where the user spelled out another one: somebody whose text was read wants this one made. */
function traceTitle(leaf: ArgumentLeaf, text: string, tool: FlowCall["tool"], knowledge: SessionKnowledge): Place | undefined {
  if (!isTitle(leaf.field) || text.length > fixedBounds.steeringCharsMax || knowledge.words.says(text)) return undefined;
  const read = readIn(knowledge, [foldValue(text)]);
  return read !== undefined && isRenamed(text, tool, knowledge.words) ? read : undefined;
}

/** Name of the argument that a leaf lies in. */
function argumentOf({ pointer }: ArgumentLeaf): string {
  return (pointer.split("/")[1] ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
}

type Place = Pick<Traced, "source" | "origin">;

function tracePlain(leaf: ArgumentLeaf, text: string, knowledge: SessionKnowledge, isFetch: boolean): Place {
  const { words } = knowledge;
  const value = foldValue(text);
  if (value === "") return place("user");
  // Another name that only looks like one that somebody gave: nobody vouches for it.
  if (disguised.test(text)) return readIn(knowledge, [value]) ?? place("nowhere");
  if (words.says(text)) return place("user");
  const url = normalUrl(text);
  if (url !== undefined && saysUrl(url, knowledge)) return place("user");
  const email = normalEmail(text);
  for (const form of [value, url, email, text.replace(/[\s().-]/g, "")]) {
    const known = form === undefined ? undefined : knowledge.vouchedFor(form);
    if (known !== undefined) return place(known.integrity, known.origin);
  }
  const record = knowledge.fieldOf(fold(leaf.field), value);
  if (record !== undefined) return place("named-record", record);
  const linked = isFetch && url !== undefined ? knowledge.linkedFrom(url) : undefined;
  if (linked !== undefined) return place("named-record", linked);
  if (knowledge.restrictions.wasGivenFirst(value)) return place("nowhere");
  const read = readIn(knowledge, [value, url, digitsOf(text), value.replaceAll(" ", "")]) ?? readIn(knowledge, decodedOnce(text).map(fold));
  if (read !== undefined) return read;
  // A page of a site that the user named, worked out by the model: nothing that was read leads there.
  if (url !== undefined && isFetch && words.says(hostOf(text))) return place("user");
  return place("nowhere");
}

/** Characters that nobody sees, beside letters that need none. Scripts and pictures that are written with them are left alone. */
const disguised = /[a-z0-9@][\p{Cf}\p{Default_Ignorable_Code_Point}]|[\p{Cf}\p{Default_Ignorable_Code_Point}][a-z0-9@]/iu;

function traceDay(text: string, knowledge: SessionKnowledge): Place | undefined {
  const day = dayOf(text);
  if (day === undefined) return undefined;
  const spellings = spellingsOfDay(day);
  if (knowledge.words.saysNumber(spellings)) return place("user");
  const known = knowledge.vouchedFor(dayForm(day));
  if (known !== undefined) return place(known.integrity, known.origin);
  return readUnlessGiven(text, spellings, knowledge);
}

function traceAmount(value: string | number, knowledge: SessionKnowledge): Place | undefined {
  const amount = amountOf(value);
  if (amount === undefined) return undefined;
  const spellings = spellingsOfAmount(amount);
  if (knowledge.words.saysNumber(spellings)) return place("user");
  const known = knowledge.vouchedFor(amountForm(amount));
  if (known !== undefined) return place(known.integrity, known.origin);
  return readUnlessGiven(String(value), spellings, knowledge);
}

function readUnlessGiven(text: string, spellings: readonly string[], knowledge: SessionKnowledge): Place {
  const read = knowledge.restrictions.wasGivenFirst(foldValue(text)) ? undefined : readIn(knowledge, spellings);
  return read ?? place("nowhere");
}

/** Where one of several spellings was read as untrusted text. */
function readIn(knowledge: SessionKnowledge, spellings: readonly (string | undefined)[]): Place | undefined {
  const { restrictions } = knowledge;
  for (const spelling of spellings) {
    // A single character stands in every text.
    if (spelling === undefined || spelling.length < 2) continue;
    const found = restrictions.find(spelling);
    if (found !== undefined) return place("untrusted", found.origin === forgottenOrigin ? undefined : restrictions.originAt(found.origin));
  }
  return undefined;
}

function digitsOf(text: string): string | undefined {
  const digits = text.replace(/\D/g, "");
  return digits.length >= 6 && digits.length >= text.length / 2 ? digits : undefined;
}

function place(source: Source, origin?: Origin): Place {
  return { source, origin };
}

/** The user gave exactly this address, whatever its scheme and `www.`. */
function saysUrl(url: string, knowledge: SessionKnowledge): boolean {
  return knowledge.words.spans.some((span) => actionablesIn(span).some(({ kind, value }) => kind === "url" && value === url));
}

function hostOf(text: string): string {
  return urlParts(text)?.host ?? text;
}

/** Addresses, links and accounts inside content, also when they are written in another notation, as they stand and in a fixed order. */
export function addressesIn(text: string): readonly string[] {
  return carriedIn(text).map((found) => found.text);
}

function carriedIn(text: string): readonly Actionable[] {
  return [text, ...decodedOnce(text)].flatMap(actionablesIn);
}

function carriedBy(leaf: ArgumentLeaf, text: string, knowledge: SessionKnowledge): readonly Traced[] {
  const found = carriedIn(text);
  const traced = found.map((each, part): Traced => ({
    pointer: leaf.pointer,
    part,
    role: "content",
    roleFrom: fromOf(leaf),
    text: each.text,
    ...traceActionable(each, knowledge),
  }));
  return found.length < fixedBounds.actionablesMax ? traced : [...traced, untraced(leaf.pointer, "content", knowledge)];
}

/** Stands for what is beyond a bound. Nobody looked at it, so that it counts as taken from what was read, where anything was. */
function untraced(pointer: string, role: ArgumentRole, { restrictions }: SessionKnowledge): Traced {
  return { pointer, role, roleFrom: "nobody", source: restrictions.isEmpty ? "nowhere" : "untrusted", origin: undefined, text: "" };
}

function traceActionable(found: Actionable, knowledge: SessionKnowledge): Place {
  if (knowledge.words.says(found.text) || knowledge.words.says(found.value)) return place("user");
  if (found.kind === "url" && saysUrl(found.value, knowledge)) return place("user");
  const known = knowledge.vouchedFor(found.value);
  if (known !== undefined) return place(known.integrity, known.origin);
  return readIn(knowledge, [found.value, fold(found.text)]) ?? place("nowhere");
}

/** Whether an address repeats guarded data, as it stands, or part by part in the notations of content. */
function isGuardedUrl(text: string, texts: readonly Guarded[]): boolean {
  if (texts.length === 0 || urlParts(text) === undefined) return false;
  const parts = text.split(/[/?&=#]/);
  return [text, ...parts.flatMap((part) => [part, ...decodedOnce(part)])].some((piece) => circlesOf(piece, texts).length > 0);
}

/** The readers of each guarded text of which content repeats a run of words, or a number. */
function circlesOf(text: string, texts: readonly Guarded[]): readonly (readonly string[])[] {
  if (texts.length === 0) return [];
  const plains = [text, ...decodedOnce(text)];
  return texts.filter(({ holds }) => plains.some((plain) => repeats(plain, holds))).map(({ readers }) => readers);
}

function repeats(plain: string, holds: Guarded["holds"]): boolean {
  const words = fold(plain).match(/[\p{L}\p{N}]+/gu) ?? [];
  for (const [group] of plain.matchAll(/\d[\d .-]{4,}\d/g)) if (holds(group.replace(/\D/g, ""))) return true;
  for (const word of words) if (/\d/.test(word) && word.length >= 6 && holds(word)) return true;
  for (let at = 0; at + fixedBounds.guardedWordsMin <= words.length; at += 1) {
    if (holds(words.slice(at, at + fixedBounds.guardedWordsMin).join(" "))) return true;
  }
  return false;
}
