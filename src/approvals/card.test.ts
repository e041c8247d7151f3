import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { approvalSummary, cleanForPeople } from "./card.ts";

function tool(changes: Partial<Tool> = {}): Tool {
  const parts: Partial<Tool> = {
    name: "order.refund",
    version: "1.0.0",
    title: undefined,
    description: "Refund a paid order. Not for cancelling an unpaid one.",
    argumentRoles: { "/to": "target", "/amount": "amount", "/token": "credential", "/items/*/sku": "ref" },
    ...changes,
  };
  return parts as Tool;
}

describe("approvalSummary", () => {
  it("says what will happen, consequential arguments first", () => {
    expect(approvalSummary(tool(), { note: "hello", amount: 20, to: "ada@acme.example" })).toBe(
      'Refund a paid order (order.refund@1.0.0): to "ada@acme.example", amount 20, note "hello"',
    );
  });

  it("opens nested arguments and finds their roles", () => {
    expect(approvalSummary(tool({ title: "Refund" }), { note: { text: "x" }, items: [{ sku: "a-1", count: 2 }], tags: ["p", "q"] })).toBe(
      'Refund (order.refund@1.0.0): items.0.sku "a-1", note.text "x", items.0.count 2, tags ["p","q"]',
    );
  });

  it("never shows a credential", () => {
    expect(approvalSummary(tool(), { token: "s3cret-value" })).not.toContain("s3cret");
  });

  it("keeps a value from imitating the words around it", () => {
    const line = approvalSummary(tool(), { to: 'ada@acme.example", amount 1 "', amount: 9_999 });
    expect(line).toContain('to "ada@acme.example\\", amount 1 \\""');
    expect(line).toContain("amount 9999");
  });

  it("counts what does not fit", () => {
    const args = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`argument${index}`, "x".repeat(30)]));
    const line = approvalSummary(tool(), args);
    expect(line).toMatch(/, and \d+ more arguments$/);
    expect(line.length).toBeLessThanOrEqual(300);
  });

  it("is one visible line of at most 300 characters whatever the arguments hold", () => {
    const text = fc.string({ unit: anyCodePoint, maxLength: 80 });
    fc.assert(
      fc.property(
        fc.dictionary(text, fc.oneof(text, fc.array(text), fc.double()), { noNullPrototype: true }),
        text,
        (args, description) => {
          const line = approvalSummary(tool({ description }), args as JsonObject);
          expect(line.length).toBeLessThanOrEqual(300);
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(line.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});

describe("cleanForPeople", () => {
  it.each([
    ["a\u202Eb\u2066c", "abc"],
    ["pay\u200Bpal", "paypal"],
    ["a\nb\r\n\tc", "a b c"],
    ["\u001b[31mred\u001b[0m", "red"],
    ["\u001b]8;;https://evil.test\u0007link\u001b]8;;\u0007", "link"],
    ["x\u{E0041}\u{E0042}y", "xy"],
    ["a\u2028b", "a b"],
    ["e\u0301\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301"],
    ["\ud800x", "\ufffdx"],
  ])("makes %j into %j", (text, expected) => {
    expect(cleanForPeople(text, 100)).toBe(expected);
  });

  it("cuts in the middle and states the length", () => {
    expect(cleanForPeople("a".repeat(50) + "z".repeat(50), 40)).toBe(`${"a".repeat(14)}…${"z".repeat(8)} (100 characters)`);
  });

  it("never exceeds its bound, not even by half a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCodePoint, maxLength: 200 }), fc.integer({ min: 1, max: 120 }), (text, charsMax) => {
        const clean = cleanForPeople(text, charsMax);
        expect(clean.length).toBeLessThanOrEqual(charsMax);
        expect(clean.isWellFormed()).toBe(true);
      }),
    );
  });
});
