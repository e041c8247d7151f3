import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { historySchemas } from "./history-schema.ts";

const name = { type: "string", pattern: "^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$" } as const;
const glob = {
  type: "string",
  maxLength: 200,
  pattern: "^[A-Za-z0-9_.*:/-]+(@\\d+(\\.\\d+){0,2}([-+][0-9A-Za-z.+-]*)?)?$",
  description: "A tool name with stars and an optional version, such as `crm.*` or `order.refund@1`.",
} as const;
const expression = { type: "string", minLength: 1, maxLength: defaultLimits.ruleCharsMax, pattern: "\\S" } as const;

function oneOrMore(items: JsonObject, minItems: number): JsonObject {
  return { oneOf: [items, { type: "array", items, minItems }] };
}

const ruleId: JsonObject = {
  ...name,
  not: { pattern: "^(grant|permission|ownership|duplicate|changed)$|^(tier|error|limits|fact|purpose|approvers|egress|point):" },
  description: "Unique; stands in every reason the rule gives.",
};

const span = { type: "string", pattern: "^[1-9][0-9]{0,8}[smhd]$" } as const;

/** One operator; a text is CEL. */
const change: JsonObject = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  properties: {
    cap: { oneOf: [{ type: "number" }, expression], description: "At most this number, or CEL that gives one." },
    subset: {
      oneOf: [{ type: "array", minItems: 1, maxItems: 1_000, items: { type: ["string", "number", "boolean"] } }, expression],
      description: "Only these items, or CEL that gives a list.",
    },
    flag: { const: true, description: "Set to true, such as a dry run." },
  },
};

const rule: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["id", "on", "effect"],
  properties: {
    id: ruleId,
    on: { ...oneOrMore(glob, 1), description: "The tools that the rule concerns." },
    when: {
      oneOf: [{ type: "boolean" }, expression],
      description:
        "CEL over `args`, `principal`, `facts`, `tool`, `session` and `now`; holds only when exactly true, an error denies. Default: always.",
    },
    effect: { enum: ["allow", "modify", "ask", "defer", "deny"] },
    waives: { const: "tier", description: "With `allow`: the question of the reversible and irreversible tiers is not asked." },
    approvers: {
      oneOf: [
        name,
        { type: "array", items: name, minItems: 1 },
        {
          type: "object",
          additionalProperties: false,
          required: ["all"],
          properties: { all: { type: "array", items: name, minItems: 2, maxItems: defaultLimits.quorumMax, uniqueItems: true } },
        },
      ],
      description:
        "With `ask`: groups of which one answers, or `{ all: [finance, security] }`: each of them, by a person of its own. Default `approver`.",
    },
    quorum: {
      type: "integer",
      minimum: 1,
      maximum: defaultLimits.quorumMax,
      description: "With `ask`: how many people must say yes. Default 1. Not beside `approvers: { all: ... }`.",
    },
    confirm: { const: "self", description: "With `ask`: the user confirms it themself." },
    change: {
      type: "object",
      minProperties: 1,
      maxProperties: 20,
      additionalProperties: change,
      description: "With `modify`: what is narrowed, by argument; only what the tool names under `narrows`.",
    },
    until: {
      ...expression,
      description: "With `defer`: CEL for a time to wait for, or for a condition that is looked at until it is true.",
    },
    for: { ...span, description: "With `defer`: how long the call waits, such as `10m`." },
    expires: { ...span, description: "With `defer`: how long it waits at most; then it is denied. Default 24h (`deferralExpiryMs`)." },
    reason: { type: "string", minLength: 1, maxLength: 500, pattern: "\\S", description: "For people; never shown to the model." },
  },
  allOf: [
    {
      if: { properties: { effect: { const: "allow" } }, required: ["effect"] },
      then: { required: ["waives"] },
      else: { not: { required: ["waives"] } },
    },
    {
      if: { properties: { effect: { const: "ask" } }, required: ["effect"] },
      then: { not: { required: ["confirm"], anyOf: [{ required: ["approvers"] }, { required: ["quorum"] }] } },
      else: { not: { anyOf: [{ required: ["approvers"] }, { required: ["quorum"] }, { required: ["confirm"] }] } },
    },
    {
      if: { properties: { approvers: { type: "object" } }, required: ["approvers"] },
      then: { not: { required: ["quorum"] } },
    },
    {
      if: { properties: { effect: { const: "modify" } }, required: ["effect"] },
      then: { required: ["change"] },
      else: { not: { required: ["change"] } },
    },
    {
      if: { properties: { effect: { const: "defer" } }, required: ["effect"] },
      then: { oneOf: [{ required: ["until"] }, { required: ["for"] }] },
      else: { not: { anyOf: [{ required: ["until"] }, { required: ["for"] }, { required: ["expires"] }] } },
    },
  ],
};

const cacheMs: JsonObject = {
  type: "integer",
  minimum: 1,
  maximum: defaultLimits.factCacheMsMax,
  description:
    "How long its answer may serve later calls of the same user that are read or reversible; a write to its source ends that, of another process on the same store within three pulses. Default: looked up for each call.",
};

const fact: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tool"],
  properties: {
    tool: { type: "string", minLength: 1, maxLength: 200, pattern: "^[^*]*[^*\\s][^*]*$", description: "The read tool that looks it up." },
    arguments: {
      type: "object",
      additionalProperties: expression,
      description: "CEL by argument name, over `args`, `principal`, `session`, `tool`.",
    },
    cacheMs,
    absent: {
      type: "string",
      minLength: 1,
      maxLength: 200,
      pattern: "\\S",
      description: "What the model is told when the record is absent or a rule that asks about a fact denies; the same for both.",
    },
  },
};

const pointer = { type: "string", maxLength: 200, pattern: "^(?:/(?:[^~/]|~[01])+)+$" } as const;

const directory: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tool", "argument", "user"],
  description:
    "The tenant's own people: guarded data leave without a question towards those who may read them, by the `readers` of labels. Whom it does not know may read nothing of it.",
  properties: {
    tool: {
      type: "string",
      minLength: 1,
      maxLength: 200,
      pattern: "^[^*]*[^*\\s][^*]*$",
      description:
        "The read tool that finds one person by exactly the address, number or name that a call sends to; it refuses where there is none.",
    },
    argument: { type: "string", minLength: 1, maxLength: 200, pattern: "\\S", description: "The argument of that tool." },
    user: { ...pointer, description: "JSON pointer of the person's id in what it answers: the reader `user:ID`." },
    groups: { ...pointer, description: "JSON pointer of their groups: the readers `group:NAME`. Default: none." },
    roles: { ...pointer, description: "JSON pointer of their roles: the readers `role:NAME`. Default: none." },
    cacheMs,
  },
};

const history = historySchemas({
  name,
  expression,
  id: ruleId,
  globs: { ...oneOrMore(glob, 1), description: "The tools that the rule concerns." },
  groups: { ...oneOrMore(name, 1), description: "With `ask`: groups of which one answers. Default `approver`." },
});

/**
 * JSON Schema (2020-12) of a policy, for editors. It says of the form all that a schema can; expressions, duplicate ids and names of facts are
 * checked by `parsePolicy`, which accepts nothing that this schema refuses.
 */
export const policySchema: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Signalbox policy",
  type: "object",
  additionalProperties: false,
  properties: {
    version: { const: 1 },
    roles: {
      type: ["object", "null"],
      propertyNames: name,
      additionalProperties: oneOrMore(
        {
          anyOf: [
            { ...glob, not: { pattern: "^permission:" } },
            { type: "string", pattern: "^permission:[A-Za-z_][A-Za-z0-9_.:-]{0,99}$" },
          ],
        },
        0,
      ),
      description: "Tool globs, and `permission:NAME` entries, by role. What no role grants is denied.",
    },
    facts: {
      type: ["object", "null"],
      propertyNames: { pattern: "^[A-Za-z_][A-Za-z0-9_]{0,99}$" },
      additionalProperties: fact,
      description: "Read-only look-ups made once per call before rules that name them are decided.",
    },
    directory,
    rules: { type: ["array", "null"], maxItems: defaultLimits.rulesMax, items: rule },
    sequences: {
      type: ["array", "null"],
      maxItems: defaultLimits.historyRulesMax,
      items: history.sequence,
      description: "How often, how much and in which order, over time.",
    },
    separation: {
      type: ["array", "null"],
      maxItems: defaultLimits.historyRulesMax,
      items: history.separation,
      description: "Classes of data that one user may not bring together.",
    },
    limits: {
      type: ["object", "null"],
      additionalProperties: false,
      properties: {
        blockedActions: { ...oneOrMore(glob, 0), description: "Tools that nobody may call." },
        allowedDomains: {
          ...oneOrMore({ type: "string", maxLength: 253 }, 0),
          description: "Hosts that egress tools may reach, such as `api.example.com` or `*.example.com`. Default: not limited.",
        },
      },
    },
    budgets: {
      type: ["object", "null"],
      additionalProperties: false,
      properties: {
        session: {
          type: "object",
          additionalProperties: false,
          properties: {
            calls: { type: "integer", minimum: 1 },
            usd: { type: "number", minimum: 0, maximum: 1_000_000_000 },
            executionMs: { type: "integer", minimum: 1 },
          },
        },
      },
    },
  },
};
