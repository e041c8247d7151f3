import type { RequirementRow } from "../test/requirements.ts";
import { isNode, parse, problemAt, visit, type Problem, type SourceFile, type SyntaxNode } from "./source.ts";

/** A test that says which rows it shows. */
export interface Citation {
  readonly file: SourceFile;
  readonly offset: number;
  readonly ids: readonly string[];
}

const runners = new Set(["test", "it", "describe"]);

/** Every `verifies(…)` of the given files, and those that cannot be read without running them or stand where no test is. */
export function citationsIn(files: readonly SourceFile[]): {
  readonly citations: readonly Citation[];
  readonly problems: readonly Problem[];
} {
  const citations: Citation[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    if (!file.text.includes("verifies(")) continue;
    visit(parse(file).program as unknown as SyntaxNode, (node, parents) => {
      if (node.type !== "CallExpression" || !isNamed(node["callee"], "verifies")) return;
      const written = Array.isArray(node["arguments"]) ? node["arguments"] : [];
      const ids = written
        .slice(0, -1)
        .map((each) => (isNode(each) && each.type === "Literal" && typeof each["value"] === "string" ? each["value"] : undefined));
      const known = ids.filter((id) => id !== undefined);
      if (known.length !== ids.length || ids.length === 0)
        problems.push(problemAt(file, node.start, "`verifies` with ids that are not string literals", "write the ids out"));
      else if (!titlesATest(node, parents.at(-1)))
        problems.push(problemAt(file, node.start, "`verifies` that titles no test", "make it the first argument of `test` or `describe`"));
      else citations.push({ file, offset: node.start, ids: known });
    });
  }
  return { citations, problems };
}

/** Rows that claim to be shown and are not, citations of rows that are unknown or not claimed, and rows that are not well formed. */
export function requirementProblems(
  rows: readonly RequirementRow[],
  citations: readonly Citation[],
  exists: (path: string) => boolean,
): readonly Problem[] {
  const file = "test/requirements.ts";
  const problems: Problem[] = [];
  const byId = new Map<string, RequirementRow>();
  const cited = new Set(citations.flatMap((citation) => citation.ids));
  for (const row of rows) {
    const note = (found: string, mend: string): number => problems.push({ file, line: 0, found: `\`${row.id}\` ${found}`, mend });
    if (byId.has(row.id)) note("stands twice", "give the newer row a new id");
    byId.set(row.id, row);
    if (!/^[A-Z]+-\d{2,}$/.test(row.id)) note("is not an id", "write it like `CALL-06`");
    if (row.state !== "planned" && !cited.has(row.id))
      note(`is ${row.state} and no test cites it`, "cite it with `verifies` in a test that shows it, or set it back to planned");
    if (row.state === "partial" && (row.note ?? "").trim() === "") note("is partial without a note", "say in `note` what is missing");
    for (const path of row.tests ?? []) if (!exists(path)) note(`names \`${path}\`, which does not exist`, "name a file of the repo");
  }
  for (const { file: from, offset, ids } of citations) {
    for (const id of ids) {
      const row = byId.get(id);
      if (row === undefined)
        problems.push(problemAt(from, offset, `cites \`${id}\`, which is no row`, `add the row to ${file}, or mend the id`));
      else if (row.state === "planned")
        problems.push(problemAt(from, offset, `cites \`${id}\`, which is only planned`, `set the row to partial or done in ${file}`));
    }
  }
  return problems;
}

function isNamed(node: unknown, name: string): boolean {
  return isNode(node) && node.type === "Identifier" && node["name"] === name;
}

/** Whether the call is the first argument of `test(…)`, `describe(…)`, `test.each(…)(…)` and the like. */
function titlesATest(call: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent?.type !== "CallExpression" || !Array.isArray(parent["arguments"]) || parent["arguments"][0] !== call) return false;
  let callee: unknown = parent["callee"];
  while (isNode(callee) && callee.type !== "Identifier") callee = callee.type === "MemberExpression" ? callee["object"] : callee["callee"];
  return isNode(callee) && runners.has(String(callee["name"]));
}
