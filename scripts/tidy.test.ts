import { expect, test } from "vitest";
import type { SourceFile } from "./source.ts";
import {
  bannedIn,
  bannedText,
  barrels,
  deadReferences,
  idleLimits,
  strayFiles,
  undocumentedPromises,
  untestedCodes,
  waysIn,
} from "./tidy.ts";

function banned(path: string, text: string): readonly string[] {
  return bannedIn({ path, text }).map((problem) => problem.found);
}

const sample = "src/policy/sample.ts";

test.each([
  ["Date.now();", "`Date.now`"],
  ["globalThis.Date.now();", "`Date.now`"],
  ["const now = Date.now;", "`Date.now`"],
  ["performance.now();", "`performance.now`"],
  ["new Date(0);", "`new Date()`"],
  ["Math.random();", "`Math.random`"],
  ["setTimeout(() => {}, 5);", "`setTimeout()`"],
  [`import { setTimeout as wait } from "node:timers/promises";`, "imports `node:timers/promises`"],
  ["process.env.HOME;", "`process.env`"],
  ["process.exit(1);", "`process.exit`"],
  ["console.log(1);", "`console.log`"],
  [`throw new Error("no");`, "`new Error()`"],
  [`JSON.parse("1");`, "`JSON.parse()`"],
])("does not let product code say %s", (text, found) => {
  expect(banned(sample, text)).toEqual([found]);
});

test("lets the edges touch the real world", () => {
  expect(banned("src/base/clock.ts", "Date.now(); setTimeout(f, 1); new Date(1);")).toEqual([]);
  expect(banned("src/main.ts", "process.env.HOME; console.log(1);")).toEqual([]);
});

test("sees code, not what text and comments talk about", () => {
  expect(banned(sample, `const text = "Date.now() console.log(1)"; // Math.random() is banned`)).toEqual([]);
});

test("lets no test be left out, and no test wait for a real clock", () => {
  expect(banned("src/policy/a.test.ts", `test.only("a", f);`)).toEqual(["`test.only`"]);
  expect(banned("src/policy/a.test.ts", `describe.skip("a", f); it.todo("b"); test.each.only("c", f)`)).toHaveLength(3);
  expect(banned("src/policy/a.test.ts", `describe.skipIf(!hasData)("a", f);`)).toEqual([]);
  expect(banned("src/policy/a.test.ts", "setTimeout(f, 5); Date.now(); new Date(); Math.random();")).toHaveLength(4);
  expect(banned("test/crash/a.test.ts", "setTimeout(f, 5);")).toEqual([]);
});

test("lets no comment put work off or silence a checker without a reason", () => {
  expect(banned(sample, "// TODO later\n// FIXME\n// @ts-ignore\n/* oxlint-disable-next-line no-eval */")).toHaveLength(4);
  expect(banned(sample, "// TODO(#12) later\n// oxlint-disable-next-line no-eval -- the sandbox is the point")).toEqual([]);
});

test("lets no file name a path of somebody's machine", () => {
  const home = ["", "home", "ada", "x"].join("/");
  expect(bannedText({ path: "README.md", text: `cd ${home}` })).toHaveLength(1);
  expect(bannedText({ path: "README.md", text: "https://example.com/work/a, ./work/b and a/root/c" })).toEqual([]);
});

test("names codes and limits that nothing tests or enforces, by whole words", () => {
  const tests: readonly SourceFile[] = [{ path: "src/a.test.ts", text: `expect(code).toBe("TOOL_FAILED"); attemptsMax` }];
  const source: readonly SourceFile[] = [{ path: "src/a.ts", text: "limits.attemptsMax; limits.drainMs" }];
  expect(untestedCodes(["TOOL_FAILED", "TOOL"], tests).map((problem) => problem.found)).toEqual(["no test names `TOOL`"]);
  expect(
    idleLimits({ file: "src/base/limits.ts", names: ["attemptsMax", "drainMs", "toolsMax"] }, source, tests).map(
      (problem) => problem.found,
    ),
  ).toEqual(["no test names `drainMs`", "nothing enforces `toolsMax`"]);
});

test("a limit is not in use because its own table names it", () => {
  const table = { file: "src/base/limits.ts", names: ["toolsMax"] };
  expect(idleLimits(table, [{ path: "src/base/limits.ts", text: "toolsMax" }], [])).toHaveLength(1);
});

test("names files that nothing imports, and knows workers by their address", () => {
  const files: readonly SourceFile[] = [
    { path: "src/index.ts", text: `export { a } from "./a/a.ts";` },
    { path: "src/a/a.ts", text: `new Worker(new URL("./worker.ts", import.meta.url));` },
    { path: "src/a/worker.ts", text: "" },
    { path: "src/a/stray.ts", text: "" },
  ];
  expect(strayFiles(files, ["src/index.ts"]).map((problem) => problem.file)).toEqual(["src/a/stray.ts"]);
});

test("names barrels below src, not the promise itself", () => {
  expect(
    barrels([
      { path: "src/index.ts", text: "" },
      { path: "src/a/index.ts", text: "" },
    ]).map((problem) => problem.file),
  ).toEqual(["src/a/index.ts"]);
});

test("what the library promises has a docstring where it is declared", () => {
  const index = { path: "src/index.ts", text: `export { a, type B } from "./x.ts";\nexport * from "./x.ts";` };
  const declared = { path: "src/x.ts", text: "/** What a is for. */\nexport const a = 1;\n// not one\nexport interface B {}\n" };
  expect(undocumentedPromises([index, declared]).map((problem) => problem.found)).toEqual([
    "`B` is public and has no docstring",
    "`export *`",
  ]);
});

test("ways in are the package's exports and the command line", () => {
  const exports = {
    ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./testkit": "./dist/testkit/testkit.js",
    "./package.json": "./package.json",
  };
  expect(waysIn({ exports })).toEqual(["src/index.ts", "src/testkit/testkit.ts", "src/main.ts"]);
});

test("documents name only files and folders that exist, from the root or beside them", () => {
  const page = {
    path: "docs/page.md",
    text: "`src/a.ts`, `src/gone.ts`, `src/a/`,\n[here](here.md), [gone](../gone.md#x), [web](https://example.com), `src/<name>.ts`",
  };
  const exists = (path: string): boolean => ["src/a.ts", "src/a", "docs/here.md"].includes(path);
  expect(deadReferences([page], exists).map((problem) => `${problem.line} ${problem.found}`)).toEqual([
    "1 names `src/gone.ts`",
    "2 names `../gone.md`",
  ]);
});

test("a bound that says why no test can hit it needs none, and says it no longer once there is one", () => {
  const table = { file: "src/base/fixed-bounds.ts", names: ["poolBytes"], untested: ["poolBytes"] };
  const source = [{ path: "src/a.ts", text: "fixedBounds.poolBytes" }];
  expect(idleLimits(table, source, [])).toEqual([]);
  expect(idleLimits(table, source, [{ path: "a.test.ts", text: "poolBytes" }]).map((problem) => problem.found)).toEqual([
    "a test names `poolBytes`",
  ]);
});
