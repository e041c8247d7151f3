import type { Json, JsonObject } from "../domain/json.ts";
import { placeIn, type StaticType } from "./check-schema.ts";
import { childrenOf } from "./expression.ts";
import { nearestHint } from "./problem.ts";
import type { Expr } from "./library.ts";

type Path = readonly (string | number)[];

/**
 * What is wrong with an expression when its `args` have this schema: names that do not exist, optional arguments read without `has()`, whole
 * numbers mixed with JSON numbers in arithmetic, comparisons that can never hold or always break. One line each, with the mend.
 */
export function expressionProblems(root: Expr, inputSchema: JsonObject): readonly string[] {
  const walk: Walk = { inputSchema, problems: new Set() };
  visit(root, new Set(), walk);
  return [...walk.problems];
}

interface Walk {
  readonly inputSchema: JsonObject;
  readonly problems: Set<string>;
}

/** @param guards paths that are known to be present here, as text. */
function visit(node: Expr, guards: ReadonlySet<string>, walk: Walk): void {
  const path = argumentPath(node);
  if (path !== undefined && path.length > 0) return checkPath(node, path, guards, walk);
  if (isCall(node, "_&&_")) return visitAll(node, withGuards(node, guards, presencePath), walk);
  if (isCall(node, "_||_")) return visitAll(node, withGuards(node, guards, absencePath), walk);
  if (isCall(node, "_?_:_")) return visitChoice(node, guards, walk);
  checkOperator(node, walk);
  visitAll(node, guards, walk);
}

function visitAll(node: Expr, guards: ReadonlySet<string>, walk: Walk): void {
  for (const child of childrenOf(node)) visit(child, guards, walk);
}

function visitChoice(node: Expr, guards: ReadonlySet<string>, walk: Walk): void {
  const [condition, whenTrue, whenFalse] = childrenOf(node);
  if (condition === undefined || whenTrue === undefined || whenFalse === undefined) return;
  visit(condition, guards, walk);
  const present = presencePath(condition);
  const absent = absencePath(condition);
  visit(whenTrue, present === undefined ? guards : new Set([...guards, present]), walk);
  visit(whenFalse, absent === undefined ? guards : new Set([...guards, absent]), walk);
}

function isCall(node: Expr, name: string): boolean {
  return node.exprKind.case === "callExpr" && node.exprKind.value.function === name;
}

/** `has(args.x)`. */
function presencePath(node: Expr): string | undefined {
  if (node.exprKind.case !== "selectExpr" || !node.exprKind.value.testOnly) return undefined;
  return argumentPath(node)?.join(".");
}

/** `!has(args.x)`. */
function absencePath(node: Expr): string | undefined {
  const [inner] = childrenOf(node);
  return isCall(node, "!_") && inner !== undefined ? presencePath(inner) : undefined;
}

/** Either side of `&&` and `||` guards the other, since the deciding side wins over an error of the other. */
function withGuards(node: Expr, guards: ReadonlySet<string>, guardOf: (node: Expr) => string | undefined): ReadonlySet<string> {
  const more = new Set(guards);
  const name = node.exprKind.case === "callExpr" ? node.exprKind.value.function : "";
  const collect = (part: Expr): void => {
    if (isCall(part, name)) for (const child of childrenOf(part)) collect(child);
    else {
      const guard = guardOf(part);
      if (guard !== undefined) more.add(guard);
    }
  };
  collect(node);
  return more;
}

/** The path below `args` that a chain of members and literal indexes names; undefined for anything else. */
function argumentPath(node: Expr): Path | undefined {
  const { exprKind } = node;
  if (exprKind.case === "identExpr") return exprKind.value.name === "args" ? [] : undefined;
  if (exprKind.case === "selectExpr") {
    const before = exprKind.value.operand === undefined ? undefined : argumentPath(exprKind.value.operand);
    return before === undefined ? undefined : [...before, exprKind.value.field];
  }
  if (!isCall(node, "_[_]")) return undefined;
  const [operand, key] = childrenOf(node);
  const before = operand === undefined ? undefined : argumentPath(operand);
  const literal = literalOf(key);
  if (before === undefined || literal === undefined || (typeof literal !== "string" && typeof literal !== "number")) return undefined;
  return [...before, literal];
}

function literalOf(node: Expr | undefined): Json | undefined {
  if (node?.exprKind.case !== "constExpr") return undefined;
  const { constantKind } = node.exprKind.value;
  if (constantKind.case === "int64Value") return Number(constantKind.value);
  return constantKind.case === "stringValue" || constantKind.case === "doubleValue" || constantKind.case === "boolValue"
    ? constantKind.value
    : undefined;
}

function checkPath(node: Expr, path: Path, guards: ReadonlySet<string>, walk: Walk): void {
  const isTest = node.exprKind.case === "selectExpr" && node.exprKind.value.testOnly;
  for (let length = 1; length <= path.length; length += 1) {
    const part = path.slice(0, length);
    const place = placeIn(walk.inputSchema, part);
    if (place.kind === "open") return;
    const text = written(part);
    if (place.kind === "absent") {
      walk.problems.add(`\`${text}\`: the tool has no argument \`${place.name}\`${nearestHint(place.name, place.known)}`);
      return;
    }
    if (place.isOptional && !(isTest && length === path.length) && typeof part.at(-1) === "string" && !guards.has(part.join("."))) {
      walk.problems.add(
        `\`${text}\` is optional, and the call is denied where it is missing; write \`has(${text}) && ...\` or \`!has(${text}) || ...\``,
      );
      return;
    }
  }
}

function written(path: Path): string {
  return `args${path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("")}`;
}

const arithmetic = new Set(["_+_", "_-_", "_*_", "_/_", "_%_"]);
const equality = new Set(["_==_", "_!=_"]);
const ordering = new Set(["_<_", "_<=_", "_>_", "_>=_"]);

function checkOperator(node: Expr, walk: Walk): void {
  if (node.exprKind.case !== "callExpr" || node.exprKind.value.args.length !== 2) return;
  const { function: name, args } = node.exprKind.value;
  const [left, right] = args as [Expr, Expr];
  const types = [typeOf(left, walk), typeOf(right, walk)] as const;
  const symbol = name.replaceAll("_", "");
  if (types[0] === undefined || types[1] === undefined) return;
  if (arithmetic.has(name) && types.includes("double") && (types.includes("int") || symbol === "%"))
    walk.problems.add(
      symbol === "%"
        ? "`%` needs whole numbers and JSON numbers are decimal; write `int(...)` around the argument"
        : `\`${symbol}\` mixes a JSON number with a whole number, which breaks; write the literal with a point, such as \`1.0\`, or \`double(...)\` around the whole number`,
    );
  else if (ordering.has(name) && family(types[0]) !== family(types[1]))
    walk.problems.add(`\`${symbol}\` compares ${types[0]} with ${types[1]}, which breaks; compare values of one type`);
  else if (equality.has(name)) checkEquality({ symbol, left, right, types }, walk);
}

interface Equality {
  readonly symbol: string;
  readonly left: Expr;
  readonly right: Expr;
  readonly types: readonly [StaticType, StaticType];
}

function checkEquality({ symbol, left, right, types }: Equality, walk: Walk): void {
  if (types.includes("null")) return;
  if (family(types[0]) !== family(types[1])) {
    walk.problems.add(`\`${symbol}\` compares ${types[0]} with ${types[1]}, which are never equal; compare values of one type`);
    return;
  }
  const path = argumentPath(left) ?? argumentPath(right);
  const literal = literalOf(left) ?? literalOf(right);
  if (path === undefined || literal === undefined) return;
  const place = placeIn(walk.inputSchema, path);
  if (place.kind !== "known" || place.allowed === undefined || place.allowed.includes(literal)) return;
  const said = typeof literal === "string" ? literal : JSON.stringify(literal);
  const texts = place.allowed.filter((value) => typeof value === "string");
  walk.problems.add(`\`${written(path)}\` is never \`${said}\`${nearestHint(said, texts)}; the schema allows other values only`);
}

/** Numbers of all kinds compare with each other. */
function family(type: StaticType): StaticType {
  return type === "int" ? "double" : type;
}

function typeOf(node: Expr, walk: Walk): StaticType {
  const path = argumentPath(node);
  if (path !== undefined) {
    const place = placeIn(walk.inputSchema, path);
    return place.kind === "known" ? place.type : undefined;
  }
  if (node.exprKind.case === "constExpr") return constantType(node.exprKind.value.constantKind.case);
  if (isCall(node, "size") || isCall(node, "money") || isCall(node, "int")) return "int";
  return isCall(node, "double") ? "double" : isCall(node, "string") ? "string" : undefined;
}

function constantType(kind: string | undefined): StaticType {
  switch (kind) {
    case "int64Value":
    case "uint64Value":
      return "int";
    case "doubleValue":
      return "double";
    case "stringValue":
      return "string";
    case "boolValue":
      return "bool";
    default:
      return kind === "nullValue" ? "null" : undefined;
  }
}
