import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole } from "../domain/tool.ts";
import { compileSchema } from "./compile.ts";
import { exactNumber } from "./numbers.ts";
import { validateArguments, type Validation } from "./validate.ts";

function check(
  schema: JsonObject,
  args: JsonObject,
  options: { readonly roles?: Record<string, ArgumentRole>; readonly repairs?: boolean; readonly isForeign?: boolean } = {},
): Validation {
  const inputSchema = compileSchema(schema, { isForeign: options.isForeign ?? false, limits: defaultLimits, isClosed: true });
  return validateArguments({ inputSchema, repairsArguments: options.repairs ?? true, argumentRoles: options.roles ?? {} }, args);
}

function problems(schema: JsonObject, args: JsonObject): readonly { path: string; expected: string; got?: string; hint?: string }[] {
  const checked = check(schema, args);
  return checked.kind === "invalid" ? checked.problems : [];
}

const order = {
  type: "object",
  properties: {
    orderId: { type: "string" },
    amount: { type: "number", exclusiveMinimum: 0 },
    currency: { enum: ["EUR", "USD", "GBP"] },
    lines: {
      type: "array",
      items: { type: "object", properties: { sku: { type: "string" }, count: { type: "integer" } }, required: ["sku"] },
    },
    notify: { type: "boolean" },
  },
  required: ["orderId"],
} satisfies JsonObject;

describe("arguments that fit", () => {
  it("come back as the very object, with no repair", () => {
    const args = { orderId: "7", amount: 5 };
    const checked = check(order, args);
    expect(checked).toEqual({ kind: "valid", value: args, repairs: [] });
    expect(checked.kind === "valid" && checked.value).toBe(args);
  });
});

describe("members that nobody declared", () => {
  it(verifies("CALL-15", "are refused at the root and in nested objects, with the nearest name"), () => {
    expect(problems(order, { orderId: "a", lines: [{ sku: "x", cuont: 1 }], ammount: 3 })).toEqual([
      { path: "/lines/0/cuont", got: "1", expected: "left out, no such argument is declared", hint: "nearest: `count`" },
      { path: "/ammount", got: "3", expected: "left out, no such argument is declared", hint: "nearest: `amount`" },
    ]);
  });

  it("are taken where the schema says what happens to them", () => {
    expect(check({ ...order, additionalProperties: true }, { orderId: "a", more: 1 }).kind).toBe("valid");
    expect(check({ ...order, additionalProperties: { type: "string" } }, { orderId: "a", more: 1 }).kind).toBe("invalid");
    expect(check({ ...order, patternProperties: { "^x-": {} } }, { orderId: "a", "x-more": 1 }).kind).toBe("valid");
    expect(check({ ...order, patternProperties: { "^x-": {} } }, { orderId: "a", "y-more": 1 }).kind).toBe("invalid");
    expect(check({ type: "object", properties: { free: { type: "object" } } }, { free: { any: 1 } }).kind).toBe("valid");
  });

  it("are refused by a tool without arguments", () => {
    expect(check({ type: "object" }, {}).kind).toBe("valid");
    expect(check({ type: "object" }, { a: 1 }).kind).toBe("invalid");
  });

  it("are told from members that another part of an `allOf` or a reference declares", () => {
    const schema = {
      $defs: { base: { properties: { a: { properties: { x: {} } } } } },
      allOf: [{ $ref: "#/$defs/base" }, { properties: { a: { properties: { y: {} } }, b: {} } }],
    };
    expect(check(schema, { a: { x: 1, y: 1 }, b: 1 }).kind).toBe("valid");
    expect(check(schema, { a: { x: 1, z: 1 } }).kind).toBe("invalid");
    expect(check(schema, { c: 1 }).kind).toBe("invalid");
  });

  it("are refused when only an alternative that was not taken declares them", () => {
    const schema = {
      oneOf: [
        { properties: { kind: { const: "card" }, number: {} }, required: ["kind"] },
        { properties: { kind: { const: "cash" }, till: {} }, required: ["kind"] },
      ],
    };
    expect(check(schema, { kind: "card", number: 1 }).kind).toBe("valid");
    expect(check(schema, { kind: "card", till: 1 }).kind).toBe("invalid");
  });

  it("are found at any depth of a schema that refers to itself", () => {
    const schema = { $defs: { node: { properties: { next: { $ref: "#/$defs/node" }, value: {} } } }, $ref: "#/$defs/node" };
    expect(check(schema, { next: { next: { value: 1 } } }).kind).toBe("valid");
    expect(problems(schema, { next: { next: { valeu: 1 } } })[0]).toMatchObject({ path: "/next/next/valeu", hint: "nearest: `value`" });
  });

  it("never pass a closed object, whatever they are called", () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (name, value) => {
        fc.pre(name !== "__proto__" && !Object.hasOwn(order.properties, name));
        expect(check(order, { orderId: "a", [name]: value as never }).kind).toBe("invalid");
      }),
    );
  });
});

describe("explanations", () => {
  it("name a missing field and the undeclared one that was meant", () => {
    expect(problems(order, { order_id: "a" })[0]).toEqual({
      path: "/orderId",
      expected: "given: a string",
      hint: "`order_id` is not an argument here; rename it to `orderId`",
    });
  });

  it(verifies("CALL-15", "give the bound, the listed values and the nearest of them"), () => {
    expect(problems(order, { orderId: "a", amount: 0, currency: "EURO" })).toEqual([
      { path: "/amount", got: "0", expected: "a number greater than 0" },
      { path: "/currency", got: '"EURO"', expected: "one of `EUR`, `USD`, `GBP`", hint: "nearest: `EUR`" },
    ]);
  });

  it("join alternatives of one place into one problem", () => {
    const schema = { properties: { a: { anyOf: [{ type: "string" }, { type: "integer" }, { type: "null" }] } } };
    expect(problems(schema, { a: [1] })).toEqual([{ path: "/a", got: "[1]", expected: "a string or a whole number or null" }]);
  });

  it("name the wrong field inside the alternative that was meant", () => {
    const schema = {
      properties: {
        pay: {
          oneOf: [
            { type: "object", properties: { kind: { const: "card" }, number: { type: "string" } }, required: ["kind", "number"] },
            { type: "object", properties: { kind: { const: "cash" }, till: { type: "integer" } }, required: ["kind", "till"] },
            { type: "string" },
          ],
        },
      },
    };
    expect(problems(schema, { pay: { kind: "cash", till: "seven" } })).toEqual([
      { path: "/pay/till", got: '"seven"', expected: "a whole number" },
    ]);
  });

  it("never quote more than 60 characters nor name more than `errorFieldsMax` fields, and stay on one line", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 40 }), (args) => {
        for (const { got, hint, expected, path } of problems(order, args as JsonObject)) {
          expect((got ?? "").length).toBeLessThanOrEqual(60);
          expect(`${path}${expected}${hint ?? ""}${got ?? ""}`).not.toMatch(/[\p{Cc}\p{Zl}]/u);
        }
      }),
    );
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`n${index}`, index]));
    expect(problems(order, many)).toHaveLength(defaultLimits.errorFieldsMax);
  });

  it("never quote a credential", () => {
    const schema = { properties: { password: { type: "string", maxLength: 3 } } };
    const checked = check(schema, { password: "hunter2" }, { roles: { "/password": "credential" } });
    expect(JSON.stringify(checked)).not.toContain("hunter2");
  });
});

describe("repairs", () => {
  const sent = { orderId: "a", amount: "5.50", currency: " eur", notify: "True", lines: '[{"sku":"x","count":"2"}]' };

  it("change how values are written, and are recorded", () => {
    const checked = check(order, sent);
    expect(checked).toMatchObject({
      kind: "valid",
      value: { orderId: "a", amount: 5.5, currency: "EUR", notify: true, lines: [{ sku: "x", count: 2 }] },
    });
    expect(checked.kind === "valid" && checked.repairs.map(({ path, kind }) => [path, kind])).toEqual([
      ["/amount", "number-from-text"],
      ["/currency", "listed-value"],
      ["/lines", "json-from-text"],
      ["/notify", "boolean-from-text"],
      ["/lines/0/count", "number-from-text"],
    ]);
  });

  it("are not made where the tool does not want them", () => {
    expect(check(order, sent, { repairs: false }).kind).toBe("invalid");
  });

  it("are all dropped when the whole does not fit afterwards, and the problems are those of what was sent", () => {
    const checked = check(order, { orderId: "a", amount: "5", currency: "CHF" });
    expect(checked.kind === "invalid" && checked.problems.map((problem) => problem.path)).toEqual(["/amount", "/currency"]);
  });

  it.each([
    ["text where a number is no number", { properties: { a: { type: "number" } } }, "abc"],
    ["a number that would lose leading zeros", { properties: { a: { type: "integer" } } }, "007"],
    ["digits beyond a double", { properties: { a: { type: "integer" } } }, "9007199254740993"],
    ["a number for text", { properties: { a: { type: "string" } } }, 7],
    ["a fraction for a whole number", { properties: { a: { type: "integer" } } }, "2.5"],
    ["one value for a list", { properties: { a: { type: "array", items: { type: "number" } } } }, 42],
    ["text for a boolean", { properties: { a: { type: "boolean" } } }, "yes"],
    ["JSON with a name twice", { properties: { a: { type: "object" } } }, '{"b":1,"b":2}'],
    ["JSON that reaches a prototype", { properties: { a: { type: "object" } } }, '{"__proto__":{"b":1}}'],
    ["JSON with a number that is not kept", { properties: { a: { type: "array" } } }, "[9007199254740993]"],
    ["a listed value written like two", { properties: { a: { enum: ["Mo", "MO"] } } }, "mo"],
    ["a value that two types could have", { properties: { a: { type: ["number", "boolean"], enum: [1, true] } } }, "yes"],
    ["null for what must be given", { properties: { a: { type: "string" } }, required: ["a"] }, null],
  ] as const)("are not made of %s", (_name, schema, a) => {
    expect(check(schema as unknown as JsonObject, { a }).kind).toBe("invalid");
  });

  it("leave out a null for what may be left out", () => {
    expect(check(order, { orderId: "a", amount: null })).toEqual({
      kind: "valid",
      value: { orderId: "a" },
      repairs: [{ path: "/amount", from: null, to: undefined, kind: "null-left-out" }],
    });
  });

  it("never touch credentials and commands, nor text that holds one", () => {
    const schema = { properties: { pin: { type: "integer" }, login: { type: "object", properties: { pin: { type: "integer" } } } } };
    const roles = { "/pin": "credential", "/login/pin": "command" } as const;
    expect(check(schema, { pin: "1" }).kind).toBe("valid");
    expect(check(schema, { pin: "1" }, { roles }).kind).toBe("invalid");
    expect(check(schema, { login: '{"pin":1}' }, { roles }).kind).toBe("invalid");
  });

  it("never change what was given, always fit, and never touch a value that fits", () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("5", "true", "eur", "[]", "{}", null));
    fc.assert(
      fc.property(
        fc.record({ orderId: value, amount: value, currency: value, notify: value, lines: value }, { requiredKeys: [] }),
        (args) => {
          const before = canonicalJson(args);
          const checked = check(order, args as JsonObject);
          expect(canonicalJson(args)).toBe(before);
          if (checked.kind === "invalid") return;
          expect(check(order, checked.value)).toEqual({ kind: "valid", value: checked.value, repairs: [] });
          if (check(order, args as JsonObject, { repairs: false }).kind === "valid") expect(checked.repairs).toEqual([]);
        },
      ),
    );
  });
});

describe("exactNumber", () => {
  it("gives back every double from its text, and nothing for text that says more", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        fc.pre(!Object.is(value, -0));
        const text = JSON.stringify(value);
        expect(exactNumber(text)).toBe(value);
      }),
    );
    expect(["5.0", "1e3", "-0.50", "0.1"].map(exactNumber)).toEqual([5, 1000, -0.5, 0.1]);
    for (const text of ["", " 5", "+5", "05", "0x10", "5.", ".5", "1e999", "0.1000000000000000055", "Infinity", "-0"])
      expect(exactNumber(text)).toBeUndefined();
  });
});
