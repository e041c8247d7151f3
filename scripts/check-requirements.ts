import { existsSync } from "node:fs";
import { join } from "node:path";
import { requirements, type RequirementRow } from "../test/requirements.ts";
import { citationsIn, requirementProblems } from "./requirement-gate.ts";
import { finish, isTest, readSources, root } from "./source.ts";

const rows: readonly RequirementRow[] = requirements;
// The checker's own tests cite rows that exist only in them.
const tests = readSources(root, ["src", "test", "examples", "bench"], [".ts"]).filter(
  (file) => isTest(file.path) || file.path.startsWith("test/"),
);
const { citations, problems } = citationsIn(tests);
const count = (state: RequirementRow["state"]): number => rows.filter((row) => row.state === state).length;
process.stdout.write(`${count("done")} done, ${count("partial")} partial, ${count("planned")} planned; ${citations.length} citing tests\n`);
finish("requirements", [...problems, ...requirementProblems(rows, citations, (path) => existsSync(join(root, path)))], {
  count: rows.length,
  atLeast: 149,
  what: "rows",
});
