import { expect, test } from "vitest";
import { checkCircles } from "./circles.ts";

function found(files: Readonly<Record<string, string>>): readonly string[] {
  return checkCircles(Object.entries(files).map(([path, text]) => ({ path, text }))).map(
    ({ file, line, found: what }) => `${file}:${line} ${what}`,
  );
}

test("a ring of files is told once, at the import that closes it, with the way round, types included", () => {
  const ring = {
    "src/call/a.ts": `import { b } from "./b.ts";`,
    "src/call/b.ts": `import "ajv";\nimport type { C } from "../store/c.ts";`,
    "src/store/c.ts": `export type { A } from "../call/a.ts";`,
  };
  expect(found(ring)).toEqual(["src/store/c.ts:1 closes a circle: src/call/a.ts -> src/call/b.ts -> src/store/c.ts -> src/call/a.ts"]);
});

test("a file that imports itself is a ring", () => {
  expect(found({ "src/a.ts": `import { x } from "./a.ts";` })).toEqual(["src/a.ts:1 closes a circle: src/a.ts -> src/a.ts"]);
});

test("files that share a third, and tests that import what they test, are none", () => {
  const files = {
    "src/a.ts": `import "./b.ts";\nimport "./c.ts";`,
    "src/b.ts": `import "./c.ts";`,
    "src/c.ts": "",
    "src/c.fixture.ts": `import "./a.ts";`,
    "src/c.test.ts": `import "./c.ts";\nimport "./c.fixture.ts";`,
  };
  expect(found(files)).toEqual([]);
});
