import type { Limits } from "../base/limits.ts";

/** What rules may refer to. */
export interface RuleSurroundings {
  readonly limits: Limits;
  readonly factNames: readonly string[];
}
