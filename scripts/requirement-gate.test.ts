import { expect, test } from "vitest";
import { requirements, type RequirementRow } from "../test/requirements.ts";
import { verifies } from "../test/verifies.ts";
import { citationsIn, requirementProblems } from "./requirement-gate.ts";

const done: RequirementRow = { id: "AREA-01", text: "works", state: "done" };

function problemsOf(rows: readonly RequirementRow[], text: string): readonly string[] {
  const { citations, problems } = citationsIn([{ path: "src/a.test.ts", text }]);
  return [...problems, ...requirementProblems(rows, citations, (path) => path === "bench/real.ts")].map((problem) => problem.found);
}

test("a row that claims to be shown needs a test that cites it", () => {
  expect(problemsOf([done], "")).toEqual(["`AREA-01` is done and no test cites it"]);
  expect(problemsOf([{ ...done, state: "partial", note: "no file" }], "")).toEqual(["`AREA-01` is partial and no test cites it"]);
  expect(problemsOf([{ ...done, state: "planned" }], "")).toEqual([]);
  expect(problemsOf([done], `test(verifies("AREA-01", "works"), () => {});`)).toEqual([]);
});

test("a citation needs a row that claims to be shown", () => {
  expect(problemsOf([], `test(verifies("AREA-09", "works"), () => {});`)).toEqual(["cites `AREA-09`, which is no row"]);
  expect(problemsOf([{ ...done, state: "planned" }], `test(verifies("AREA-01", "works"), () => {});`)).toEqual([
    "cites `AREA-01`, which is only planned",
  ]);
});

test("reads every id but the title, also through describe and each", () => {
  const rows: readonly RequirementRow[] = [done, { ...done, id: "AREA-02" }];
  expect(problemsOf(rows, `test.each([1])(verifies("AREA-01", "AREA-02", "works"), () => {});`)).toEqual([]);
  expect(problemsOf(rows, `describe(verifies("AREA-01", "AREA-02", \`works \${1}\`), () => {});`)).toEqual([]);
});

test("does not count a citation in a comment, under no test, or with computed ids", () => {
  const missing = "`AREA-01` is done and no test cites it";
  expect(problemsOf([done], `// test(verifies("AREA-01", "works"))`)).toEqual([missing]);
  expect(problemsOf([done], `verifies("AREA-01", "works");`)).toEqual(["`verifies` that titles no test", missing]);
  expect(problemsOf([done], `test(verifies(id, "works"), () => {});`)).toEqual([
    "`verifies` with ids that are not string literals",
    missing,
  ]);
});

test("a partial row says what is missing; ids are well formed and stand once; named suites exist", () => {
  const cite = `test(verifies("AREA-01", "works"), () => {});`;
  expect(problemsOf([{ ...done, state: "partial" }], cite)).toEqual(["`AREA-01` is partial without a note"]);
  expect(problemsOf([done, done], cite)).toEqual(["`AREA-01` stands twice"]);
  expect(problemsOf([{ ...done, id: "area", state: "planned" }], "")).toEqual(["`area` is not an id"]);
  expect(problemsOf([{ ...done, tests: ["bench/real.ts", "bench/ghost.ts"] }], cite)).toEqual([
    "`AREA-01` names `bench/ghost.ts`, which does not exist",
  ]);
});

test("a title carries its sentence and its ids", () => {
  expect(verifies("CALL-06", "CALL-13", "refuses duplicate keys")).toBe("refuses duplicate keys [CALL-06, CALL-13]");
});

test("no row of the list got lost", () => {
  expect(new Set(requirements.map((row) => row.id)).size).toBeGreaterThanOrEqual(149);
});
