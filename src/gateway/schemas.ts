import { codes } from "../errors/codes.ts";
import type { JsonObject } from "../domain/json.ts";

/** A text of at most so many characters. */
export function textSchema(charsMax: number, about?: string): JsonObject {
  return { type: "string", minLength: 1, maxLength: charsMax, ...(about !== undefined && { description: about }) };
}

/** An object with these members; nothing else is accepted. */
export function closed(properties: Readonly<Record<string, JsonObject>>, required: readonly string[]): JsonObject {
  return { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false };
}

/** An object of an answer: more members may come in later versions. */
export function open(properties: Readonly<Record<string, JsonObject>>, required: readonly string[] = Object.keys(properties)): JsonObject {
  return { type: "object", properties, ...(required.length > 0 && { required }) };
}

const anything: JsonObject = {};
const time: JsonObject = { type: "integer", description: "Milliseconds since the Unix epoch." };
const text: JsonObject = { type: "string" };
const flag: JsonObject = { type: "boolean" };
const texts: JsonObject = { type: "array", items: text };

const effect: JsonObject = { enum: ["none", "unknown", "applied"], description: "Did the side effect happen?" };

const errorBody = open(
  {
    code: { enum: Object.keys(codes) },
    message: { type: "string", description: "What was wrong, where, and what would be right." },
    retry: { enum: ["never", "after-fix", "later", "same-key"] },
    effect,
    fields: { type: "array", items: open({ path: text, got: text, expected: text, hint: text }, ["path", "expected"]) },
    retryAfterMs: { type: "integer" },
    approvalId: text,
    callId: text,
    untrustedDetail: { type: "string", description: "The upstream's own words. Untrusted." },
  },
  ["code", "message", "retry", "effect"],
);

const outcome = open(
  {
    kind: { enum: ["completed", "failed", "denied", "pending", "unknown"] },
    effect,
    result: open(
      {
        parts: { type: "array", items: open({ kind: text }) },
        value: anything,
        handle: { type: "string", description: "Where the rest of a cut result can be read." },
        cutChars: { type: "integer" },
        label: open({ source: text, integrity: text, confidentiality: text, categories: texts, readers: texts }),
        source: text,
        asOfMs: time,
      },
      ["parts", "cutChars", "label", "source", "asOfMs"],
    ),
    notices: texts,
    isReplay: flag,
    isFallback: flag,
    error: errorBody,
    waiting: open(
      { kind: { enum: ["person", "time", "execution"] }, approvalId: text, gate: text, wakeAtMs: time, expiresAtMs: time, summary: text },
      ["kind"],
    ),
    message: text,
    retryAfterMs: { type: "integer" },
  },
  ["kind"],
);

const answer = open({ callId: text, sessionId: text, tool: text, version: text, providerCallId: text, traceId: text, outcome }, [
  "callId",
  "sessionId",
  "tool",
  "outcome",
]);

const problem: JsonObject = {
  ...open(
    {
      type: text,
      title: text,
      status: { type: "integer" },
      detail: text,
      error: errorBody,
      requestId: text,
      callId: text,
      sessionId: text,
      tool: text,
      traceId: text,
      outcome,
    },
    ["type", "title", "status", "detail", "error"],
  ),
  description: "RFC 9457 problem details. `error` is the same body that a model reads.",
};

const edited = open({ by: text, fromDigest: text, pointers: texts });
const approvalMembers: Readonly<Record<string, JsonObject>> = {
  id: text,
  state: { enum: ["pending", "approved", "rejected", "expired", "used", "void"] },
  summary: { type: "string", description: "What will happen if somebody says yes." },
  callId: text,
  sessionId: text,
  user: text,
  roles: texts,
  tool: text,
  version: text,
  gate: { enum: ["confirmation", "approval"] },
  approvers: texts,
  quorum: { type: "integer" },
  isOfEach: { ...flag, description: "Each of `approvers` has to agree, by a person of its own." },
  wanted: { ...texts, description: "With `isOfEach`: groups of which somebody could say the yes that is still missing." },
  needsFreshAuthentication: flag,
  reasons: { type: "array", items: open({ rule: text, effect: text, reason: text }) },
  answers: {
    type: "array",
    items: open({ by: text, approve: flag, groups: texts, reason: text, atMs: time, effectiveDigest: text, widens: flag }, [
      "by",
      "approve",
      "atMs",
    ]),
  },
  effectiveDigest: { type: "string", description: "SHA-256 of the canonical arguments that would run: what an answer is for." },
  edited: { ...edited, description: "Somebody changed the arguments." },
  createdAtMs: time,
  expiresAtMs: time,
};
const approval = open(
  approvalMembers,
  Object.keys(approvalMembers).filter((member) => !["edited", "isOfEach", "wanted"].includes(member)),
);

const tool = open(
  {
    name: text,
    version: text,
    title: text,
    description: text,
    tier: { enum: ["read", "reversible", "irreversible", "privileged"] },
    idempotency: text,
    source: text,
    isSensitive: flag,
    isEgress: flag,
    inputSchema: { type: "object" },
    argumentRoles: {
      type: "object",
      additionalProperties: text,
      description: "What arguments mean, by JSON pointer, where that is declared.",
    },
    fingerprint: text,
  },
  ["name", "version", "description", "tier", "idempotency", "source", "inputSchema", "fingerprint"],
);

const entry = open(
  {
    writer: text,
    epoch: { type: "integer" },
    seq: { type: "integer" },
    kind: text,
    atMs: time,
    callId: text,
    sessionId: text,
    runId: text,
    body: anything,
    private: { type: "object" },
  },
  ["writer", "epoch", "seq", "kind", "atMs", "body"],
);

const event = open({ callId: text, sessionId: text, tool: text, stage: text, what: text, note: text, isInside: flag, atMs: time });

/** Schemas of answers that the document names; each is referred to wherever it occurs. */
export const namedSchemas = {
  Answer: answer,
  Approval: approval,
  Entry: entry,
  Error: errorBody,
  Event: event,
  Outcome: outcome,
  Problem: problem,
  Tool: tool,
} as const satisfies Record<string, JsonObject>;
