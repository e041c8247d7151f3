import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { parsePolicy } from "./parse.ts";
import { policySchema } from "./policy-schema.ts";

const rule = { id: "r", on: "x", effect: "deny" };

/** What is wrong with the form: the schema and the parser agree on each. */
const misshapen: readonly (readonly [string, unknown, string, RegExp])[] = [
  ["a list", [], "", /expected an object/],
  ["an unknown member", { rolez: {} }, "/rolez", /unknown member `rolez` \(nearest: `roles`\)/],
  ["another version", { version: 2 }, "/version", /`1`/],
  ["a sequence without a number", { sequences: [{ id: "s", on: "x", per: "1h" }] }, "/sequences/0/max", /say how many/],
  ["a sequence without a window", { sequences: [{ id: "s", on: "x", max: 1 }] }, "/sequences/0/per", /`30m`/],
  ["a window in weeks", { sequences: [{ id: "s", on: "x", max: 1, per: "1w" }] }, "/sequences/0/per", /`30m`/],
  [
    "an order with a number",
    { sequences: [{ id: "s", on: "x", after: "y", within: "1h", max: 1 }] },
    "/sequences/0/max",
    /without `after`/,
  ],
  [
    "a number with a span of an order",
    { sequences: [{ id: "s", on: "x", max: 1, per: "1h", within: "1h" }] },
    "/sequences/0/within",
    /with `after`/,
  ],
  [
    "a sequence that allows",
    { sequences: [{ id: "s", on: "x", max: 1, per: "1h", effect: "allow" }] },
    "/sequences/0/effect",
    /`ask` and `deny`/,
  ],
  ["a group that is no expression", { sequences: [{ id: "s", on: "x", max: 1, per: "1h", by: true }] }, "/sequences/0/by", /CEL/],
  [
    "approvers whom nobody asks",
    { sequences: [{ id: "s", on: "x", max: 1, per: "1h", approvers: "a" }] },
    "/sequences/0/approvers",
    /`effect: ask`/,
  ],
  ["a separation of one class", { separation: [{ id: "s", classes: { a: "x" } }] }, "/separation/0/classes", /at least two/],
  ["a role that is no list", { roles: { a: 1 } }, "/roles/a", /expected a list of texts; got a number/],
  ["a role with a reserved shape of name", { roles: { "a b": [] } }, "/roles/a b", /a name begins with a letter/],
  ["a glob with a space", { roles: { a: ["crm .x"] } }, "/roles/a/0", /tool glob/],
  ["a permission without a name", { roles: { a: ["permission:"] } }, "/roles/a/0", /name/],
  ["a rule without id", { rules: [{ on: "x", effect: "deny" }] }, "/rules/0/id", /expected a text; got nothing/],
  ["a rule without tools", { rules: [{ id: "r", effect: "deny" }] }, "/rules/0/on", /expected a list/],
  ["a rule on no tool", { rules: [{ ...rule, on: [] }] }, "/rules/0/on", /at least one tool/],
  ["a mistyped effect", { rules: [{ ...rule, effect: "denny" }] }, "/rules/0/effect", /nearest: `deny`/],
  ["a change of nothing", { rules: [{ ...rule, effect: "modify" }] }, "/rules/0/effect", /says what it narrows; add `change:`/],
  ["a wait for nothing", { rules: [{ ...rule, effect: "defer" }] }, "/rules/0/effect", /says what it waits for/],
  ["an id of a built-in reason", { rules: [{ ...rule, id: "tier:read" }] }, "/rules/0/id", /built-in/],
  ["a condition that is a number", { rules: [{ ...rule, when: 1 }] }, "/rules/0/when", /got a number/],
  ["an allow that does nothing", { rules: [{ ...rule, effect: "allow" }] }, "/rules/0/effect", /does nothing by itself/],
  ["a deny that waives", { rules: [{ ...rule, waives: "tier" }] }, "/rules/0/waives", /`effect: allow` only/],
  ["a deny with approvers", { rules: [{ ...rule, approvers: ["lead"] }] }, "/rules/0/approvers", /`effect: ask` only/],
  [
    "approvers beside confirm",
    { rules: [{ ...rule, effect: "ask", confirm: "self", approvers: ["a"] }] },
    "/rules/0/approvers",
    /no meaning/,
  ],
  ["a quorum of none", { rules: [{ ...rule, effect: "ask", quorum: 0 }] }, "/rules/0/quorum", /at least 1/],
  ["a quorum of a crowd", { rules: [{ ...rule, effect: "ask", quorum: defaultLimits.quorumMax + 1 }] }, "/rules/0/quorum", /at most 10/],
  [
    "a quorum beside each",
    { rules: [{ ...rule, effect: "ask", approvers: { all: ["a", "b"] }, quorum: 2 }] },
    "/rules/0/quorum",
    /no meaning/,
  ],
  ["each of one group", { rules: [{ ...rule, effect: "ask", approvers: { all: ["a"] } }] }, "/rules/0/approvers/all", /2 to 10 groups/],
  [
    "each of a group twice",
    { rules: [{ ...rule, effect: "ask", approvers: { all: ["a", "a"] } }] },
    "/rules/0/approvers/all",
    /named twice/,
  ],
  ["each of no list", { rules: [{ ...rule, effect: "ask", approvers: { all: "a" } }] }, "/rules/0/approvers/all", /list of texts/],
  ["each of some", { rules: [{ ...rule, effect: "ask", approvers: { some: ["a", "b"] } }] }, "/rules/0/approvers/some", /unknown|known/],
  [
    "each of a crowd",
    {
      rules: [
        { ...rule, effect: "ask", approvers: { all: Array.from({ length: defaultLimits.quorumMax + 1 }, (_, index) => `g${index}`) } },
      ],
    },
    "/rules/0/approvers/all",
    /`quorumMax`/,
  ],
  ["a fact without tool", { facts: { order: {} } }, "/facts/order/tool", /expected a text/],
  ["a fact by many tools", { facts: { order: { tool: "crm.*" } } }, "/facts/order/tool", /stars/],
  ["a fact that no expression can name", { facts: { "the-order": { tool: "x" } } }, "/facts/the-order", /letters, digits/],
  ["a token budget", { budgets: { session: { tokens: 1 } } }, "/budgets/session/tokens", /not supported yet/],
  ["a budget per principal", { budgets: { principal: {} } }, "/budgets/principal", /not supported yet/],
  ["a negative budget", { budgets: { session: { usd: -1 } } }, "/budgets/session/usd", /at least 0/],
  ["a call budget of a fraction", { budgets: { session: { calls: 1.5 } } }, "/budgets/session/calls", /whole number/],
];

/** What only the parser can tell. */
const meaningless: readonly (readonly [string, unknown, string, RegExp])[] = [
  [
    "a window beyond its bound",
    { sequences: [{ id: "s", on: "x", max: 1, per: `${defaultLimits.historyWindowMsMax / 1_000 + 1}s` }] },
    "/sequences/0/per",
    /historyWindowMsMax/,
  ],
  [
    "more sequences than are allowed",
    {
      sequences: Array.from({ length: defaultLimits.historyRulesMax + 1 }, (_, index) => ({ id: `s${index}`, on: "x", max: 1, per: "1h" })),
    },
    "/sequences",
    /historyRulesMax/,
  ],
  [
    "a separation that separates nothing",
    { separation: [{ id: "s", classes: { a: "x", b: "y" }, atMost: 2 }] },
    "/separation/0/atMost",
    /at most 1/,
  ],
  [
    "an id of another kind of rule",
    { rules: [{ ...rule, id: "s" }], sequences: [{ id: "s", on: "x", max: 1, per: "1h" }] },
    "/sequences/0/id",
    /taken/,
  ],
  ["the same id twice", { rules: [rule, rule] }, "/rules/1/id", /taken by rule 0/],
  ["no CEL", { rules: [{ ...rule, when: "args.x ==" }] }, "/rules/0/when", /not CEL: at 1:/],
  ["an unknown name", { rules: [{ ...rule, when: "arg.x == 1" }] }, "/rules/0/when", /unknown name `arg` \(nearest: `args`\)/],
  ["an unknown function", { rules: [{ ...rule, when: "args.x.startWith('a')" }] }, "/rules/0/when", /nearest: `startsWith`/],
  [
    "an undeclared fact",
    { facts: { order: { tool: "x" } }, rules: [{ ...rule, when: "facts.ordr.x == 1" }] },
    "/rules/0/when",
    /nearest: `order`/,
  ],
  [
    "facts as a whole",
    { facts: { order: { tool: "x" } }, rules: [{ ...rule, when: "'order' in facts" }] },
    "/rules/0/when",
    /`facts.<name>`/,
  ],
  ["a fact from a fact", { facts: { a: { tool: "x", arguments: { id: "facts.b.id" } } } }, "/facts/a/arguments/id", /not known yet/],
  ["money against a bare number", { rules: [{ ...rule, when: "money(args.x) <= 50" }] }, "/rules/0/when", /money with money/],
  ["loops three deep", { rules: [{ ...rule, when: "args.a.all(x, x.all(y, y.all(z, z == 1)))" }] }, "/rules/0/when", /2 deep/],
  ["a pattern that is no RE2", { rules: [{ ...rule, when: "args.x.matches('(?=a)')" }] }, "/rules/0/when", /not RE2/],
  ["a message of protobuf", { rules: [{ ...rule, when: "google.protobuf.Any{} == args.x" }] }, "/rules/0/when", /no type/],
  ["a domain with a scheme", { limits: { allowedDomains: ["https://a.example"] } }, "/limits/allowedDomains/0", /without scheme/],
  ["a domain with half a label", { limits: { allowedDomains: ["*a.example"] } }, "/limits/allowedDomains/0", /host/],
];

const good: readonly (readonly [string, unknown])[] = [
  ["nothing", {}],
  [
    "everything",
    {
      version: 1,
      roles: { support: ["crm.*", "docs.read_*", "order.refund@1", "permission:orders.refund"], admin: "*" },
      facts: { order: { tool: "crm.orders.get", arguments: { id: "args.orderId" } } },
      rules: [
        { id: "own-region", on: "order.*", when: "facts.order.region != principal.region", effect: "deny", reason: "other regions" },
        { id: "small", on: ["order.refund"], when: "args.amount <= 50.0", effect: "allow", waives: "tier" },
        { id: "large", on: "order.refund", when: "args.amount > 1000", effect: "ask", approvers: ["lead", "finance"], quorum: 2 },
        { id: "self", on: "*", when: false, effect: "ask", confirm: "self" },
        { id: "both", on: "order.void", effect: "ask", approvers: { all: ["finance", "security"] } },
      ],
      sequences: [
        {
          id: "daily",
          on: "order.refund",
          by: "facts.order.customer",
          sum: "args.amount",
          max: 500.5,
          per: "24h",
          effect: "ask",
          approvers: "lead",
        },
        { id: "verified", on: "order.refund", by: "args.orderId", after: "order.get", afterBy: "args.orderId", within: "30m" },
      ],
      separation: [{ id: "wall", classes: { a: ["source:erp"], b: "category:hr", c: "mail.*" }, atMost: 1, keep: "7d", reason: "a wall" }],
      limits: { blockedActions: ["crm.delete_*"], allowedDomains: ["api.example.com", "*.acme.example"] },
      budgets: { session: { calls: 200, usd: 5, executionMs: 1_000 } },
    },
  ],
];

const accepts = new Ajv2020({ strict: false }).compile(policySchema);

function problemsOf(raw: unknown) {
  const parsed = parsePolicy(raw, defaultLimits);
  return "problems" in parsed ? parsed.problems : [];
}

describe("parsePolicy", () => {
  it.each([...misshapen, ...meaningless])("refuses %s, with its place and the mend", (_about, raw, path, message) => {
    const problem = problemsOf(raw).find((each) => each.path === path);
    expect(problem?.message).toMatch(message);
    expect(problem?.message).not.toMatch(/\n|\.$|^[A-Z]/);
  });

  it.each(misshapen)("the published schema refuses %s too", (_about, raw) => {
    expect(accepts(raw)).toBe(false);
  });

  it.each(good)("reads %s, and so does the published schema", (_about, raw) => {
    expect(problemsOf(raw)).toEqual([]);
    expect(accepts(raw) || accepts.errors).toBe(true);
  });

  it("fills in defaults and turns money into micros", () => {
    const parsed = parsePolicy(good[1]?.[1], defaultLimits);
    expect("policy" in parsed && parsed.policy.budgets.session.costMicrosUsd).toBe(5_000_000);
    expect("policy" in parsed && parsed.policy.rules[0]).toEqual({
      id: "own-region",
      on: ["order.*"],
      when: "facts.order.region != principal.region",
      effect: "deny",
      waives: undefined,
      approvers: undefined,
      quorum: 1,
      confirm: undefined,
      reason: "other regions",
    });
  });

  it("reports all problems at once", () => {
    const paths = problemsOf({
      rolez: {},
      rules: [
        { ...rule, effect: "x" },
        { ...rule, id: "s", when: "args." },
      ],
    }).map((problem) => problem.path);
    expect(paths).toEqual(["/rolez", "/rules/0/effect", "/rules/1/when"]);
  });

  it("bounds the number of rules, the length of a condition and the nodes of its expression", () => {
    const few = { ...defaultLimits, rulesMax: 1, ruleCharsMax: 30, ruleCostMax: 5 };
    const messages = (raw: unknown) => {
      const parsed = parsePolicy(raw, few);
      return "problems" in parsed ? parsed.problems.map((problem) => problem.message).join("; ") : "";
    };
    expect(messages({ rules: [rule, { ...rule, id: "s" }] })).toMatch(/rulesMax/);
    expect(messages({ rules: [{ ...rule, when: "args.x == 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'" }] })).toMatch(/at most 30/);
    expect(messages({ rules: [{ ...rule, when: "1 == 1 && 2 == 2" }] })).toMatch(/ruleCostMax/);
  });

  it("answers nesting that no parser should follow", () => {
    const deep = `${"(".repeat(1_900)}1${")".repeat(1_900)} == 1`;
    expect(problemsOf({ rules: [{ ...rule, when: `${"!".repeat(3_900)}true` }] }).length).toBeLessThanOrEqual(1);
    expect(problemsOf({ rules: [{ ...rule, when: deep }] }).length).toBeLessThanOrEqual(1);
  });
});
