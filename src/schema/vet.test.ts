import { describe, expect, it } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import { compileSchema } from "./compile.ts";
import { schemaProblems } from "./vet.ts";

function deep(levels: number): JsonObject {
  let schema: JsonObject = {};
  for (let level = 0; level < levels; level += 1) schema = { not: schema };
  return schema;
}

function doubling(levels: number): JsonObject {
  const definitions: Record<string, JsonObject> = { d0: { type: "string" } };
  for (let level = 1; level <= levels; level += 1)
    definitions[`d${level}`] = { anyOf: [{ $ref: `#/$defs/d${level - 1}` }, { $ref: `#/$defs/d${level - 1}` }] };
  return { $defs: definitions, $ref: `#/$defs/d${levels}` };
}

describe("schemas that are refused at registration", () => {
  it.each<readonly [string, JsonObject, RegExp]>([
    ["a remote reference", { $ref: "http://example.com/a.json" }, /points outside the schema/],
    ["a file reference", { properties: { a: { $ref: "file:///etc/passwd" } } }, /at `#\/properties\/a`: .* points outside/],
    ["a reference to nothing", { $ref: "#/$defs/none" }, /points to nothing/],
    ["a reference to itself", { $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, /would not end/],
    [
      "a circle of alternatives",
      { $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { allOf: [{ $ref: "#/$defs/a" }] } }, $ref: "#/$defs/a" },
      /would not end/,
    ],
    ["a dynamic circle", { $dynamicAnchor: "x", $dynamicRef: "#x" }, /would not end/],
    ["alternatives that multiply", doubling(20), /schemaStepsMax/],
    ["too many alternatives", { anyOf: Array.from({ length: 100_000 }, () => ({})) }, /schemaBranchesMax/],
    ["depth", deep(10_000), /schemaDepthMax/],
    ["size", { description: "x".repeat(defaultLimits.schemaBytesMax) }, /schemaBytesMax/],
    ["a long pattern", { pattern: "a".repeat(defaultLimits.patternCharsMax + 1) }, /patternCharsMax/],
    ["no pattern", { pattern: "(" }, /cannot be used/],
    ["a wrong keyword", { properties: { a: { type: "text", minLength: -1 } } }, /at `#\/properties\/a`: `type` must be one or more of/],
    ["a list of items in 2020-12", { items: [{}] }, /prefixItems/],
  ])("%s", (_name, schema, expected) => {
    expect(schemaProblems(schema).join("; ")).toMatch(expected);
    expect(() => compileSchema(schema, { isForeign: true, limits: defaultLimits })).toThrow(ToolCallError);
  });

  it("a pattern from outside that needs look-around, which our own code may have", () => {
    expect(schemaProblems({ pattern: "^(?=a)b" }, { isForeign: true })[0]).toMatch(/linear-time engine/);
    expect(schemaProblems({ pattern: "^(?=a)b" })).toEqual([]);
  });
});

describe("schemas that are taken", () => {
  it("may refer to themselves through the value", () => {
    expect(schemaProblems({ $defs: { n: { properties: { next: { $ref: "#/$defs/n" } } } }, $ref: "#/$defs/n" })).toEqual([]);
  });

  it("keep ids of different tools apart", () => {
    const first = compileSchema({ $id: "https://example.com/a", type: "string" }, { isForeign: true, limits: defaultLimits });
    const second = compileSchema({ $id: "https://example.com/a", type: "number" }, { isForeign: true, limits: defaultLimits });
    expect([first.accepts("a"), first.accepts(1), second.accepts("a"), second.accepts(1)]).toEqual([true, false, false, true]);
  });

  it("are compiled once for the same content, and apart for other options", () => {
    const options = { isForeign: false, limits: defaultLimits };
    expect(compileSchema({ type: "string", maxLength: 3 }, options)).toBe(compileSchema({ maxLength: 3, type: "string" }, options));
    expect(compileSchema({ type: "string", maxLength: 3 }, options)).not.toBe(
      compileSchema({ type: "string", maxLength: 3 }, { ...options, isForeign: true }),
    );
  });
});

describe("validation against a schema from outside", () => {
  const options = { isForeign: true, limits: defaultLimits };

  it("runs a pattern that explodes elsewhere in linear time, and refuses texts beyond the bound", () => {
    const schema = compileSchema({ type: "string", pattern: "^(a+)+$" }, options);
    expect(schema.accepts(`${"a".repeat(20_000)}!`)).toBe(false);
    expect(schema.accepts("a".repeat(100))).toBe(true);
    expect(schema.accepts("a".repeat(defaultLimits.patternSubjectCharsMax + 1))).toBe(false);
  });

  it("ends when alternatives multiply with the depth of the value", () => {
    const branch = { type: "object", properties: { a: { $ref: "#/$defs/d" } } };
    const schema = compileSchema({ $defs: { d: { anyOf: [branch, { ...branch, minProperties: 0 }] } }, $ref: "#/$defs/d" }, options);
    let value: unknown = 1;
    for (let depth = 0; depth < 31; depth += 1) value = { a: value };
    expect(schema.accepts(value)).toBe(false);
    expect(schema.check(value)?.[0]?.expected).toMatch(/within the bound/);
    expect(schema.accepts({ a: { a: {} } })).toBe(true);
  });
});

describe("lengths", () => {
  it("count code points, at and around the bound", () => {
    const schema = compileSchema({ minLength: 2, maxLength: 3 }, { isForeign: false, limits: defaultLimits });
    expect(["a", "😀", "ab", "😀😀", "😀😀😀", "abcd", "😀😀😀😀"].map((text) => schema.accepts(text))).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe("formats", () => {
  it.each([
    ["date", "2024-02-29", "2023-02-29"],
    ["date-time", "2026-03-31T14:30:00Z", "2026-03-31T25:30:00Z"],
    ["time", "14:30:00+02:00", "14:30"],
    ["email", "ada@example.com", "ada@@example.com"],
    ["uuid", "6f1f2c1e-5b1d-4a39-9f0e-3c1f6a7b8c9d", "6f1f2c1e"],
    ["uri", "https://example.com/a?b=c", "example.com/a"],
    ["ipv4", "192.0.2.1", "192.0.2.256"],
    ["ipv6", "2001:db8::1", "2001:db8::1::2"],
    ["hostname", "example.com", "-example.com"],
  ])("%s takes `%s` and refuses `%s`", (format, right, wrong) => {
    const schema = compileSchema({ format }, { isForeign: false, limits: defaultLimits });
    expect([schema.accepts(right), schema.accepts(wrong), schema.accepts(7)]).toEqual([true, false, true]);
  });
});
