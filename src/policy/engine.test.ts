import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Decision } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import { tiers, type Tier, type Tool } from "../domain/tool.ts";
import { createPolicyEngine } from "./engine.ts";
import { testPrincipal, testTool } from "./policy.fixture.ts";
import { parsePolicy } from "./parse.ts";

interface Call {
  readonly tool?: Tool;
  readonly args?: JsonObject;
  readonly principal?: Principal;
  readonly facts?: Readonly<Record<string, Json>>;
}

function engineOf(raw: unknown) {
  const parsed = parsePolicy(raw, defaultLimits);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return createPolicyEngine(parsed.policy, { limits: defaultLimits });
}

function decide(raw: unknown, call: Call = {}): Decision {
  return engineOf(raw).decide(inputOf(call));
}

function inputOf({ tool = testTool(), args = {}, principal = testPrincipal(), facts = {} }: Call) {
  return { tool, args, principal, facts, session: { id: "s1", attested: true }, nowMs: 0 };
}

const all = { support: ["*"] };
const refund = testTool({ name: "order.refund", tier: "irreversible", source: "shop" });
const rulesOf = (decision: Decision): readonly string[] => decision.reasons.map((reason) => reason.rule);

describe("grants", () => {
  it(verifies("AUTH-02", "denies what no role grants, whatever the rules say"), () => {
    const rules = [{ id: "waive", on: "*", effect: "allow", waives: "tier" }];
    for (const roles of [{}, { support: [] }, { other: ["*"] }, { support: ["crm.orders"] }, { support: ["permission:crm"] }]) {
      expect(decide({ roles, rules })).toMatchObject({ effect: "deny", ask: undefined });
      expect(rulesOf(decide({ roles, rules }))).toEqual(["grant"]);
    }
  });

  it.each([
    ["crm.*", true],
    ["*", true],
    ["crm.orders.get", true],
    ["crm.orders.get@1", true],
    ["crm.orders.get@1.0.0", true],
    ["crm.orders.get@2", false],
    ["crm.orders.get@1.0.01", false],
    ["docs.*", false],
    ["*.ge", false],
    ["crm.*.g*t", true],
  ])("%s grants crm.orders.get@1.0.0: %s", (glob, isGranted) => {
    const engine = engineOf({ roles: { support: [glob] } });
    expect(engine.grants(["support"], testTool())).toBe(isGranted);
    expect(engine.grants(["other"], testTool())).toBe(false);
    expect(engine.decide(inputOf({})).effect).toBe(isGranted ? "allow" : "deny");
  });

  it(verifies("AUTH-02", "wants the tool's permission besides the tool"), () => {
    const tool = testTool({ permission: "orders:read" });
    const without = engineOf({ roles: { support: ["crm.*"] } });
    expect(without.grants(["support"], tool)).toBe(false);
    expect(rulesOf(without.decide(inputOf({ tool })))).toContain("permission");
    expect(without.denyAdvice(tool, testPrincipal())).toBe(
      'policy:\n  roles:\n    support:\n      - "crm.*"\n      - "permission:orders:read"\n',
    );
    const withIt = engineOf({ roles: { support: ["crm.*"], reader: ["permission:orders:read"] } });
    expect(withIt.grants(["support", "reader"], tool)).toBe(true);
    expect(withIt.denyAdvice(tool, testPrincipal({ roles: ["support", "reader"] }))).toBe("");
  });

  it("grants again exactly what its advice says", () => {
    const principal = testPrincipal({ roles: ["support", "reader"] });
    const tool = testTool({ permission: "p" });
    expect(engineOf({ roles: {} }).denyAdvice(tool, principal)).toContain("crm.orders.get");
    expect(engineOf({ roles: { support: ["crm.orders.get", "permission:p"] } }).grants(principal.roles, tool)).toBe(true);
  });

  it("does not take a role named like an object's own machinery for a known one", () => {
    for (const role of ["__proto__", "constructor", "toString"])
      expect(decide({ roles: all }, { principal: testPrincipal({ roles: [role] }) }).effect).toBe("deny");
  });
});

describe("tiers", () => {
  const waive = [{ id: "waive", on: "*", effect: "allow", waives: "tier" }];
  const self = [{ id: "self", on: "*", effect: "ask", confirm: "self" }];
  const lead = [{ id: "lead", on: "*", effect: "ask", approvers: ["lead"], quorum: 2 }];
  const table: readonly (readonly [Tier, boolean, string, readonly object[], string])[] = [
    ["read", false, "no rule", [], "run"],
    ["read", true, "no rule", [], "run"],
    ["reversible", false, "no rule", [], "run and notify"],
    ["reversible", true, "no rule", [], "confirmation by self"],
    ["irreversible", false, "no rule", [], "approval by approver"],
    ["irreversible", true, "no rule", [], "approval by approver"],
    ["privileged", false, "no rule", [], "approval by approver, fresh"],
    ["privileged", true, "no rule", [], "approval by approver, fresh"],
    ["read", false, "waived", waive, "run"],
    ["reversible", true, "waived", waive, "run and notify"],
    ["irreversible", false, "waived", waive, "run and notify"],
    ["irreversible", true, "waived", waive, "run and notify"],
    ["privileged", false, "waived", waive, "approval by approver, fresh"],
    ["read", false, "confirm self", self, "confirmation by self"],
    ["reversible", true, "confirm self", self, "confirmation by self"],
    ["irreversible", false, "confirm self", self, "confirmation by self"],
    ["privileged", false, "confirm self", self, "approval by approver, fresh"],
    ["read", false, "asks two leads", lead, "approval by 2 of lead"],
    ["reversible", true, "asks two leads", lead, "approval by 2 of lead"],
    ["irreversible", false, "asks two leads", [...lead, ...self], "approval by 2 of lead"],
    ["irreversible", false, "waived and asks two leads", [...waive, ...lead], "approval by 2 of lead"],
    ["privileged", false, "asks two leads", [...waive, ...lead], "approval by 2 of lead, fresh"],
  ];

  it.each(table)(verifies("AUTH-06", "%s, sensitive %s, %s %j: %s"), (tier, isSensitive, _about, rules, expected) => {
    expect(inWords(decide({ roles: all, rules }, { tool: testTool({ tier, isSensitive }) }))).toBe(expected);
  });

  it("asks only groups that every asking rule accepts, and denies where there is none", () => {
    const ask = (id: string, ...approvers: string[]) => ({ id, on: "*", effect: "ask", approvers });
    const shared = decide({ roles: all, rules: [ask("a", "x", "y"), ask("b", "y", "z")] });
    expect(shared.ask?.approvers).toEqual(["y"]);
    const none = decide({ roles: all, rules: [ask("a", "x"), ask("b", "z")] });
    expect(none).toMatchObject({ effect: "deny", ask: undefined });
  });

  it(verifies("AUTH-06", "lets no policy make a privileged call run, or ask less than a freshly authenticated approver"), () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 8 }), argsOf, fc.boolean(), (rules, args, isSensitive) => {
        const decision = decide({ roles: all, rules: numbered(rules) }, { tool: testTool({ tier: "privileged", isSensitive }), args });
        if (decision.effect === "deny") return;
        expect(decision.effect).toBe("ask");
        expect(decision.ask).toMatchObject({ gate: "approval", needsFreshAuthentication: true });
      }),
    );
  });
});

describe("rules", () => {
  it(verifies("AUTH-03", "combines roles, facts, limits of amounts and waivers as an operator would expect"), () => {
    const engine = engineOf({
      roles: { support: ["crm.*", "order.refund"] },
      facts: { order: { tool: "crm.orders.get", arguments: { id: "args.orderId" } } },
      rules: [
        { id: "own-region", on: "order.*", when: "facts.order.region != principal.region", effect: "deny" },
        { id: "small-refunds", on: "order.refund", when: "args.amount <= 50.0", effect: "allow", waives: "tier" },
      ],
    });
    const input = (amount: number, region: string) =>
      inputOf({ tool: refund, args: { orderId: "o1", amount }, facts: { order: { region } } });
    expect(engine.neededFacts(input(1, "EU"))).toEqual({
      kind: "facts",
      facts: [{ name: "order", tool: "crm.orders.get", arguments: { id: "o1" } }],
    });
    expect(engine.neededFacts(inputOf({}))).toEqual({ kind: "facts", facts: [] });
    expect(inWords(engine.decide(input(50, "EU")))).toBe("run and notify");
    expect(inWords(engine.decide(input(51, "EU")))).toBe("approval by approver");
    expect(inWords(engine.decide(input(50, "US")))).toBe("deny");
    expect(rulesOf(engine.decide(input(50, "US")))).toContain("own-region");
    const digest = engine.decide(input(50, "EU")).factDigests["order"];
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(engine.decide(input(50, "US")).factDigests["order"]).not.toBe(digest);
  });

  it("denies with the rule's id when a condition breaks, even beside a waiver", () => {
    const rules = [
      { id: "broken", on: "*", when: "args.missing == 1", effect: "ask" },
      { id: "waive", on: "*", effect: "allow", waives: "tier" },
    ];
    const decision = decide({ roles: all, rules }, { tool: refund });
    expect(decision.effect).toBe("deny");
    expect(rulesOf(decision)).toContain("error:broken");
  });

  it("denies when a fact that a rule needs is not there, and names the fact whose arguments cannot be worked out", () => {
    const policy = {
      roles: all,
      facts: { order: { tool: "crm.orders.get", arguments: { id: "args.orderId" } } },
      rules: [{ id: "owner", on: "*", when: "facts.order.owner != principal.user", effect: "deny" }],
    };
    expect(rulesOf(decide(policy))).toContain("error:owner");
    expect(engineOf(policy).neededFacts(inputOf({}))).toMatchObject({ kind: "error", rule: "fact:order" });
  });

  it("denies too many facts instead of looking them all up", () => {
    const names = Array.from({ length: defaultLimits.factsPerCallMax + 1 }, (_, index) => `f${index}`);
    const engine = engineOf({
      roles: all,
      facts: Object.fromEntries(names.map((name) => [name, { tool: "x" }])),
      rules: names.map((name) => ({ id: name, on: "*", when: `facts.${name} == 1`, effect: "deny" })),
    });
    expect(engine.neededFacts(inputOf({}))).toMatchObject({ kind: "error" });
  });

  it("never lets a user's attribute replace their name, tenant or roles", () => {
    const principal = testPrincipal({ attributes: { user: "root", roles: ["admin"] } });
    const rules = [{ id: "who", on: "*", when: "principal.user == 'root' || 'admin' in principal.roles", effect: "deny" }];
    expect(decide({ roles: all, rules }, { principal }).effect).toBe("allow");
  });

  it("never turns anything but an allow into an allow when a denial is added, and deny wins in any order", () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 6 }), anyRule, fc.nat(6), argsOf, anyTier, (rules, extra, at, args, tier) => {
        const call = { tool: testTool({ tier }), args };
        const before = decide({ roles: all, rules: numbered(rules) }, call);
        const denial = { on: extra.on, when: extra.when, effect: "deny" };
        const more = [...rules.slice(0, at), denial, ...rules.slice(at)];
        const after = decide({ roles: all, rules: numbered(more) }, call);
        expect(strength(after)).toBeGreaterThanOrEqual(strength(before));
        const backwards = decide({ roles: all, rules: numbered(more).reverse() }, call);
        expect(backwards.effect).toBe(after.effect);
        if (after.reasons.some((reason) => reason.effect === "deny")) expect(after.effect).toBe("deny");
      }),
    );
  });

  it("never lets an added question make a call run", () => {
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 6 }), anyRule, argsOf, anyTier, (rules, extra, args, tier) => {
        const call = { tool: testTool({ tier }), args };
        const before = decide({ roles: all, rules: numbered(rules) }, call);
        const after = decide({ roles: all, rules: numbered([...rules, { on: extra.on, when: extra.when, effect: "ask" }]) }, call);
        expect(strength(after)).toBeGreaterThanOrEqual(strength(before));
      }),
    );
  });

  it("decides a tool by its own rules only", () => {
    const rules = [
      { id: "a", on: "order.*", effect: "deny" },
      { id: "b", on: ["crm.orders.get@2", "crm.orders.list"], effect: "deny" },
      { id: "c", on: ["x.*", "crm.orders.get@1"], effect: "ask" },
    ];
    expect(rulesOf(decide({ roles: all, rules }))).toEqual(["grant", "c", "tier:read"]);
  });
});

describe("limits", () => {
  const fetchTool = testTool({ name: "web.fetch", isEgress: true, argumentRoles: { "/target": "target" } });
  const domains = { roles: all, limits: { allowedDomains: ["api.example.com", "*.acme.example"] } };

  it(verifies("AUTH-10", "denies a blocked action to everybody"), () => {
    const decision = decide({ roles: all, limits: { blockedActions: ["crm.*"] } });
    expect(decision.effect).toBe("deny");
    expect(rulesOf(decision)).toContain("limits:blocked");
  });

  it.each([
    [{ url: "https://api.example.com/x" }, "allow"],
    [{ url: "https://API.example.com./x" }, "allow"],
    [{ url: "https://a.b.acme.example" }, "allow"],
    [{ url: "https://acme.example" }, "deny"],
    [{ url: "https://badacme.example" }, "deny"],
    [{ url: "https://api.example.com@evil.test/" }, "deny"],
    [{ url: "https://evil.test#https://api.example.com" }, "deny"],
    [{ url: "https:\\\\evil.test" }, "deny"],
    [{ url: "https:evil.test" }, "deny"],
    [{ url: "ht\ntps://evil.test" }, "deny"],
    [{ any: "see https:/\n/evil.test" }, "deny"],
    [{ any: "https://evil.test\n.acme.example" }, "deny"],
    [{ url: "//evil.test/x" }, "deny"],
    [{ url: "evil.test/x" }, "deny"],
    [{ callbackUrl: "evil.test" }, "deny"],
    [{ target: "evil.test" }, "deny"],
    [{ nested: [{ any: "see https://evil.test now" }] }, "deny"],
    [{ url: "file:///etc/passwd" }, "deny"],
    [{ url: "http://127.1/" }, "deny"],
    [{ note: "note: buy 1.5 litres of milk" }, "allow"],
    [{ query: "cheap flights" }, "allow"],
  ])("egress with %j: %s", (args, effect) => {
    expect(decide(domains, { tool: fetchTool, args }).effect).toBe(effect);
    expect(decide(domains, { tool: testTool(), args }).effect).toBe("allow");
  });

  it("lets a read out where no domains are named, but says so and tells its owner", () => {
    const decision = decide({ roles: all }, { tool: fetchTool, args: { url: "https://evil.test" } });
    expect(decision).toMatchObject({ effect: "allow", notify: true });
    expect(rulesOf(decision)).toContain("egress:unlimited");
  });
});

describe("version", () => {
  it("follows the content and nothing else", () => {
    const version = (raw: unknown) => engineOf(raw).version;
    expect(version({ roles: { a: ["x"], b: ["y"] } })).toBe(version({ roles: { b: ["y"], a: ["x"] }, rules: [] }));
    expect(version({ roles: { a: ["x"] } })).not.toBe(version({ roles: { a: ["y"] } }));
    expect(decide({ roles: all }).policyVersion).toBe(version({ roles: all }));
  });
});

function inWords(decision: Decision): string {
  if (decision.effect === "deny") return "deny";
  if (decision.ask === undefined) return decision.notify ? "run and notify" : "run";
  const { gate, approvers, quorum, needsFreshAuthentication } = decision.ask;
  return `${gate} by ${quorum > 1 ? `${quorum} of ` : ""}${approvers.join(", ")}${needsFreshAuthentication ? ", fresh" : ""}`;
}

function strength(decision: Decision): number {
  return ["allow", "ask", "deny"].indexOf(decision.effect);
}

function numbered(rules: readonly object[]): object[] {
  return rules.map((rule, index) => ({ id: `r${index}`, ...rule }));
}

const anyTier = fc.constantFrom(...tiers);
const argsOf = fc.record({ amount: fc.integer({ min: 0, max: 5 }) }, { requiredKeys: [] });
const anyRule = fc
  .record({
    on: fc.constantFrom("*", "crm.*", "crm.orders.get", "docs.*"),
    when: fc.constantFrom("true", "args.amount > 2", "args.amount == 1", "!has(args.amount)", "principal.region == 'EU'", "args.amount"),
    part: fc.constantFrom(
      { effect: "allow", waives: "tier" },
      { effect: "ask" },
      { effect: "ask", confirm: "self" },
      { effect: "ask", approvers: ["lead"], quorum: 2 },
      { effect: "ask", approvers: ["owner", "lead"] },
      { effect: "ask", approvers: { all: ["lead", "owner"] } },
      { effect: "deny" },
    ),
  })
  .map(({ on, when, part }) => ({ on, when, ...part }));
