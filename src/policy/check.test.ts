import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { checkPolicy } from "./check.ts";
import { createPolicyEngine } from "./engine.ts";
import { explainDecision } from "./explain.ts";
import { testPrincipal, testTool } from "./policy.fixture.ts";
import { parsePolicy } from "./parse.ts";
import { parseTestTable, runTestTable } from "./test-table.ts";

const inputSchema: JsonObject = {
  type: "object",
  required: ["orderId", "amount"],
  properties: {
    orderId: { type: "string" },
    amount: { type: "number" },
    note: { type: "string" },
    speed: { enum: ["slow", "fast"] },
    items: { type: "array", items: { $ref: "#/$defs/item" } },
    address: { type: "object", properties: { city: { type: "string" } } },
    free: { type: "object", additionalProperties: true },
    defaulted: { type: "number", default: 1 },
  },
  $defs: { item: { type: "object", required: ["sku"], properties: { sku: { type: "string" } } } },
};
const refund = testTool({ name: "order.refund", tier: "irreversible", inputSchema, permission: "refund" });
const lookup = testTool({ name: "crm.orders.get", inputSchema: { type: "object", properties: { id: { type: "string" } } } });
const wipe = testTool({ name: "disk.wipe", tier: "privileged" });
const tools = [refund, lookup, wipe];

function policyOf(raw: unknown) {
  const parsed = parsePolicy(raw, defaultLimits);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

function findings(raw: unknown): readonly string[] {
  return checkPolicy(policyOf(raw), tools, defaultLimits).map((problem) => `${problem.path}: ${problem.message}`);
}

const on = (when: string) => findings({ rules: [{ id: "r", on: "order.refund", when, effect: "deny" }] });

describe("checkPolicy", () => {
  it.each([
    ["args.amuont > 1", /no argument `amuont` \(nearest: `amount`\)/],
    ["args.note == 'x'", /optional.*has\(args.note\)/],
    ["args.note == 'x' || has(args.note)", /optional/],
    ["args.address.city == 'x'", /`args.address` is optional/],
    ["has(args.address) && args.address.city == 'x'", /`args.address.city` is optional/],
    ["args.amount + 1 > 2.0", /mixes a JSON number with a whole number.*`1.0`/],
    ["args.amount % 2 == 0", /whole numbers/],
    ["args.amount > '5'", /compares double with string, which breaks/],
    ["args.amount == '5'", /never equal/],
    ["has(args.speed) && args.speed == 'fats'", /never `fats` \(nearest: `fast`\)/],
    ["false", /never holds/],
  ])("finds what is wrong with %s", (when, message) => {
    expect(on(when).join("\n")).toMatch(message);
  });

  it.each([
    "args.amount > 1",
    "args.amount + 1.0 > 2.0",
    "has(args.note) && args.note == 'x'",
    "args.note == 'x' && has(args.note)",
    "!has(args.note) || args.note == 'x'",
    "has(args.note) ? args.note == 'x' : false",
    "has(args.address) && has(args.address.city) && args.address.city == 'x'",
    "has(args.items) && args.items[0].sku == 'x'",
    "has(args.free) && args.free.anything == 1",
    "args.defaulted > 1",
    "has(args.speed) && args.speed == 'fast'",
    "principal.region == 'EU' && size(args.orderId) > 3",
  ])("has nothing to say of %s", (when) => {
    expect(on(when)).toEqual([]);
  });

  it(verifies("AUTH-12", "finds names that lead nowhere and rules that change nothing"), () => {
    const found = findings({
      roles: { a: ["order.refnd", "permission:refnd"], b: [] },
      facts: { order: { tool: "disk.wipe" }, other: { tool: "crm.orders.get", arguments: { idd: "args.orderId" } } },
      limits: { blockedActions: ["nothing.*"] },
      rules: [
        { id: "w", on: "disk.*", effect: "allow", waives: "tier" },
        { id: "n", on: "crm.*", effect: "allow", waives: "tier" },
        { id: "t", on: "crm.order.get", effect: "deny" },
        { id: "c", on: "disk.*", effect: "ask", confirm: "self" },
      ],
    }).join("\n");
    expect(found).toMatch(/\/roles\/a\/0: .*nearest: `order.refund`/);
    expect(found).toMatch(/\/roles\/a\/1: no tool requires.*nearest: `permission:refund`/);
    expect(found).toMatch(/\/roles\/b: .*grants nothing/);
    expect(found).toMatch(/\/facts\/order\/tool: .*privileged; a fact is looked up by a read/);
    expect(found).toMatch(/\/facts\/other\/arguments\/idd: .*nearest: `id`/);
    expect(found).toMatch(/\/facts\/other: no rule uses/);
    expect(found).toMatch(/\/limits\/blockedActions\/0/);
    expect(found).toMatch(/\/rules\/0\/waives: a privileged call always asks/);
    expect(found).toMatch(/\/rules\/1\/waives: .*nothing to waive/);
    expect(found).toMatch(/\/rules\/2\/on\/0: .*nearest: `crm.orders.get`/);
    expect(found).toMatch(/\/rules\/3\/confirm/);
  });
});

describe("test tables", () => {
  const policy = policyOf({
    roles: { support: ["order.refund", "permission:refund"] },
    rules: [{ id: "small", on: "order.refund", when: "args.amount <= 50.0", effect: "allow", waives: "tier" }],
  });
  const engine = createPolicyEngine(policy, { limits: defaultLimits });

  it(verifies("AUTH-12", "says which rows differ and why"), () => {
    const table = parseTestTable({
      cases: [
        { name: "small", roles: "support", tool: "order.refund", args: { amount: 50 }, expect: "allow", rule: "small" },
        { name: "large", roles: ["support"], tool: "order.refund@1.0.0", args: { amount: 51 }, expect: "allow" },
        { name: "nobody", tool: "order.refund", expect: "deny", rule: "small" },
        { name: "typo", tool: "order.refnd", expect: "deny" },
      ],
    });
    if ("problems" in table) throw new Error(JSON.stringify(table.problems));
    const results = runTestTable(engine, tools, table.cases);
    expect(results.map((result) => [result.name, result.isPassed, result.message])).toEqual([
      ["small", true, ""],
      ["large", false, "expected `allow`, got `ask` because of `grant`, `tier:irreversible`"],
      ["nobody", false, "`small` is not among the reasons `grant`"],
      ["typo", false, "no tool named `order.refnd` (nearest: `order.refund`)"],
    ]);
  });

  it("reports every malformed row", () => {
    const table = parseTestTable([
      { tool: "x", expect: "perhaps" },
      { expect: "deny", argz: {} },
      { tool: "x", expect: "deny", now: "noon" },
    ]);
    expect("problems" in table && table.problems.map((problem) => problem.path)).toEqual(["/0/expect", "/1/argz", "/1/tool", "/2/now"]);
  });

  it("explains a decision in words, strongest reason first", () => {
    const decision = engine.decide({
      tool: refund,
      args: { amount: 51 },
      principal: testPrincipal(),
      session: { id: "s", attested: true },
      facts: {},
      nowMs: 0,
    });
    expect(explainDecision(decision)).toBe(
      [
        "asked one person of `approver` to approve",
        "  ask   tier:irreversible: an irreversible call wants a person's answer",
        "  allow grant: role `support` grants `order.refund`",
        `  policy ${engine.version.slice(0, 12)}`,
      ].join("\n"),
    );
    const ask = {
      gate: "approval",
      approvers: ["finance", "security"],
      quorum: 2,
      isOfEach: true,
      needsFreshAuthentication: false,
    } as const;
    expect(explainDecision({ ...decision, ask }).split("\n")[0]).toBe(
      "asked 2 people of `finance`, `security`, at least one of each, to approve",
    );
  });
});
