import type { JsonObject } from "../domain/json.ts";
import { open } from "./schemas.ts";

const text: JsonObject = { type: "string" };
const texts: JsonObject = { type: "array", items: text };
const flag: JsonObject = { type: "boolean" };
const count: JsonObject = { type: "integer", minimum: 0 };

const origin = open(
  {
    kind: { enum: ["user", "result", "nowhere"] },
    quote: { type: "string", description: "Around the place where the value was seen. Untrusted." },
    tool: text,
    callId: text,
    atMs: { type: "integer" },
  },
  ["kind"],
);

const argument = open({ pointer: text, name: text, role: text, value: text, chars: count, isCut: flag, origin }, [
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
    notSaid: { type: "array", items: text, description: "Consequential arguments whose values the user did not say." },
    arguments: { type: "array", items: argument },
    argumentsLeftOutCount: count,
    tier: { enum: ["read", "reversible", "irreversible", "privileged"] },
    reasons: { type: "array", items: open({ rule: text, effect: text, reason: text }) },
    undo: text,
    isToolChanged: flag,
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
  ],
);
