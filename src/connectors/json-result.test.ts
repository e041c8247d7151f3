import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../base/canonical-json.ts";
import { defaultLimits } from "../base/limits.ts";
import { toolOf } from "../resilience/resilience.fixture.ts";
import { watched } from "./connectors.fixture.ts";
import { functionConnector } from "./function.ts";
import { toJson } from "./json-result.ts";

function problemOf(value: unknown): string {
  const form = toJson(value);
  return form.kind === "problem" ? form.problem : "(it is JSON)";
}

describe("a returned value", () => {
  it("that is JSON is handed on as it is (property)", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const form = toJson(value);
        expect(form.kind === "value" && Object.is(form.value, value)).toBe(true);
      }),
    );
  });

  it("becomes what JSON.stringify would make of it, wherever it is accepted (property)", () => {
    const anything = fc.anything({
      withDate: true,
      withBigInt: true,
      withMap: true,
      withSparseArray: true,
      withNullPrototype: true,
      maxDepth: 4,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const form = toJson(value);
        if (form.kind === "problem") return;
        expect(JSON.parse(canonicalJson(form.value))).toEqual(JSON.parse(JSON.stringify(value ?? null)));
      }),
      { numRuns: 500 },
    );
  });

  it("has dates as text, nothing as null, and leaves undefined members out without touching the original", () => {
    const original = { at: new Date(0), gone: undefined, list: [undefined, { x: undefined, y: 1 }], ["__proto__x"]: 1 };
    const form = toJson(original);
    expect(form).toEqual({ kind: "value", value: { at: "1970-01-01T00:00:00.000Z", list: [null, { y: 1 }], __proto__x: 1 } });
    expect(Object.keys((form as { value: object }).value)).not.toContain("gone");
    expect(original.at).toBeInstanceOf(Date);
    expect(toJson(undefined)).toEqual({ kind: "value", value: null });
  });

  it("that is no JSON is refused with the place and what would be right", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    let wide: unknown = 1;
    for (let level = 0; level < 60; level += 1) wide = [wide, wide];
    expect(problemOf({ a: [1, 2n] })).toBe("`/a/1` is a BigInt; return a string or a number");
    expect(problemOf({ "a/b": () => 1 })).toBe("`/a~1b` is a function; leave it out");
    expect(problemOf(Symbol("x"))).toBe("the value is a symbol; leave it out");
    expect(problemOf({ x: Number.NaN })).toMatch(/`\/x` is `NaN`/);
    expect(problemOf({ m: new Map() })).toMatch(/Map or Set; return a plain object/);
    expect(problemOf({ b: Buffer.from("x") })).toMatch(/base64/);
    expect(problemOf({ p: Promise.resolve() })).toMatch(/await it/);
    expect(problemOf(cycle)).toMatch(/refers to itself/);
    expect(problemOf(wide)).toMatch(new RegExp(`more than ${defaultLimits.resultNodesMax} values`));
  });

  it("is accepted up to its depth limit and not one level deeper", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(problemOf(nested(defaultLimits.resultDepthMax))).toBe("(it is JSON)");
    expect(problemOf(nested(defaultLimits.resultDepthMax + 1))).toMatch(/deeper than/);
  });

  it("fails the call of a write as applied, since the handler has acted", async () => {
    const connector = functionConnector(() => 1n);
    expect(await connector.execute({}, watched().execution)).toMatchObject({ failure: { code: "RESULT_INVALID", effect: "applied" } });
    const read = watched({ tool: toolOf({ tier: "read" }) });
    expect(await connector.execute({}, read.execution)).toMatchObject({ failure: { code: "RESULT_INVALID", effect: "none" } });
  });
});
