import type { Reason } from "./decision.ts";
import type { ArgumentRole, Tier } from "./tool.ts";

/**
 * What a person needs in order to judge one call. Every text that somebody else wrote is bounded, on one line, with its invisible characters made
 * visible; the card quotes, it never interprets.
 */
export interface ApprovalCard {
  /** What will happen if somebody says yes. At most 300 characters. */
  readonly headline: string;
  readonly user: string;
  readonly roles: readonly string[];
  /** The credential that made the call. */
  readonly agent: string;
  readonly conversationId: string | undefined;
  /** The user's words of the turn; undefined where the agent did not pass them on, or they were erased. */
  readonly said: CardSaid | undefined;
  /** Names of consequential arguments whose values the user did not say, most consequential first. */
  readonly notSaid: readonly string[];
  readonly arguments: readonly CardArgument[];
  /** Arguments beyond `cardArgumentsMax`, which are only in the arguments themselves. */
  readonly argumentsLeftOutCount: number;
  readonly tier: Tier | undefined;
  /** What asks, with the ids of the rules. */
  readonly reasons: readonly Reason[];
  /** Whether it can be taken back, in words. */
  readonly undo: string;
  /** The tool's definition is no longer the one that the question was asked about, so a yes would ask anew. */
  readonly isToolChanged: boolean;
  readonly expiresAtMs: number;
}

/** The user's words as the agent passed them on. */
export interface CardSaid {
  /** At most `cardSaidCharsMax` characters. */
  readonly text: string;
  readonly chars: number;
  /** Whether the agent's credential is believed about the user's words. */
  readonly isAttested: boolean;
}

/** One argument, opened down to its single values. */
export interface CardArgument {
  /** JSON pointer. */
  readonly pointer: string;
  readonly name: string;
  readonly role: ArgumentRole | undefined;
  /** As JSON, at most `cardValueCharsMax` characters, cut in the middle. A credential is never shown. */
  readonly value: string;
  /** Length of the whole value. */
  readonly chars: number;
  readonly isCut: boolean;
  /** Undefined for arguments that steer nothing. */
  readonly origin: CardOrigin | undefined;
}

/** Where the value of an argument was seen before the call, in this conversation. */
export type CardOrigin =
  | { readonly kind: "user"; readonly quote: string }
  | { readonly kind: "result"; readonly tool: string; readonly callId: string; readonly atMs: number; readonly quote: string }
  /** It was seen nowhere: the model made it up, worked it out, or wrote it differently. */
  | { readonly kind: "nowhere" };
