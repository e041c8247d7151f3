import type { Effect, ErrorCode } from "../errors/codes.ts";
import type { Notice } from "./notice.ts";

/** What every dead letter says. Nothing of a call is private in it: arguments and words lie sealed in the ledger, under the call's id. */
interface LetterFacts {
  /** The id of the call, or of the notice. One each. */
  readonly id: string;
  readonly tenant: string;
  /** Attempts of the last try; 0 where nobody can say. */
  readonly attemptsCount: number;
  /** Wall time at which it came to this. */
  readonly sinceMs: number;
}

/** A call that needs a person: nobody knows whether it happened, or it was taken on for later and has failed for good. */
export interface CallLetter extends LetterFacts {
  readonly kind: "unknown" | "failed";
  readonly code: ErrorCode;
  readonly sessionId: string;
  readonly tool: string;
  readonly version: string;
  /** Who asked for it; empty where the ledger no longer says. */
  readonly user: string;
  /** `none` where a failed one did nothing, so that it may be made again. */
  readonly effect: Effect;
  /** Key of the row that holds its claim. */
  readonly keyRow: string;
  /** Wall time until which somebody has it made again. */
  readonly retriedUntilMs?: number;
}

/** A notice that did not arrive. What it was about goes on without it. */
export interface UndeliveredLetter extends LetterFacts {
  readonly kind: "undelivered";
  /** What it was about, such as `approval apr_…`. */
  readonly subject: string;
  /** Where it should have gone: the name of the port. */
  readonly target: string;
  /** What was wrong with the last attempt, without secrets. */
  readonly problem: string;
  /** As it is sent again. It says what its receiver was to be told, the summary that approvers see among it. */
  readonly notice: Notice;
}

/** Something that was given up and waits for a person. It stays until it is settled. */
export type DeadLetter = CallLetter | UndeliveredLetter;
