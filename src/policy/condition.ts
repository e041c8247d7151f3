import type { Limits } from "../base/limits.ts";
import { compileNative } from "./compile.ts";
import type { Expression } from "./expression.ts";
import { libraryFor } from "./library.ts";
import { Failure, failure, type Evaluate, type Scope } from "./scope.ts";

/** What a condition said: it holds, it does not, or it could not be decided, which denies the call. */
export type Holds = boolean | Failure;

/** A condition ready to run. */
export type Condition = (scope: Scope) => Holds;

/** Compiles an expression: closures for the common part of CEL, the library for the rest. Never throws; what breaks later is a failure. */
export function compileExpression(expression: Expression, limits: Limits): Evaluate {
  const compiled = compileNative(expression.root, limits) ?? libraryFor(limits).compile(expression.source);
  return (scope) => {
    try {
      return compiled(scope);
    } catch (error) {
      // Deep input can exhaust the stack; whatever it was, the condition is undecided.
      return failure(error instanceof Error ? error.message : "the expression broke");
    }
  };
}

/** Compiles a rule's condition: it holds only when it is exactly `true`. Never throws. */
export function compileCondition(expression: Expression, limits: Limits): Condition {
  const compiled = compileNative(expression.root, limits) ?? libraryFor(limits).compile(expression.source);
  return (scope) => {
    try {
      const value = compiled(scope);
      if (value === true || value === false || value instanceof Failure) return value;
      return neither;
    } catch (error) {
      return failure(error instanceof Error ? error.message : "the condition broke");
    }
  };
}

const neither = failure("the condition is neither true nor false");
