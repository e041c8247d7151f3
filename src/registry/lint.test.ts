import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { completeTool, type ToolParts } from "./complete.ts";
import { lintTool, tooManyTools, type LintRule } from "./lint.ts";

const good: ToolParts = {
  name: "order.refund",
  tier: "irreversible",
  description: "Refunds a paid order to the card that paid it.",
  whenToUse: "the user asks for money back",
  whenNotToUse: "the order is unpaid; cancel it with order.cancel",
  inputSchema: {
    type: "object",
    properties: {
      orderId: { type: "string", maxLength: 20, description: "id of the order, such as A-1042" },
      amount: { type: "number", exclusiveMinimum: 0, maximum: 5000, description: "EUR" },
    },
  },
  outputSchema: { type: "object" },
  argumentRoles: { "/orderId": "ref", "/amount": "amount" },
  idempotency: "key",
  ratePerMinute: 10,
  permission: "refunds",
  owner: "payments",
  source: "shop",
};

describe("lintTool", () => {
  it(verifies("REG-02", "gives nine points to a definition that says everything"), () => {
    expect(lintTool(completeTool(good))).toEqual({ score: 9, findings: [] });
  });

  it.each<readonly [LintRule, Partial<ToolParts>]>([
    ["single-duty", { name: "order.refund_or_cancel" }],
    [
      "single-duty",
      { inputSchema: { properties: { action: { enum: ["refund", "cancel"], description: "what to do" } } }, argumentRoles: {} },
    ],
    ["described", { description: "Refunds." }],
    ["described", { whenNotToUse: undefined }],
    ["described", { whenToUse: undefined }],
    ["typed-arguments", { inputSchema: { properties: { orderId: { description: "any" } } } }],
    ["typed-arguments", { inputSchema: { properties: { orderId: { type: "string", maxLength: 20 } } } }],
    ["typed-arguments", { inputSchema: { properties: { orderId: { type: "string", description: "id" } } } }],
    ["typed-arguments", { inputSchema: { properties: { amount: { type: "number", description: "EUR" } } } }],
    ["error-messages", { outputSchema: undefined }],
    ["idempotency", { idempotency: "none" }],
    ["timeout", { timeouts: { attemptMs: 30_000 } }],
    ["rate-limit", { ratePerMinute: undefined }],
    ["permission", { permission: undefined }],
    ["observability", { owner: undefined }],
    ["observability", { source: "local" }],
  ])("takes one point for `%s`, and says what to write: %j", (rule, change) => {
    const { score, findings } = lintTool(completeTool({ ...good, ...change } as ToolParts));
    expect(findings.map((finding) => finding.rule)).toEqual([rule]);
    expect(score).toBe(8);
    expect(findings[0]?.mend).not.toBe("");
  });
});

describe("tooManyTools", () => {
  it(verifies("REG-02", "warns above the bound only"), () => {
    expect(tooManyTools(20, 20)).toBeUndefined();
    expect(tooManyTools(21, 20)).toContain("21 tools");
  });
});
