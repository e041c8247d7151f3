import { parse } from "@bufbuild/cel";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import { knownFunctions, matcherOf, type Expr } from "./library.ts";
import { nearestHint } from "./problem.ts";
import { printable } from "./parse-values.ts";

/** A CEL expression that may be compiled. */
export interface Expression {
  readonly source: string;
  readonly root: Expr;
  /** Variables that it reads, such as `args`. */
  readonly variables: ReadonlySet<string>;
  /** Facts that it names. */
  readonly factNames: ReadonlySet<string>;
}

/** What an expression may refer to. */
export interface ExpressionNames {
  readonly variables: readonly string[];
  readonly factNames: readonly string[];
}

/** The variables of a rule's condition. */
export const conditionVariables = ["args", "principal", "facts", "tool", "session", "now"] as const;

/** The variables of a fact's arguments, which are worked out before any fact is known. */
export const factVariables = ["args", "principal", "tool", "session", "now"] as const;

const typeNames = new Set(["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"]);
const comparisons = new Set(["_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"]);

/**
 * Parses one CEL expression and checks what can be known without any call: its size, the names and functions it uses, how deep it loops.
 *
 * @returns the expression, or what is wrong with it on one line.
 */
export function parseExpression(source: string, names: ExpressionNames, limits: Limits): Expression | { readonly problem: string } {
  if (source.length > limits.ruleCharsMax)
    return { problem: `the expression has ${source.length} characters; at most ${limits.ruleCharsMax} are allowed (\`ruleCharsMax\`)` };
  let root: Expr | undefined;
  try {
    root = parse(source).expr;
  } catch (error) {
    return { problem: syntaxProblem(error) };
  }
  if (root === undefined) return { problem: "the expression is empty" };
  const walk: Walk = { names, limits, nodeCount: 0, variables: new Set(), factNames: new Set(), problem: undefined };
  visit(root, { bound: [], loops: 0 }, walk);
  if (walk.problem !== undefined) return { problem: walk.problem };
  return { source, root, variables: walk.variables, factNames: walk.factNames };
}

/** The library's own words say where; a stack that ran out means nesting nobody meant. */
function syntaxProblem(error: unknown): string {
  if (error instanceof RangeError) return "the expression is nested too deeply";
  const words = error instanceof Error ? error.message : "it cannot be read";
  return `not CEL: ${oneLine(words.replace(/^(syntax error: )?<input>:/, "at "))}`;
}

/** A library's words as part of a message: one line, at most 120 characters, without a full stop. */
function oneLine(words: string): string {
  return words
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 120)
    .replace(/\.+$/, "");
}

interface Walk {
  readonly names: ExpressionNames;
  readonly limits: Limits;
  nodeCount: number;
  readonly variables: Set<string>;
  readonly factNames: Set<string>;
  problem: string | undefined;
}

interface Place {
  /** Variables of the comprehensions around. */
  readonly bound: readonly string[];
  readonly loops: number;
}

function visit(node: Expr, place: Place, walk: Walk): void {
  if (walk.problem !== undefined) return;
  walk.nodeCount += 1;
  if (walk.nodeCount > walk.limits.ruleCostMax) {
    walk.problem = `the expression has more than ${walk.limits.ruleCostMax} nodes (\`ruleCostMax\`)`;
    return;
  }
  const { exprKind } = node;
  if (exprKind.case === "identExpr") return visitName(exprKind.value.name, place, walk);
  if (exprKind.case === "selectExpr" && isFacts(exprKind.value.operand)) return visitFact(exprKind.value.field, walk);
  if (exprKind.case === "callExpr") checkCall(node, walk);
  if (exprKind.case === "structExpr" && exprKind.value.messageName !== "") {
    walk.problem = `\`${printable(exprKind.value.messageName)}\` is no type that a policy can make`;
    return;
  }
  if (exprKind.case === "comprehensionExpr") return visitLoop(node, place, walk);
  for (const child of childrenOf(node)) visit(child, place, walk);
}

function visitName(name: string, place: Place, walk: Walk): void {
  if (place.bound.includes(name) || typeNames.has(name)) return;
  if (name === "facts" && walk.names.variables.includes("facts")) {
    walk.problem = "name a fact as `facts.<name>`; `facts` alone says nothing of what to look up";
  } else if (walk.names.variables.includes(name)) walk.variables.add(name);
  else
    walk.problem = `unknown name \`${printable(name)}\`${nearestHint(name, walk.names.variables)}; known are ${listed(walk.names.variables)}`;
}

function visitFact(name: string, walk: Walk): void {
  if (!walk.names.variables.includes("facts")) walk.problem = "facts are not known yet here; use `args`, `principal`, `tool` or `session`";
  else if (!walk.names.factNames.includes(name))
    walk.problem = `no fact named \`${printable(name)}\` is declared under \`facts\`${nearestHint(name, walk.names.factNames)}`;
  else {
    walk.variables.add("facts");
    walk.factNames.add(name);
  }
}

function isFacts(node: Expr | undefined): boolean {
  return node?.exprKind.case === "identExpr" && node.exprKind.value.name === "facts";
}

function visitLoop(node: Expr, place: Place, walk: Walk): void {
  if (node.exprKind.case !== "comprehensionExpr") return;
  const { iterRange, iterVar, accuVar, accuInit, loopCondition, loopStep, result } = node.exprKind.value;
  if (place.loops >= fixedBounds.ruleLoopsDepthMax) {
    walk.problem = `loops (\`all\`, \`exists\`, \`map\`, \`filter\`) may be nested ${fixedBounds.ruleLoopsDepthMax} deep at most`;
    return;
  }
  for (const outside of [iterRange, accuInit]) if (outside !== undefined) visit(outside, place, walk);
  const inner = { bound: [...place.bound, iterVar, accuVar], loops: place.loops + 1 };
  for (const part of [loopCondition, loopStep, result]) if (part !== undefined) visit(part, inner, walk);
}

function checkCall(node: Expr, walk: Walk): void {
  if (node.exprKind.case !== "callExpr") return;
  const { function: name, args } = node.exprKind.value;
  if (!knownFunctions.has(name)) {
    walk.problem = `unknown function \`${printable(name)}\`${nearestHint(
      name,
      [...knownFunctions].filter((known) => /^[a-z]/i.test(known)),
    )}`;
    return;
  }
  if (name === "matches") checkPattern(args[0], walk);
  const [left, right] = args;
  // `money(x) <= 50` would compare millionths with fifty: always wrong, so never accepted.
  if (
    comparisons.has(name) &&
    left !== undefined &&
    right !== undefined &&
    isMoney(left) !== isMoney(right) &&
    (isNumber(left) || isNumber(right))
  )
    walk.problem = 'compare money with money: write `money("50")` instead of a bare number';
}

function checkPattern(node: Expr | undefined, walk: Walk): void {
  if (node?.exprKind.case !== "constExpr" || node.exprKind.value.constantKind.case !== "stringValue") return;
  try {
    matcherOf(walk.limits)(node.exprKind.value.constantKind.value);
  } catch (error) {
    walk.problem = `the pattern is not RE2: ${oneLine(error instanceof Error ? error.message.replace("error parsing regexp: ", "") : "it cannot be read")}`;
  }
}

function isMoney(node: Expr): boolean {
  return node.exprKind.case === "callExpr" && node.exprKind.value.function === "money";
}

function isNumber(node: Expr): boolean {
  if (node.exprKind.case !== "constExpr") return false;
  return ["int64Value", "uint64Value", "doubleValue"].includes(node.exprKind.value.constantKind.case ?? "");
}

/** The nodes directly below one, in the order of evaluation. */
export function childrenOf(node: Expr): readonly Expr[] {
  const { exprKind } = node;
  switch (exprKind.case) {
    case "selectExpr":
      return present([exprKind.value.operand]);
    case "callExpr":
      return present([exprKind.value.target, ...exprKind.value.args]);
    case "listExpr":
      return exprKind.value.elements;
    case "structExpr":
      return present(
        exprKind.value.entries.flatMap((entry) => [entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined, entry.value]),
      );
    case "comprehensionExpr": {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return present([iterRange, accuInit, loopCondition, loopStep, result]);
    }
    default:
      return [];
  }
}

function present(nodes: readonly (Expr | undefined)[]): readonly Expr[] {
  return nodes.filter((node) => node !== undefined);
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}
