import type { ErrorObject } from "ajv";
import type { UnknownMember } from "./declared.ts";

/** One error of the validator; `alternatives` are others that would have been as right at the same place. */
export interface Finding extends ErrorObject {
  readonly alternatives?: readonly Finding[];
}

/** What was found wrong with one value. */
export interface Findings {
  readonly errors: readonly Finding[];
  readonly unknown: readonly UnknownMember[];
  /** The schema's alternatives multiplied beyond the bound, so the value was refused without an explanation. */
  readonly isExhausted: boolean;
}
