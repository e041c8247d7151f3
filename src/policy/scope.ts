/** A value inside a condition: JSON, with integer literals as `bigint`. */
export type Value = null | boolean | number | bigint | string | readonly Value[] | { readonly [name: string]: Value };

/** An error inside an expression. `&&` and `||` absorb it where the other side decides; anything else passes it on. */
export class Failure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Makes a failure. */
export function failure(message: string): Failure {
  return new Failure(message);
}

type Members = { readonly [name: string]: Value };

/** What the variables of a condition stand for in one call. */
export interface Scope {
  readonly args: Members;
  /** `user`, `tenant`, `roles` and every attribute that is not named so. */
  readonly principal: Members;
  readonly facts: Members;
  /** `name`, `version`, `tier`, `source`, `sensitive`. */
  readonly tool: Members;
  /** `id`, `attested`. */
  readonly session: Members;
  readonly nowMs: number;
  /** When the call was first put off or asked about; no variable. Default `nowMs`. */
  readonly sinceMs?: number | undefined;
  /** What a tool brought back; only in postconditions. */
  readonly result?: Value;
}

/** A compiled expression. */
export type Evaluate = (scope: Scope) => Value | Failure;
