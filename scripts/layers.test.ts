import { expect, test } from "vitest";
import { checkLayers, importsOf, levelsOf, type Layers } from "./layers.ts";

const layers: Layers = {
  layers: {
    base: [],
    domain: ["base"],
    store: ["base", "domain"],
    policy: ["base", "domain"],
    call: ["base", "domain", "store", "policy"],
  },
  roots: { "index.ts": ["*"] },
};

function found(path: string, text: string, declared: Layers = layers): readonly string[] {
  return checkLayers([{ path, text }], declared).map((problem) => `${problem.line} ${problem.found}`);
}

test("lets a folder import itself, what is declared below it, packages and Node", () => {
  expect(found("src/call/a.ts", `import "./b.ts";\nimport { x } from "../store/c.ts";\nimport "ajv";\nimport "node:fs";`)).toEqual([]);
  expect(found("src/index.ts", `export { x } from "./call/a.ts";`)).toEqual([]);
});

test.each([
  ["upwards", `import { x } from "../call/a.ts";`, "upwards"],
  ["sideways", `import type { X } from "../policy/a.ts";`, "may not import"],
  ["by re-export", `export * from "../policy/a.ts";`, "may not import"],
  ["by dynamic import", `await import("../policy/a.ts");`, "may not import"],
  ["by a type in place", `type X = import("../policy/a.ts").X;`, "may not import"],
  ["a test", `import "./a.test.ts";`, "it is a test"],
  ["out of src", `import "../../test/verifies.ts";`, "outside of src"],
  ["a root", `import { x } from "../index.ts";`, "roots"],
  ["an undeclared folder", `import "../new/a.ts";`, "not declared"],
])("refuses an import %s", (_name, text, objection) => {
  expect(found("src/store/a.ts", text)).toEqual([expect.stringContaining(objection)]);
});

test("refuses a folder and a root that are not declared", () => {
  expect(found("src/new/a.ts", "")).toEqual([expect.stringContaining("`new` is not declared")]);
  expect(found("src/other.ts", "")).toEqual([expect.stringContaining("`other.ts` is not declared")]);
});

test("a folder named like a member of every object is not declared by that", () => {
  expect(found("src/constructor/a.ts", "")).toHaveLength(1);
});

test("lets tests import what they like", () => {
  expect(found("src/base/a.test.ts", `import "../call/a.ts";`)).toEqual([]);
});

test("refuses a circle and an unknown folder in the declaration itself", () => {
  expect(found("src/index.ts", "", { layers: { a: ["b"], b: ["a"] }, roots: { "index.ts": ["*"] } })).toEqual([
    expect.stringContaining("circle"),
  ]);
  expect(found("src/index.ts", "", { layers: { a: ["ghost"] }, roots: { "index.ts": ["*"] } })).toEqual([expect.stringContaining("ghost")]);
});

test("orders folders by height", () => {
  expect(levelsOf(layers)).toEqual([["base"], ["domain"], ["store", "policy"], ["call"]]);
});

test("sees an import once, with its line", () => {
  expect(
    importsOf({ path: "src/a/a.ts", text: `// import "../x.ts"\nimport { y } from "../z/y.ts";` }).map((each) => each.specifier),
  ).toEqual(["../z/y.ts"]);
  expect(found("src/base/a.ts", `\n\nimport "../call/a.ts";`)).toEqual([expect.stringMatching(/^3 /)]);
});
