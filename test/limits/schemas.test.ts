import { expect, test } from "vitest";
import { defaultLimits } from "../../src/base/limits.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { completeTool } from "../../src/registry/complete.ts";
import { compileSchema } from "../../src/schema/compile.ts";
import { createArgumentValidator } from "../../src/schema/validate.ts";
import { verifies } from "../verifies.ts";

const foreign = (limits: Partial<typeof defaultLimits>): { readonly isForeign: true; readonly limits: typeof defaultLimits } => ({
  isForeign: true,
  limits: { ...defaultLimits, ...limits },
});

test("a schema is compiled once while it is among the last of its limit", () => {
  const options = foreign({ schemasCompiledMax: 2 });
  const of = (text: string): ReturnType<typeof compileSchema> => compileSchema({ const: text }, options);
  const first = of("a");
  of("b");
  expect(of("a")).toBe(first);
  of("c");
  expect(of("a")).toBe(first);
  of("d");
  of("e");
  expect(of("a")).not.toBe(first);
});

test(verifies("SAFE-05", "one validation against a schema from outside tries as many alternatives as its limit, and then refuses"), () => {
  const branch = { type: "object", properties: { a: { $ref: "#/$defs/d" } } };
  const schema = { $defs: { d: { anyOf: [branch, { ...branch, minProperties: 0 }] } }, $ref: "#/$defs/d" };
  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
  const check = (depth: number, validationStepsMax: number): string | undefined =>
    compileSchema(schema, foreign({ validationStepsMax })).check(nested(depth))?.[0]?.expected;
  expect(check(4, 1_000)).not.toMatch(/within the bound/);
  expect(check(4, 10)).toMatch(/within the bound/);
  expect(check(30, 1_000)).toMatch(/within the bound/);
});

test("of arguments with more values than the limit only the first wrong one is named, of fewer every one", () => {
  const schema = { type: "object", properties: { list: { type: "array", items: { type: "string" } } } };
  const check = (count: number): number | undefined =>
    compileSchema(schema, foreign({ explainedValuesMax: 10 })).check({ list: Array.from({ length: count }, (_, index) => index) })?.length;
  expect(check(8)).toBe(8);
  expect(check(9)).toBe(1);
});

test("arguments are repaired in as many rounds as the limit", () => {
  const inputSchema = {
    type: "object",
    properties: { a: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
    required: ["a"],
  } satisfies JsonObject;
  const tool = completeTool({ name: "t.a", tier: "read", description: "Does.", inputSchema });
  const validate = (repairRoundsMax: number): string =>
    createArgumentValidator({ ...defaultLimits, repairRoundsMax })(tool, { a: '{"n":"5"}' }).kind;
  expect([validate(1), validate(2)]).toEqual(["invalid", "valid"]);
});

test(
  verifies(
    "SAFE-05",
    "a value that does not fit is explained within fewer steps than it is judged in, from so many errors, and never taken for lack of an explanation",
  ),
  () => {
    const branch = { type: "object", properties: { a: { $ref: "#/$defs/d" } }, additionalProperties: false };
    const inputSchema = {
      $defs: { d: { anyOf: [branch, { ...branch, minProperties: 0 }] } },
      type: "object",
      properties: { a: { $ref: "#/$defs/d" } },
    };
    const nested = (depth: number): JsonObject => (depth === 1 ? { a: 1 } : { a: nested(depth - 1) });
    const tool = completeTool({ name: "t.a", tier: "read", description: "Does.", inputSchema, isForeign: true });
    const validate = (limits: Partial<typeof defaultLimits>, depth: number): string | undefined => {
      const checked = createArgumentValidator({ ...defaultLimits, ...limits })(tool, nested(depth));
      return checked.kind === "valid" ? "taken" : checked.problems[0]?.path;
    };
    expect(validate({}, 5)).toBe("/a/a/a/a/a");
    expect(validate({ explanationStepsMax: 20 }, 5)).toBe("");
    expect(validate({ explainedErrorsMax: 1 }, 5)).toMatch(/^(\/a)?$/);
    for (let depth = 1; depth < 20; depth += 1) expect(validate({ explanationStepsMax: 50 }, depth)).not.toBe("taken");
  },
);
