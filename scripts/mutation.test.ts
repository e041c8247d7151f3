import { cpSync, existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyPatch, verdictOf, type Mutant } from "./invariant.ts";
import { mutants } from "./invariants/all.ts";
import { tryMutant, withCopy } from "./mutation.ts";
import { root } from "./source.ts";

let repo = "";

beforeAll(() => {
  repo = mkdtempSync(join(tmpdir(), "signalbox-fixture-"));
  mkdirSync(join(repo, "src"));
  symlinkSync(join(root, "node_modules"), join(repo, "node_modules"));
  cpSync(join(root, "vitest.config.ts"), join(repo, "vitest.config.ts"));
  writeFileSync(join(repo, "package.json"), `{ "type": "module" }`);
  writeFileSync(join(repo, "src/gate.ts"), "export function isOpen(count: number): boolean {\n  return count < 3;\n}\n");
  writeFileSync(
    join(repo, "src/gate.test.ts"),
    `import { expect, test } from "vitest";\nimport { isOpen } from "./gate.ts";\ntest("shuts", () => expect(isOpen(5)).toBe(false));\n`,
  );
});
afterAll(() => rmSync(repo, { recursive: true, force: true }));

function mutant(replace: string, find = "count < 3"): Mutant {
  return { invariant: 7, name: "gate", patches: [{ file: "src/gate.ts", find, replace }], tests: ["src/gate.test.ts"] };
}

test("a change that a test notices is red and names the test", async () => {
  expect((await tryMutant(repo, mutant("true"))).verdict).toEqual({ kind: "red", failed: ["shuts"] });
});

test("a change that no test notices is green", async () => {
  expect((await tryMutant(repo, mutant("count < 4"))).verdict).toEqual({ kind: "green", count: 1 });
});

test("a change after which the file does not load proves nothing", async () => {
  expect((await tryMutant(repo, mutant("count <"))).verdict.kind).toBe("broken");
});

test("a patch that fits nowhere, fits twice or is missing proves nothing", async () => {
  expect((await tryMutant(repo, mutant("x", "count > 3"))).verdict.kind).toBe("broken");
  expect((await tryMutant(repo, mutant("x", "count"))).verdict.kind).toBe("broken");
  expect((await tryMutant(repo, { ...mutant("x"), patches: [] })).verdict.kind).toBe("broken");
});

test("leaves the original as it was and removes the copy", async () => {
  const copy = await withCopy(repo, (folder) => {
    writeFileSync(join(folder, "src/gate.ts"), "");
    return Promise.resolve(folder);
  });
  expect(existsSync(copy)).toBe(false);
  expect((await tryMutant(repo, mutant("count < 2"))).verdict.kind).toBe("green");
});

test("replaces text as it stands, without patterns", () => {
  expect(applyPatch("a(b) $", { file: "x.ts", find: "(b)", replace: "$&$1" })).toBe("a$&$1 $");
});

test("a run without any test, or without a report, is broken", () => {
  expect(verdictOf({ numPassedTests: 0, testResults: [] }, "").kind).toBe("broken");
  expect(verdictOf(undefined, "out of memory\n")).toEqual({ kind: "broken", why: "no report: out of memory" });
});

test("a failing test proves nothing while another file does not load", () => {
  const failing = { name: "a.test.ts", status: "failed", assertionResults: [{ status: "failed", fullName: "shuts" }] };
  const unloaded = { name: "b.test.ts", status: "failed", assertionResults: [] };
  expect(verdictOf({ numPassedTests: 3, testResults: [failing] }, "").kind).toBe("red");
  expect(verdictOf({ numPassedTests: 3, testResults: [failing, unloaded] }, "").kind).toBe("broken");
});

test.each(mutants)("the patches of `$name` fit the source as it is, and its tests are there", ({ patches, tests }) => {
  for (const patch of patches) expect(() => applyPatch(readFileSync(join(root, patch.file), "utf8"), patch)).not.toThrow();
  for (const path of tests) expect(existsSync(join(root, path)), path).toBe(true);
});
