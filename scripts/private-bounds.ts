import { isNode, isTest, parse, problemAt, visit, type Problem, type SourceFile, type SyntaxNode } from "./source.ts";

/** The tables in which bounds stand. */
const tables = new Set(["src/base/limits.ts", "src/base/fixed-bounds.ts"]);
const boundName = /(Max|Min|Ms|Chars|Bytes|Rows|Entries|Calls)$|^(max|min|limit)$/;
/** How long an hour is, is nobody's decision. */
const clockUnits = new Set(["secondMs", "minuteMs", "hourMs", "dayMs"]);

/**
 * Bounds that a module of src gives itself: a variable, field, default or member with the name of a bound and a whole number from 2 for its value.
 * A number of somebody else's format or protocol, or of the layout of our own, may stay where it is, below a comment whose `@see` says whose.
 */
export function privateBounds(file: SourceFile): readonly Problem[] {
  if (!file.path.startsWith("src/") || isTest(file.path) || tables.has(file.path)) return [];
  const { program, comments } = parse(file);
  const sourced = comments.filter(({ value }) => value.includes("@see")).map(({ end }) => end);
  const problems: Problem[] = [];
  visit(program as unknown as SyntaxNode, (node, parents) => {
    const names = namedValues(node).flatMap(([name, value]) => boundIn(name, value) ?? []);
    if (names.length === 0 || parents.some(isExample)) return;
    const isSourced = [...parents.slice(1), node].some(({ start }) =>
      sourced.some((end) => end <= start && file.text.slice(end, start).trim() === ""),
    );
    if (!isSourced) problems.push(...names.map((name) => problemAt(file, node.start, `\`${name}\` is a bound of this file's own`, mend)));
  });
  return problems;
}

const mend =
  "put it into src/base/fixed-bounds.ts, or limits.ts where an operator may change it; of somebody else's format say whose with `@see` above it";

/** The name that is given to a whole number, where it is one of a bound. */
function boundIn(name: unknown, value: unknown): string | undefined {
  if (!isNode(name) || typeof name["name"] !== "string" || !boundName.test(name["name"]) || clockUnits.has(name["name"])) return undefined;
  const number = numberOf(value);
  return number !== undefined && Number.isInteger(number) && Math.abs(number) > 1 ? name["name"] : undefined;
}

function namedValues(node: SyntaxNode): readonly (readonly [name: unknown, value: unknown])[] {
  const { id, init } = node;
  if (node.type === "VariableDeclarator" && isNode(id) && id.type === "ArrayPattern" && isNode(init) && init.type === "ArrayExpression")
    return (id["elements"] as readonly unknown[]).map((each, index) => [each, (init["elements"] as readonly unknown[])[index]]);
  if (node.type === "VariableDeclarator") return [[id, init]];
  if (node.type === "PropertyDefinition" || node.type === "Property") return [[node["key"], node["value"]]];
  return node.type === "AssignmentPattern" ? [[node["left"], node["right"]]] : [];
}

/** What an expression of written numbers alone comes to. */
function numberOf(value: unknown): number | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === "Literal") return typeof value["value"] === "number" ? value["value"] : undefined;
  if (value.type === "TSAsExpression" || value.type === "UnaryExpression") return numberOf(value["expression"] ?? value["argument"]);
  if (value.type !== "BinaryExpression") return undefined;
  const [left, right] = [numberOf(value["left"]), numberOf(value["right"])];
  if (left === undefined || right === undefined) return undefined;
  return value["operator"] === "**" || value["operator"] === "<<" ? left * 2 ** right : left * right;
}

/** Values in the examples of a document bound nothing. */
function isExample(node: SyntaxNode): boolean {
  const key = node.type === "Property" ? node["key"] : undefined;
  return isNode(key) && (key["name"] === "example" || key["name"] === "examples");
}
