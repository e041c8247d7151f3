import { tool } from "../src/registry/define.ts";
import type { SignalboxOptions } from "../src/call/box/options.ts";
import { canonicalJson } from "../src/base/canonical-json.ts";
import { sha256Hex } from "../src/base/hash.ts";
import type { Json } from "../src/domain/json.ts";
import type { RegisteredTool, Tier } from "../src/domain/tool.ts";

/**
 * The standard call of the performance budget: 1 KB of arguments with 8 properties as text from a model, a result of 0.9 KB, 20 rules that all
 * concern the called tool, labels on. Changing anything here changes `dataHash`, and figures of before can no longer be compared.
 */
const reason = "The item arrived damaged and the customer asked for a refund of the order. ".repeat(9);

/** Arguments of the call with this number; no two numbers give the same. */
export function argumentsText(index: number): string {
  const digits = String(index).padStart(8, "0");
  return `{"customerId":"cus_${digits}","orderId":"A-${digits}","amount":${12.5 + (index % 40)},"currency":"EUR","reason":"${reason}","items":[{"sku":"A-1","quantity":1},{"sku":"B-22","quantity":3}],"tags":["refund","customer","eu"],"note":"${note}"}`;
}

const note = "checked by the warehouse; the parcel was photographed on arrival, see the ticket of the carrier for details";

/** What the tool answers. */
export const result: Json = {
  status: "ok",
  orderId: "ord_1",
  lines: Array.from({ length: 8 }, (_, index) => ({ sku: `A-${index}`, note: "refund line item processed by warehouse; ".repeat(2) })),
};

const inputSchema = {
  type: "object",
  additionalProperties: false,
  required: ["customerId", "orderId", "amount", "currency", "items"],
  properties: {
    customerId: { type: "string", pattern: "^cus_[0-9]{8}$" },
    orderId: { type: "string" },
    amount: { type: "number", exclusiveMinimum: 0, maximum: 10_000 },
    currency: { enum: ["EUR", "USD", "GBP"] },
    reason: { type: "string" },
    items: {
      type: "array",
      maxItems: 50,
      items: {
        type: "object",
        additionalProperties: false,
        required: ["sku", "quantity"],
        properties: { sku: { type: "string" }, quantity: { type: "integer", minimum: 1 } },
      },
    },
    tags: { type: "array", items: { type: "string" } },
    note: { type: "string" },
  },
} as const;

const outputSchema = {
  type: "object",
  required: ["status", "orderId"],
  properties: {
    status: { enum: ["ok", "failed"] },
    orderId: { type: "string" },
    lines: { type: "array", items: { type: "object", properties: { sku: { type: "string" }, note: { type: "string" } } } },
  },
} as const;

const conditions = [
  "args.amount > 5000.0",
  "args.currency == 'XXX'",
  "principal.region == 'US' && args.amount > 100.0",
  "args.customerId.startsWith('test_')",
  "size(args.items) > 40",
  "has(args.note) && args.note.contains('forbidden')",
  "'blocked' in args.tags",
  "args.orderId.endsWith('-void') || args.amount < 0.0",
];

/** The 20 rules: every one is heard for the called tool, none refuses the standard call; the last waives the question of an irreversible tier. */
export const rules: readonly Json[] = [
  ...Array.from({ length: 19 }, (_, index) => ({
    id: `rule-${index}`,
    on: index % 2 === 0 ? "order.*" : "order.refund",
    when: conditions[index % conditions.length] as string,
    effect: "deny",
  })),
  { id: "small-refunds", on: "order.refund", when: "args.amount <= 100.0", effect: "allow", waives: "tier" },
];

/** Names the data of this file, so that figures of two runs can be compared. */
export const dataHash = sha256Hex(canonicalJson([argumentsText(1), result, rules, inputSchema, outputSchema] as unknown as Json)).slice(
  0,
  16,
);

const issued = { integrity: "trusted" } as const;

/** The called tool, of a tier; `run` says what answers. */
export function standardTool(tier: Tier, run: () => unknown = () => result): RegisteredTool {
  return tool({
    name: "order.refund",
    tier,
    idempotency: tier === "read" ? "natural" : "key",
    description: "Refund a paid order. Not for cancelling an unpaid one.",
    input: inputSchema,
    output: outputSchema,
    // As its owner would: what arguments mean, and that what the shop's own system issues is trusted, while what people wrote in it is not.
    arguments: {
      customerId: "ref",
      orderId: "ref",
      amount: "amount",
      reason: "content",
      note: "content",
      "/items/*/sku": "ref",
      "/tags/*": "content",
    },
    outputLabels: { "/status": issued, "/orderId": issued, "/lines/*/sku": issued },
    run,
  });
}

/** Nineteen others, so that the model is shown as many tools as the default allows in one request. */
export function otherTools(): readonly RegisteredTool[] {
  return Array.from({ length: 19 }, (_, index) =>
    tool({
      name: `order.other_${index}`,
      tier: "read",
      description: `Look at part ${index} of an order. Not for changing it.`,
      input: { type: "object", properties: { orderId: { type: "string" } }, additionalProperties: false },
      run: () => null,
    }),
  );
}

const plenty = 2_000_000_000;

/** Options of a box that answers the standard call; its budgets are wide, so that only their cost counts. */
export function standardOptions(called: RegisteredTool): SignalboxOptions {
  return {
    tools: [called, ...otherTools()],
    policy: { roles: { support: ["order.*"] }, rules, budgets: { session: { calls: plenty, usd: 2_000 } } },
    limits: { rateCallsPerMinute: plenty, rateBurstCalls: plenty, sessionCallsMax: plenty, sessionExecutionMsMax: plenty },
  };
}

/** Who calls. */
export const caller = { tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "EU" } } as const;

/** A model's message with one call, in the form `openai-chat`. */
export function modelMessage(index: number): unknown {
  return {
    role: "assistant",
    content: null,
    tool_calls: [{ id: `call_${index}`, type: "function", function: { name: "order_refund", arguments: argumentsText(index) } }],
  };
}

/** Stops the benchmark when an answer is not the result: a refusal is fast, and its time means nothing. */
export function expectResult(answers: readonly { readonly [key: string]: unknown }[]): void {
  const content = answers[0]?.["content"];
  if (typeof content !== "string" || !content.startsWith('{"result":{'))
    throw new Error(`not the result: ${String(content).slice(0, 300)}`);
}
