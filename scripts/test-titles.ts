import { isNode, parse, visit, type SourceFile, type SyntaxNode } from "./source.ts";

const runners = new Set(["test", "it"]);

/** Titles of the tests of a file as they are written, without the rows that `verifies` adds; titles put together at run time have none. */
export function testTitles(file: SourceFile): ReadonlySet<string> {
  const titles = new Set<string>();
  visit(parse(file).program as unknown as SyntaxNode, (node) => {
    if (node.type !== "CallExpression" || !runs(node["callee"]) || !Array.isArray(node["arguments"])) return;
    const title = sentenceOf(node["arguments"][0]);
    if (title !== undefined) titles.add(title);
  });
  return titles;
}

/** Whether it is `test(…)`, `test.each(…)(…)` and the like; a test that is skipped shows nothing. */
function runs(callee: unknown): boolean {
  let at = callee;
  while (isNode(at) && at.type !== "Identifier") {
    if (at.type === "MemberExpression" && isNode(at["property"]) && /^(skip|todo|fails)/.test(String(at["property"]["name"]))) return false;
    at = at.type === "MemberExpression" ? at["object"] : at["callee"];
  }
  return isNode(at) && runners.has(String(at["name"]));
}

function sentenceOf(first: unknown): string | undefined {
  if (!isNode(first)) return undefined;
  if (first.type === "Literal" && typeof first["value"] === "string") return first["value"];
  const named = first.type === "CallExpression" && isNode(first["callee"]) && first["callee"]["name"] === "verifies";
  return named && Array.isArray(first["arguments"]) ? sentenceOf(first["arguments"].at(-1)) : undefined;
}
