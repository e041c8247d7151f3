import { expect, test } from "vitest";
import { privateBounds } from "./private-bounds.ts";

function found(text: string, path = "src/policy/sample.ts"): readonly string[] {
  return privateBounds({ path, text }).map((problem) => problem.found);
}

test.each([
  "const racesMax = 20;",
  "export const racesMax = 4 * 5;",
  "function a() { let racesMax = 2 ** 4; }",
  "class A { readonly #racesMax = 20; }",
  "function a(racesMax = 20) {}",
  "function a({ racesMax = 20 }) {}",
  "const a = { racesMax: 20 as number };",
  "const [one, racesMax] = [1, 20];",
])("a module does not give itself a bound: %s", (text) => {
  expect(found(text)).toEqual(["`racesMax` is a bound of this file's own"]);
});

test.each(["valuesMin", "pauseMs", "nameChars", "poolBytes", "pageRows", "lastEntries", "stepCalls", "limit", "max"])(
  "knows `%s` for a bound",
  (name) => {
    expect(found(`const ${name} = 20;`)).toHaveLength(1);
  },
);

test("leaves alone what bounds nothing: beginnings, shares, other names, values that are worked out, units of time, examples", () => {
  expect(found("let waitedMs = 0; const otherMs = 1; const nearlyMin = 0.7; const slots = 64; const hourMs = 3_600_000;")).toEqual([]);
  expect(found("const waitMs = limits.waitMs * 2; const racesMax = fixedBounds.racesMax;")).toEqual([]);
  expect(found("const route = { example: { expiresInMs: 600_000 } };")).toEqual([]);
});

test("leaves alone what stands below its source, and only that", () => {
  expect(found("/** @see RFC 8032. */\nconst keyBytes = 32;\nconst tagBytes = 16;")).toEqual(["`tagBytes` is a bound of this file's own"]);
  expect(found("/** @see the APIs. */\nconst forms = {\n  one: { charsMax: 64 },\n};")).toEqual([]);
  expect(found("// no source\nconst keyBytes = 32;")).toHaveLength(1);
});

test("the tables, tests and what is not part of the product are free", () => {
  for (const path of ["src/base/limits.ts", "src/base/fixed-bounds.ts", "src/policy/a.test.ts", "scripts/check.ts", "bench/bench.ts"])
    expect(found("const racesMax = 20;", path)).toEqual([]);
});

test("says where a bound belongs", () => {
  const [problem] = privateBounds({ path: "src/policy/sample.ts", text: "\nconst racesMax = 20;" });
  expect(problem).toMatchObject({ line: 2, mend: expect.stringContaining("src/base/fixed-bounds.ts") as string });
});
