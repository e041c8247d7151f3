import type { JsonObject } from "../domain/json.ts";
import { open } from "./schemas.ts";

const text: JsonObject = { type: "string" };
const texts: JsonObject = { type: "array", items: text };
const flag: JsonObject = { type: "boolean" };
const count: JsonObject = { type: "integer", minimum: 0 };

const origin = open(
  {
    kind: {
      enum: ["user", "plan", "result", "elsewhere", "forgotten", "nowhere"],
      description:
        "`elsewhere`: another conversation of the same user, of which nothing is quoted. `forgotten`: untrusted text, nobody remembers which.",
    },
    quote: {
      type: "string",
      description:
        "Around the place where the value was seen, without secrets. Untrusted. Absent where it stood there in another notation.",
    },
    trust: { enum: ["trusted", "directory", "untrusted"] },
    tool: text,
    callId: text,
    atMs: { type: "integer" },
  },
  ["kind"],
);

const carries: JsonObject = {
  type: "array",
  items: open({ text, origin }, ["text", "origin"]),
  description: "Addresses, links and accounts in the text, decoded, those that the user did not say first.",
};

/** One argument on a card. */
export const argumentSchema = open({ pointer: text, name: text, role: text, value: text, chars: count, isCut: flag, origin, carries }, [
  "pointer",
  "name",
  "value",
  "chars",
  "isCut",
]);

/** The card of an approval. Invisible characters of what others wrote stand as `⟨U+202E⟩`. */
export const cardSchema: JsonObject = open(
  {
    headline: { type: "string", description: "What will happen if somebody says yes." },
    user: text,
    roles: texts,
    agent: { type: "string", description: "The credential that made the call." },
    conversationId: text,
    said: open({ text, chars: count, isAttested: flag }),
    asked: { enum: ["asked", "not-asked", "unknown"], description: "Whether the user asked for this kind of action." },
    notSaid: {
      type: "array",
      items: text,
      description: "Consequential arguments whose values, or addresses in them, the user did not say.",
    },
    arguments: { type: "array", items: argumentSchema },
    argumentsLeftOutCount: count,
    mayNotRead: {
      type: "array",
      items: open({ who: text, isKnown: flag }, ["who", "isKnown"]),
      description: "Recipients who may not have the data that the call repeats; `isKnown`: whether the directory knows them.",
    },
    narrowed: {
      type: "array",
      items: open({ name: text, was: text }),
      description: "Arguments that a rule narrowed, with what the agent sent.",
    },
    tier: { enum: ["read", "reversible", "irreversible", "privileged"] },
    reasons: { type: "array", items: open({ rule: text, effect: text, reason: text }) },
    undo: text,
    isToolChanged: flag,
    refusedAsksCount: { ...count, description: "Questions about this user's calls that were refused lately, since too many were asked." },
    expiresAtMs: { type: "integer", description: "Milliseconds since the Unix epoch." },
  },
  [
    "headline",
    "user",
    "roles",
    "agent",
    "notSaid",
    "arguments",
    "argumentsLeftOutCount",
    "reasons",
    "undo",
    "isToolChanged",
    "expiresAtMs",
    "refusedAsksCount",
  ],
);
