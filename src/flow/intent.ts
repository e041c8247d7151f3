/**
 * Did the user ask for this kind of action? Answered from the user's own words alone: by the phrases a tool declares, else by the verbs that speakers
 * of five languages use for what the tool does. *Unknown* where nothing can be said: no words, a language without a pack, a tool of unclear kind.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Tool } from "../domain/tool.ts";
import { compilePattern, type Pattern } from "../schema/patterns.ts";
import { english } from "./languages/english.ts";
import type { ActionKind, LanguagePack } from "./languages/pack.ts";
import { phraseExpression, spokenIn } from "./languages/spoken.ts";
import { splitName } from "./roles.ts";
import type { UserWords } from "./user-words.ts";

/** Whether the user asked for an effect. */
export type Intent = "asked" | "not-asked" | "unknown";

/** What a tool needs to have for its intent to be found. */
export type IntentTool = Pick<Tool, "name" | "description" | "asks" | "tier">;

const answers = new WeakMap<UserWords, { readonly version: number; readonly byTool: Map<IntentTool, Intent> }>();

/** Whether the words of a conversation ask for what the tool does. */
export function intentOf(tool: IntentTool, words: UserWords): Intent {
  let known = answers.get(words);
  if (known === undefined || known.version !== words.version) {
    known = { version: words.version, byTool: new Map() };
    answers.set(words, known);
  }
  let intent = known.byTool.get(tool);
  if (intent === undefined) {
    intent = findIntent(tool, words);
    known.byTool.set(tool, intent);
  }
  return intent;
}

function findIntent(tool: IntentTool, words: UserWords): Intent {
  if (words.isEmpty) return "unknown";
  const declared = declaredPatterns(tool);
  const spans = words.spans.map(requestsOnly);
  if (declared.some((pattern) => spans.some((span) => pattern.test(span)))) return "asked";
  const spoken = spokenIn(words.spans);
  if (spoken.length === 0) return "unknown";
  // Declared phrases are taken to cover English; a conversation in another language may use that language's own verbs, and what only reads those of any.
  const asking = declared.length === 0 || tool.tier === "read" ? spoken : spoken.filter((pack) => pack !== english);
  const kinds = kindsOf(tool);
  if (kinds.length === 0) return declared.length === 0 ? "unknown" : "not-asked";
  return asking.some((pack) => spans.some((span) => asks(pack, kinds, span))) ? "asked" : "not-asked";
}

const quoted = /(?<![\p{L}\p{N}])(?:'[^'\n]{1,400}'(?![\p{L}\p{N}])|"[^"\n]{1,400}"|[“„«‘][^”“»’\n]{1,400}[”“»’](?![\p{L}\p{N}]))/gu;
const remembered =
  /(\bremind (?:me|us|him|her|them|\p{L}+) (?:to|about|that|of)|\breminder (?:to|about|for|that)|\berinner\p{L}* (?:mich|uns)[^.!?\n]{0,20}?\b(?:daran|an)|\brappell?e[zr]?[- ](?:moi|nous) (?:de|d'|que)|\brecu[eé]rda(?:me|nos) (?:que )?|\bprzypomnij (?:mi|nam),? (?:żeby|aby|o))[^.!?\n]*/gu;

/** Words without what they only mention: quoted text, and what somebody wants to be reminded of, are no requests. Their place stays, empty. */
function requestsOnly(span: string): string {
  return span.replace(quoted, " \u2026 ").replace(remembered, "$1 \u2026");
}

const declaredCache = new WeakMap<readonly string[], readonly Pattern[]>();

/** Declared phrases are patterns of an operator or an import: they run on the linear-time engine, since the words they meet are a user's. */
function declaredPatterns(tool: IntentTool): readonly Pattern[] {
  if (tool.asks === undefined || tool.asks.length === 0) return [];
  let patterns = declaredCache.get(tool.asks);
  if (patterns === undefined) {
    patterns = tool.asks.map((source) => compilePattern(`(?is)${source}`, { isForeign: true, limits: defaultLimits }));
    declaredCache.set(tool.asks, patterns);
  }
  return patterns;
}

function asks(pack: LanguagePack, kinds: readonly ActionKind[], span: string): boolean {
  return kinds.some((kind) => {
    for (const match of span.matchAll(phraseExpression(pack.asks[kind]))) if (!isNegated(pack, span.slice(0, match.index))) return true;
    return false;
  });
}

/** A negation among the two words before. */
function isNegated(pack: LanguagePack, before: string): boolean {
  const last =
    before
      .slice(-60)
      .match(/[\p{L}'’]+/gu)
      ?.slice(-2) ?? [];
  return last.some((word) => pack.negations.includes(word));
}

const kindsByVerb: Readonly<Record<ActionKind, readonly string[]>> = {
  send: [
    "send",
    "email",
    "mail",
    "message",
    "notify",
    "forward",
    "reply",
    "respond",
    "text",
    "sms",
    "dm",
    "tell",
    "remind",
    "contact",
    "ask",
  ],
  post: ["post", "publish", "tweet", "comment", "announce", "reply", "review"],
  create: [
    "create",
    "add",
    "make",
    "new",
    "insert",
    "append",
    "write",
    "draft",
    "compose",
    "upload",
    "register",
    "generate",
    "open",
    "schedule",
    "setup",
    "put",
    "import",
  ],
  delete: [
    "delete",
    "remove",
    "erase",
    "clear",
    "cancel",
    "drop",
    "purge",
    "revoke",
    "kick",
    "discard",
    "unshare",
    "withdraw",
    "unsubscribe",
  ],
  update: ["update", "change", "edit", "modify", "set", "rename", "adjust", "replace", "patch", "manage", "organize", "redirect"],
  move: ["move", "reschedule", "postpone", "shift"],
  pay: [
    "pay",
    "transfer",
    "buy",
    "purchase",
    "order",
    "refund",
    "deposit",
    "withdraw",
    "trade",
    "sell",
    "invest",
    "donate",
    "money",
    "transaction",
  ],
  book: ["book", "reserve", "booking", "reservation", "schedule", "appointment"],
  share: ["share", "invite", "grant", "permit", "authorize", "add"],
  fetch: ["visit", "browse", "navigate", "fetch", "crawl", "scrape", "webpage", "url", "website", "page"],
  run: ["run", "execute", "exec", "launch", "start", "trigger", "invoke", "eval", "deploy", "compile", "apply"],
  switch: ["turn", "switch", "toggle", "enable", "disable", "activate", "deactivate", "lock", "unlock", "play", "control", "stop"],
  follow: ["follow", "unfollow", "like", "unlike", "retweet", "subscribe", "join", "leave"],
  save: ["save", "download", "export", "store", "backup", "archive", "import"],
};

/** What kinds of action a tool is, from the first of its names that says so, else from the first sentence of its description. */
export function kindsOf(tool: Pick<Tool, "name" | "description">): readonly ActionKind[] {
  const byName = kindsIn(splitName(tool.name));
  return byName.length > 0
    ? byName
    : kindsIn(splitName((/^[^.!?]*/.exec(tool.description) ?? [""])[0]).replace(/\b(\w+?)e?s\b/g, "$1 $1e"));
}

function kindsIn(text: string): readonly ActionKind[] {
  const words = text.split(" ");
  for (const [index, word] of words.entries()) {
    const verb = (Object.keys(kindsByVerb) as ActionKind[]).filter((kind) => kindsByVerb[kind].includes(word));
    const handled = lightVerbs.has(word) ? kindsByObject(words.slice(index + 1, index + 1 + fixedBounds.handledWordsMax)) : [];
    const kinds = [...new Set([...verb, ...handled])];
    if (kinds.length > 0) return isPublic(text, kinds) ? [...kinds, "post"] : kinds;
  }
  return [];
}

/** Verbs that say little by themselves: what they act on says what is done, as in "make a reservation" or "send money". */
const lightVerbs = new Set(
  "send make create add new open submit issue initiate place set put schedule start register generate write request give setup".split(" "),
);
const objects: Readonly<Partial<Record<ActionKind, RegExp>>> = {
  pay: /^(?:money|payments?|payouts?|funds|cash|transfers?|transactions?|refunds?|remittances?|donations?|orders?|purchases?)$/,
  book: /^(?:bookings?|reservations?|appointments?)$/,
  send: /^(?:e?mails?|messages?|sms|repl(?:y|ies))$/,
  post: /^(?:posts?|comments?|tweets?|reviews?|announcements?)$/,
  share: /^(?:invitations?|invites?|permissions?|access)$/,
};

function kindsByObject(words: readonly string[]): readonly ActionKind[] {
  return (Object.keys(objects) as ActionKind[]).filter((kind) => words.some((word) => objects[kind]?.test(word)));
}

/** Whoever sends something to a channel or a board posts it there. */
function isPublic(text: string, kinds: readonly ActionKind[]): boolean {
  return (
    kinds.includes("send") && !kinds.includes("post") && /\b(?:channel|group|room|thread|forum|board|feed|timeline|wall|topic)\b/.test(text)
  );
}
