import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { compileNative } from "./compile.ts";
import { compileCondition } from "./condition.ts";
import { conditionVariables, parseExpression, type Expression } from "./expression.ts";
import { libraryFor } from "./library.ts";
import { Failure, type Scope, type Value } from "./scope.ts";

const names = { variables: conditionVariables, factNames: ["order"] };

function expression(source: string): Expression {
  const parsed = parseExpression(source, names, defaultLimits);
  if ("problem" in parsed) throw new Error(`${source}: ${parsed.problem}`);
  return parsed;
}

function scope(args: Scope["args"] = {}, facts: Scope["facts"] = {}): Scope {
  return {
    args,
    principal: { user: "ada", tenant: "acme", roles: ["support"], region: "EU" },
    facts,
    tool: { name: "order.refund", version: "1.0.0", tier: "irreversible", source: "shop", sensitive: false },
    session: { id: "s1", attested: true },
    nowMs: 1_772_366_400_000, // 2026-03-01T12:00:00Z
  };
}

function holds(source: string, args: Scope["args"] = {}, facts: Scope["facts"] = {}): boolean | "broken" {
  const value = compileCondition(expression(source), defaultLimits)(scope(args, facts));
  return value instanceof Failure ? "broken" : value;
}

describe("condition", () => {
  it.each([
    ["args.amount <= 50", { amount: 50 }, true],
    ["args.amount <= 50", { amount: 50.01 }, false],
    ["args.amount <= 50.0", { amount: 50 }, true],
    ["args.amount == 3", { amount: 3 }, true],
    ["args.amount <= 50", { amount: "50" }, "broken"],
    ["args.amount <= 50", {}, "broken"],
    ["!has(args.amount) || args.amount <= 50", {}, true],
    ["has(args.amount) && args.amount <= 50", {}, false],
    ["args.missing == 1 || true", {}, true],
    ["true || args.missing == 1", {}, true],
    ["args.missing == 1 && false", {}, false],
    ["args.missing == 1 && true", {}, "broken"],
    ["args.amount", { amount: 1 }, "broken"],
    ["principal.region in ['EU', 'US']", {}, true],
    ["'support' in principal.roles", {}, true],
    ["args.to.lowerAscii().endsWith('@acme.example')", { to: "X@ACME.example" }, true],
    ["args.to.matches('^[a-z]+@acme[.]example$')", { to: "ada@acme.example" }, true],
    ["args.items.all(item, item.quantity < 10)", { items: [{ quantity: 3 }, { quantity: 9 }] }, true],
    ["args.items.exists(item, item.quantity > 10)", { items: [{ quantity: 3 }] }, false],
    ["money(args.amount) <= money('0.30')", { amount: 0.3 }, true],
    ["money(args.a) + money(args.b) == money('0.30')", { a: 0.1, b: 0.2 }, true],
    ["money(args.amount) <= money('50')", { amount: "50.000001" }, false],
    ["money(args.amount) <= money('50')", { amount: "5e1" }, "broken"],
    ["date(args.day) < now", { day: "2026-02-28" }, true],
    ["date(args.day) < now", { day: "2026-03-02" }, false],
    ["now.getHours() >= 8 && now.getHours() < 18", {}, true],
    ["facts.order.owner == principal.user", {}, "broken"],
    ["tool.tier == 'irreversible' && session.attested", {}, true],
    ["args.constructor == 'x'", { constructor: "x" }, true],
    ["has(args.toString)", {}, false],
    ["args.constructor.name == 'x'", {}, "broken"],
  ] as const)("%s with %j is %s", (source, args, expected) => {
    expect(holds(source, args as unknown as Scope["args"])).toBe(expected);
  });

  it(verifies("AUTH-03", "reads facts by name"), () => {
    expect(holds("facts.order.owner == principal.user", {}, { order: { owner: "ada" } })).toBe(true);
  });

  it("stops a loop over too many items or too many steps instead of running it", () => {
    const many = Array.from({ length: defaultLimits.ruleItemsMax + 1 }, () => 1);
    expect(holds("args.list.all(item, item == 1)", { list: many })).toBe("broken");
    const some = many.slice(0, Math.ceil(Math.sqrt(defaultLimits.ruleStepsMax)));
    expect(holds("args.list.all(a, args.list.all(b, b == a))", { list: some })).toBe("broken");
    expect(holds("args.list.all(item, item == 1)", { list: some })).toBe(true);
  });

  it("bounds the text that a pattern is matched against", () => {
    expect(holds("args.text.matches('a$')", { text: "a".repeat(defaultLimits.patternSubjectCharsMax + 1) })).toBe("broken");
    expect(holds("args.text.matches(args.pattern)", { text: "a".repeat(50_000), pattern: "(a+)+b" })).toBe(false);
  });

  it("means what the library means, on random expressions and arguments, errors included", () => {
    let nativeCount = 0;
    const check = fc.property(condition, argsOf, (source, args) => {
      const parsed = expression(source);
      const native = compileNative(parsed.root, defaultLimits);
      fc.pre(native !== undefined);
      nativeCount += 1;
      const subject = scope(args);
      const ours = outcome(native, subject);
      const theirs = outcome(libraryFor(defaultLimits).compile(source), subject);
      expect({ source, args, value: ours }).toEqual({ source, args, value: theirs });
    });
    fc.assert(check, { numRuns: 3_000 });
    expect(nativeCount).toBeGreaterThan(2_500);
  });

  it("compiles the common forms itself", () => {
    for (const source of [
      "args.amount <= 50.0",
      "has(args.a) && args.a.b != 'x'",
      "facts.order.region != principal.region",
      "args.to in ['a', 'b']",
    ])
      expect(compileNative(expression(source).root, defaultLimits), source).toBeDefined();
  });
});

function outcome(evaluate: (scope: Scope) => unknown, subject: Scope): unknown {
  const value = evaluate(subject);
  return value instanceof Failure
    ? "error"
    : typeof value === "object" && value !== null
      ? "object"
      : { type: typeof value, text: String(value) };
}

const leafValue: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(null, true, false, 0, 1, -1, 1.5, 2, 50, "", "a", "ab", "b", "ä𝄞"),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ maxLength: 3 }),
);
const anyValue: fc.Arbitrary<Value> = fc.oneof(
  { weight: 3, arbitrary: leafValue },
  fc.array(leafValue, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom("a", "b", "constructor"), leafValue, { maxKeys: 2, noNullPrototype: true }),
);
const argsOf = fc.dictionary(fc.constantFrom("a", "b", "c"), anyValue, { maxKeys: 3, noNullPrototype: true });

const { condition } = fc.letrec<{ condition: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(
      "args.a",
      "args.b",
      "args.c",
      "args.a.b",
      "args.c.a",
      "args.a[0]",
      "args.b[-1]",
      "args.c['a']",
      "principal.region",
      "principal.roles",
    ),
    fc.constantFrom(
      "1",
      "0",
      "-1",
      "50",
      "1.5",
      "'a'",
      "'ab'",
      "true",
      "false",
      "null",
      "['a', 1, null]",
      "[args.a, args.b]",
      "[]",
      "tool.tier",
    ),
    fc.constantFrom("size(args.a)", "args.b.size()", "args", "args.a.constructor"),
    tie("condition"),
  ),
  condition: fc.oneof(
    { depthSize: "small" },
    fc
      .tuple(tie("operand"), fc.constantFrom("==", "!=", "<", "<=", ">", ">=", "in"), tie("operand"))
      .map(([l, o, r]) => `(${l} ${o} ${r})`),
    fc.tuple(tie("condition"), fc.constantFrom("&&", "||"), tie("operand")).map(([l, o, r]) => `(${l} ${o} ${r})`),
    fc.tuple(tie("operand"), fc.constantFrom("&&", "||"), tie("condition")).map(([l, o, r]) => `(${l} ${o} ${r})`),
    tie("condition").map((inner) => `!${inner}`),
    fc.constantFrom("has(args.a)", "has(args.b.a)", "has(args.c.b)", "has(args.a.b.c)"),
    fc
      .tuple(
        fc.constantFrom("args.a", "args.b", "'ab'"),
        fc.constantFrom("startsWith", "endsWith", "contains"),
        fc.constantFrom("args.c", "'a'", "''"),
      )
      .map(([text, method, part]) => `${text}.${method}(${part})`),
    fc.constantFrom("args.a.matches('^a')", "args.b.matches('b|^$')"),
    fc.tuple(tie("condition"), tie("condition"), tie("condition")).map(([c, t, f]) => `(${c} ? ${t} : ${f})`),
  ),
}));
