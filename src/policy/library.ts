/**
 * The CEL library behind conditions: everything that the small compiler in `compile.ts` does not know runs here. JSON objects are handed over as
 * maps, because the library reads a plain object's `constructor`, which an argument may be named. Loops are counted: the library itself has no
 * bound, so every range is wrapped in a function that adds up what one evaluation has looped over.
 */
import { celEnv, celFunc, CelScalar, isCelError, isCelList, isCelMap, parse, plan, type CelEnv, type CelInput } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { RE2JS } from "re2js";
import { isoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { moneyMicros } from "./money.ts";
import { failure, type Evaluate, type Scope, type Value } from "./scope.ts";

/** A node of a parsed CEL expression, in the shape of `cel.expr.Expr`. */
export type Expr = NonNullable<ReturnType<typeof parse>["expr"]>;

/** The CEL environment of one set of limits. */
export interface Library {
  /** Plans an expression; throws where the library cannot. */
  compile(source: string): Evaluate;
}

const { STRING, INT, DOUBLE, DYN } = CelScalar;
const extensionNames = new Set(["lowerAscii", "upperAscii", "trim"]);
const rangeGuard = "@bounded";
const dateText = "@dateText";
const libraries = new WeakMap<Limits, Library>();

/** The library for these limits; made once. */
export function libraryFor(limits: Limits): Library {
  let library = libraries.get(limits);
  if (library === undefined) {
    library = createLibrary(limits);
    libraries.set(limits, library);
  }
  return library;
}

function createLibrary(limits: Limits): Library {
  const steps = { count: 0 };
  const env = createEnv(limits, steps);
  const timestamp = plan(env, parse("timestamp(text)"));
  return {
    compile(source) {
      const expression = parse(source);
      if (expression.expr !== undefined) rewrite(expression.expr);
      const run = plan(env, expression);
      return (scope) => {
        steps.count = 0;
        const result = run(bindings(scope, timestamp));
        return isCelError(result) ? failure(result.message) : (result as Value);
      };
    },
  };
}

function createEnv(limits: Limits, steps: { count: number }): CelEnv {
  const matcher = matcherOf(limits);
  return celEnv({
    funcs: [
      ...strings.filter((extension) => extensionNames.has(extension.name)),
      celFunc("money", [STRING], INT, moneyMicros),
      celFunc("money", [DOUBLE], INT, moneyMicros),
      celFunc("money", [INT], INT, moneyMicros),
      // Rewritten to `timestamp(@dateText(x))`; declared so that the name is known.
      celFunc("date", [STRING], STRING, fullDate),
      celFunc(dateText, [STRING], STRING, fullDate),
      celFunc(rangeGuard, [DYN], DYN, (range) => {
        const size = isCelList(range) || isCelMap(range) ? range.size : 0;
        steps.count += size;
        if (size > limits.ruleItemsMax) throw new RangeError(`a loop is over ${size} items; at most ${limits.ruleItemsMax} are allowed`);
        if (steps.count > limits.ruleStepsMax) throw new RangeError(`the loops take more than ${limits.ruleStepsMax} steps`);
        return range;
      }),
    ],
    re2: { compile: (pattern) => ({ test: (text) => matcher(pattern)(text) }) },
  });
}

/** Matching of text against patterns in linear time (RE2), patterns and text bounded, compiled patterns kept. */
export function matcherOf(limits: Limits): (pattern: string) => (text: string) => boolean {
  const compiled = new Map<string, RE2JS>();
  return (pattern) => {
    if (pattern.length > limits.patternCharsMax) throw new RangeError(`a pattern has at most ${limits.patternCharsMax} characters`);
    let expression = compiled.get(pattern);
    if (expression === undefined) {
      expression = RE2JS.compile(pattern);
      if (compiled.size >= fixedBounds.rememberedMax) compiled.clear();
      compiled.set(pattern, expression);
    }
    const ready = expression;
    return (text) => {
      if (text.length > limits.patternSubjectCharsMax)
        throw new RangeError(`a text matched against a pattern has at most ${limits.patternSubjectCharsMax} characters`);
      return ready.test(text);
    };
  };
}

const dayShape = /^\d{4}-\d{2}-\d{2}$/;

function fullDate(text: string): string {
  return dayShape.test(text) ? `${text}T00:00:00Z` : text;
}

/** Names that may be called, operators included. */
export const knownFunctions: ReadonlySet<string> = new Set([
  ...[...createEnv(defaultLimits, { count: 0 }).funcs]
    .map((known) => known.name)
    .filter((name) => name !== rangeGuard && name !== dateText),
  "_&&_",
  "_||_",
  "_?_:_",
  "_[_]",
  "@not_strictly_false",
]);

/** Wraps every range of a loop in the guard, and gives `date` its timestamp. */
function rewrite(node: Expr): void {
  const { exprKind } = node;
  if (exprKind.case === "comprehensionExpr" && exprKind.value.iterRange !== undefined) {
    rewriteAll([
      exprKind.value.iterRange,
      exprKind.value.accuInit,
      exprKind.value.loopStep,
      exprKind.value.loopCondition,
      exprKind.value.result,
    ]);
    exprKind.value.iterRange = callOf(rangeGuard, [exprKind.value.iterRange], node);
  } else if (exprKind.case === "callExpr") {
    rewriteAll([exprKind.value.target, ...exprKind.value.args]);
    if (exprKind.value.function === "date" && exprKind.value.target === undefined)
      node.exprKind = callOf("timestamp", [callOf(dateText, exprKind.value.args, node)], node).exprKind;
  } else if (exprKind.case === "selectExpr") rewriteAll([exprKind.value.operand]);
  else if (exprKind.case === "listExpr") rewriteAll(exprKind.value.elements);
  else if (exprKind.case === "structExpr")
    rewriteAll(exprKind.value.entries.flatMap((entry) => [entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined, entry.value]));
}

function rewriteAll(nodes: readonly (Expr | undefined)[]): void {
  for (const node of nodes) if (node !== undefined) rewrite(node);
}

function callOf(name: string, args: Expr[], at: Expr): Expr {
  return {
    $typeName: "cel.expr.Expr",
    id: at.id,
    exprKind: { case: "callExpr", value: { $typeName: "cel.expr.Expr.Call", function: name, args } },
  };
}

type Bindings = Readonly<Record<string, CelInput>>;
const converted = new WeakMap<Scope, Bindings>();

/** The variables of a call in the library's terms; made once per call, however many conditions need them. */
function bindings(scope: Scope, timestamp: (variables: { text: string }) => unknown): Record<string, CelInput> {
  let made = converted.get(scope);
  if (made === undefined) {
    made = {
      args: toMaps(scope.args),
      principal: toMaps(scope.principal),
      facts: toMaps(scope.facts),
      tool: toMaps(scope.tool),
      session: toMaps(scope.session),
      ...(scope.result !== undefined && { result: toMaps(scope.result) }),
      now: timestamp({ text: isoTime(scope.nowMs) }) as CelInput,
    };
    converted.set(scope, made);
  }
  return made as Record<string, CelInput>;
}

function toMaps(value: Value): CelInput {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toMaps);
  const map = new Map<string, CelInput>();
  for (const [name, member] of Object.entries(value as Readonly<Record<string, Value | undefined>>)) {
    if (member !== undefined) map.set(name, toMaps(member));
  }
  return map;
}
