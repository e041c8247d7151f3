import type { FailureKind } from "../domain/tool.ts";
import type { Effect } from "../errors/codes.ts";

/** What a handler knows of its own failure. */
export interface ToolFailureParts {
  readonly kind: FailureKind;
  /** One line for the model: what was wrong and what would be right. No secret, no stack. */
  readonly message: string;
  /** Whether the side effect happened. Default: `none` for a read; for anything else `unknown`, except that `rejected` means `none`. */
  readonly effect?: Effect;
  /** How long to wait before another attempt, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * For a handler to throw, so that its failure is treated as what it is instead of as the worst case.
 *
 *     throw new ToolFailure({ kind: "rejected", message: "order `A-1` is already shipped", effect: "none" });
 */
export class ToolFailure extends Error {
  override readonly name = "ToolFailure";
  readonly kind: FailureKind;
  readonly effect: Effect | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(parts: ToolFailureParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.kind = parts.kind;
    this.effect = parts.effect;
    this.retryAfterMs = parts.retryAfterMs;
  }
}
