/**
 * What arguments mean. A tool declares it; where it does not, names and descriptions say it, which is a guess that people confirm
 * (`signalbox tools roles`). A guess may only lead to more questions: what lifts a question needs a declaration.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";

/** One leaf of the arguments with its role. */
export interface ArgumentLeaf {
  /** JSON pointer of the leaf. */
  readonly pointer: string;
  /** Last name on the way that is no index. */
  readonly field: string;
  readonly role: ArgumentRole | undefined;
  readonly isDeclared: boolean;
  readonly value: string | number;
}

type Described = Pick<Tool, "argumentRoles" | "inputSchema">;

/** Leaves of arguments as they were when first asked for: a call is judged by them, and remembered by them when it has run. */
const leavesOf = new WeakMap<JsonObject, { readonly tool: Described; readonly leaves: readonly ArgumentLeaf[] }>();

/** The leaves of the arguments that hold text or a number, with their roles. Truth values and constants of the schema mean nothing by themselves. */
export function argumentLeaves(tool: Described, args: JsonObject): readonly ArgumentLeaf[] {
  const found = leavesOf.get(args);
  if (found?.tool === tool) return found.leaves;
  const leaves = leavesIn(tool, args);
  leavesOf.set(args, { tool, leaves });
  return leaves;
}

function leavesIn(tool: Described, args: JsonObject): readonly ArgumentLeaf[] {
  const leaves: ArgumentLeaf[] = [];
  const places = placesOf(tool);
  const open = (value: Json, place: Place, pointer: string): void => {
    if (leaves.length >= fixedBounds.argumentLeavesMax || value === null || typeof value === "boolean") return;
    if (typeof value !== "object") {
      const { field, role, isDeclared } = place;
      if (!isConstant(place.schema, value)) leaves.push({ pointer, field, role, isDeclared, value });
      return;
    }
    const isList = Array.isArray(value);
    for (const key of Object.keys(value)) {
      const inside = isList ? places.item(place, key) : places.member(place, key);
      open((value as JsonObject)[key] as Json, inside, `${pointer}/${isList ? key : inside.step}`);
    }
  };
  open(args, places.top, "");
  return leaves;
}

/** Where a value may stand in the arguments of a tool, and what that says of it whatever the value is. */
interface Place {
  /** JSON pointer in which `*` stands for the items of a list. */
  readonly pattern: string;
  /** JSON pointer; that of a single item only where somebody declared what single items mean. */
  readonly pointer: string;
  /** The last piece of both. */
  readonly step: string;
  readonly field: string;
  readonly isNested: boolean;
  readonly schema: Json | undefined;
  /** Schema of the object whose member stands here, or an item of a list that is its member. */
  readonly holder: Json | undefined;
  /** What was declared here, or else for the nearest place above. */
  readonly given: ArgumentRole | undefined;
  /** Of text or a number that stands here. */
  readonly role: ArgumentRole | undefined;
  readonly isDeclared: boolean;
  /** The places below that were needed so far. */
  readonly members: Map<string, Place>;
  item: Place | undefined;
}

type At = Pick<Place, "pattern" | "pointer" | "step" | "field" | "isNested" | "schema" | "holder">;

/** The places in the arguments of one tool. Each is worked out once, since the calls of a tool have the same. */
class Places {
  readonly top: Place;
  readonly #roles: Described["argumentRoles"];
  readonly #hasDeclared: boolean;
  readonly #hasSingleItems: boolean;
  #keptCount = 0;

  constructor({ argumentRoles, inputSchema }: Described) {
    const declared = Object.keys(argumentRoles);
    this.#roles = argumentRoles;
    this.#hasDeclared = declared.length > 0;
    this.#hasSingleItems = declared.some((pointer) => /\/\d/.test(pointer));
    this.top = this.#place(
      { pattern: "", pointer: "", step: "", field: "", isNested: false, schema: inputSchema, holder: undefined },
      undefined,
    );
  }

  /** Of a member of the object that stands at a place. */
  member(place: Place, key: string): Place {
    const known = place.members.get(key);
    if (known !== undefined) return known;
    const step = key.includes("~") || key.includes("/") ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
    const at = { pattern: `${place.pattern}/${step}`, pointer: `${place.pointer}/${step}`, step };
    const isNested = place.isNested || place !== this.top;
    const made = this.#place({ ...at, field: key, isNested, schema: inner(place.schema, key), holder: place.schema }, place.given);
    // Names that callers choose freely are worked out each time once there are too many.
    if (this.#keptCount < fixedBounds.argumentPlacesMax) place.members.set(key, made);
    this.#keptCount += 1;
    return made;
  }

  /** Of an item of the list that stands there. */
  item(place: Place, index: string): Place {
    if (this.#hasSingleItems) return this.#itemOf(place, index);
    place.item ??= this.#itemOf(place, "*");
    return place.item;
  }

  #itemOf({ pattern, pointer, field, isNested, schema, holder, given }: Place, step: string): Place {
    return this.#place(
      { pattern: `${pattern}/*`, pointer: `${pointer}/${step}`, step, field, isNested, schema: inner(schema, undefined), holder },
      given,
    );
  }

  #place(at: At, above: ArgumentRole | undefined): Place {
    const declared = this.#roles[at.pattern] ?? this.#roles[at.pointer];
    const meant = declared ?? (at.isNested ? nestedRole(at, above) : above);
    return {
      ...at,
      given: declared ?? above,
      // Where somebody said what the arguments mean, those left out steer nothing.
      role: meant ?? (this.#hasDeclared || isVenue(at.field, at.holder) ? "content" : inferredRole(at.field, at.schema)),
      isDeclared: meant !== undefined,
      members: new Map(),
      item: undefined,
    };
  }
}

const knownPlaces = new WeakMap<Described, Places>();

function placesOf(tool: Described): Places {
  const known = knownPlaces.get(tool);
  if (known !== undefined) return known;
  const places = new Places(tool);
  knownPlaces.set(tool, places);
  return places;
}

/** Inside an object with a role, members that steer (`type`, `format`) mean what their names say; all others share the role. */
function nestedRole({ field, schema }: At, above: ArgumentRole | undefined): ArgumentRole | undefined {
  return inferredRole(field, schema) === "control" ? "control" : above;
}

function inner(schema: Json | undefined, key: string | undefined): Json | undefined {
  if (schema === undefined || schema === null || typeof schema !== "object" || Array.isArray(schema)) return undefined;
  const whole = schema as JsonObject;
  return within(whole, key) ?? withinAny(whole["anyOf"], key) ?? withinAny(whole["oneOf"], key);
}

function within(branch: Json, key: string | undefined): Json | undefined {
  if (branch === null || typeof branch !== "object") return undefined;
  const { items, properties } = branch as JsonObject;
  return key === undefined ? items : (properties as JsonObject | undefined)?.[key];
}

function withinAny(branches: Json | undefined, key: string | undefined): Json | undefined {
  if (!Array.isArray(branches)) return undefined;
  for (const branch of branches as Json[]) {
    const found = within(branch, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A value that the schema itself lists carries nothing from outside. */
function isConstant(schema: Json | undefined, value: Json): boolean {
  if (schema === undefined || schema === null || typeof schema !== "object") return false;
  const { enum: allowed, const: fixed } = schema as JsonObject;
  return fixed === value || (Array.isArray(allowed) && (allowed as Json[]).includes(value));
}

type Guess = readonly [role: ArgumentRole, names: RegExp];

// In order: the first that fits counts. Names are split at case and punctuation and joined by one space.
const guesses: readonly Guess[] = [
  ["credential", /\b(password|passwd|passphrase|secret|token|api key|private key|pin|otp|credentials?|mnemonic|seed phrase)\b/],
  ["command", /\b(command|cmd|script|code|sql|statement|expression|shell|program|source code|bytecode|abi|query string)\b/],
  [
    "control",
    /(^| )(type|kind)$|^(format|mode|sort( by| order)?|order by|limit|offset|page( size| number)?|max results?|language|lang|locale|unit|units|currency|timezone|time zone|verbose|fields?|status|scope|priority|recurring|permanent|action|operation|permissions?)$/,
  ],
  ["amount", /\b(amount|price|sum|total|quantity|qty|cost|fee|value|balance|salary|tip|shares?|number of \w+)\b/],
  ["date", /\b(date|day|datetime|time|timestamp|start|end|deadline|due|until|from date|to date|when|month|year|check ?in|check ?out)\b/],
  [
    "target",
    /\b(to|cc|bcc|recipients?|receivers?|payees?|beneficiar(y|ies)|e?mails?|address(es)?|phone( numbers?)?|numbers?|iban|account( numbers?)?|urls?|uri|links?|hosts?|domains?|endpoints?|webhook|participants?|attendees?|guests?( ids?| emails?)?|invitees?|users?( names?| ids?)?|usernames?|channels?|members?|persons?|people|contacts?|assignees?|collaborators?|destinations?|locations?|rooms?( ids?)?|city|hotel|restaurant|company|path|paths|folder|director(y|ies)|friends?|followers?|groups?|teams?|app( ids?)?|devices?|repositor(y|ies)|repo|owner)\b/,
  ],
  ["ref", /\b(ids?|uuid|guid|refs?|references?|keys?|handle|slug|sku|number|code|attachments?|files?|filename|file name|index)\b/],
  [
    "content",
    /\b(body|content|contents|text|message|subject|title|description|summary|comment|note|notes|caption|name|reason|label|review|post|tweet|reply|data|details|instructions?|prompt|query|keywords?|search)\b/,
  ],
];

const eventMembers = [/\b(?:title|subject|summary|name)\b/, /\b(?:starts?|begins?)\b/, /\b(?:ends?|duration)\b/];

/**
 * Whether a member says where something takes place: a place beside a title, a beginning and an end. It is read by those who come, and nothing goes
 * there, unlike the place of a delivery or of a device.
 */
export function isVenue(field: string, holder: Json | undefined): boolean {
  if (!/\b(?:location|venue|place)s?$/.test(splitName(field))) return false;
  const properties = memberOf(holder, "properties");
  if (typeof properties !== "object" || properties === null) return false;
  const names = Object.keys(properties).map(splitName);
  return eventMembers.every((member) => names.some((name) => member.test(name)));
}

/** What names suggest under one schema, which is the same at every call of its tool. */
const known = new WeakMap<object, Map<string, ArgumentRole | undefined>>();

/** The role that a name and its schema suggest; undefined where they suggest none. */
export function inferredRole(field: string, schema: Json | undefined): ArgumentRole | undefined {
  if (typeof schema !== "object" || schema === null) return suggested(field, schema);
  const names = known.get(schema) ?? new Map<string, ArgumentRole | undefined>();
  if (names.size === 0) known.set(schema, names);
  if (!names.has(field) && names.size < fixedBounds.rememberedMax) names.set(field, suggested(field, schema));
  return names.has(field) ? names.get(field) : suggested(field, schema);
}

function suggested(field: string, schema: Json | undefined): ArgumentRole | undefined {
  return guessRole(field, schema)?.role;
}

/** A role that nobody declared, and what suggests it. */
export interface RoleGuess {
  readonly role: ArgumentRole;
  readonly by: "format" | "name" | "description";
  /** The format, or the word of the name or description. */
  readonly word: string;
}

const rolesByFormat: Readonly<Record<string, ArgumentRole>> = {
  email: "target",
  uri: "target",
  hostname: "target",
  date: "date",
  "date-time": "date",
  password: "credential",
};

/** The role that an argument's format or name suggests: what calls are judged by as long as nobody declares another. */
export function guessRole(field: string, schema: Json | undefined): RoleGuess | undefined {
  const format = memberOf(schema, "format");
  const byFormat = typeof format === "string" && Object.hasOwn(rolesByFormat, format) ? rolesByFormat[format] : undefined;
  if (byFormat !== undefined) return { role: byFormat, by: "format", word: format as string };
  return guessIn(splitName(field), "name");
}

/**
 * The role that an argument's description suggests, for people who declare roles; no call is judged by it.
 */
export function guessRoleByDescription(schema: Json | undefined): RoleGuess | undefined {
  const description = memberOf(schema, "description");
  return typeof description === "string" ? guessIn(splitName((/^[^.!?]*/.exec(description) ?? [""])[0]), "description") : undefined;
}

function guessIn(words: string, by: RoleGuess["by"]): RoleGuess | undefined {
  for (const [role, names] of guesses) {
    const found = names.exec(words);
    if (found !== null) return { role, by, word: found[0].trim() };
  }
  return undefined;
}

function memberOf(schema: Json | undefined, name: string): Json | undefined {
  return schema !== null && typeof schema === "object" && !Array.isArray(schema) ? (schema as JsonObject)[name] : undefined;
}

/** `userEmail`, `user_email` and `User-Email` as `user email`. */
export function splitName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .replace(/[^A-Za-z0-9]+/g, " ")
    .trim()
    .toLowerCase();
}
