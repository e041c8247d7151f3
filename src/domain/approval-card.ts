import type { Asked } from "./approval.ts";
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
  /** Whether the user asked for this kind of action; undefined where nothing was traced. */
  readonly asked: Asked | undefined;
  /** Names of consequential arguments whose values, or addresses in them, the user did not say; most consequential first. */
  readonly notSaid: readonly string[];
  readonly arguments: readonly CardArgument[];
  /** Arguments beyond `cardArgumentsMax`, which are only in the arguments themselves. */
  readonly argumentsLeftOutCount: number;
  /** Recipients who may not have the data that the call repeats. Absent: nobody was looked up, or everybody may. */
  readonly mayNotRead?: readonly CardReader[];
  /** Arguments that a rule of the policy narrowed, with what the agent sent. Absent: none. */
  readonly narrowed?: readonly { readonly name: string; readonly was: string }[];
  readonly tier: Tier | undefined;
  /** What asks, and what narrowed the arguments, with the ids of the rules. */
  readonly reasons: readonly Reason[];
  /** Whether it can be taken back, in words. */
  readonly undo: string;
  /** The tool's definition is no longer the one that the question was asked about, so a yes would ask anew. */
  readonly isToolChanged: boolean;
  readonly expiresAtMs: number;
  /** Questions about this user's calls that were refused in this hour and the last, since too many were asked: more than a few are a flood. */
  readonly refusedAsksCount: number;
}

/** A recipient who may not have what a call repeats. */
export interface CardReader {
  /** As they stand in the arguments; the pointer of the argument once those are gone. */
  readonly who: string;
  /** Whether the directory knows them. */
  readonly isKnown: boolean;
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
  /** Addresses, links and accounts in its text, those that the user did not say first; at most `cardAddressesMax`. Left out where there are none. */
  readonly carries?: readonly CardAddress[];
}

/** A place inside a text that somebody could be made to write to, pay to, open or dial. Decoded where the text hides it in another notation. */
export interface CardAddress {
  readonly text: string;
  readonly origin: CardOrigin;
}

/** How far the source of a value is believed. */
export type CardTrust = "trusted" | "directory" | "untrusted";

/**
 * Where the value of an argument was seen before the call. A quote is missing where the value stood there in another notation, and where it was erased.
 * `elsewhere`: another conversation of the same user, of which nothing is quoted. `forgotten`: untrusted text, nobody remembers which.
 */
export type CardOrigin =
  | { readonly kind: "user"; readonly quote: string | undefined }
  | {
      readonly kind: "result";
      readonly tool: string;
      readonly callId: string;
      readonly atMs: number;
      readonly quote: string | undefined;
      readonly trust: CardTrust | undefined;
    }
  | { readonly kind: "elsewhere"; readonly tool: string; readonly atMs: number; readonly trust: CardTrust }
  /** Somebody who approved a plan named it. */
  | { readonly kind: "plan" }
  | { readonly kind: "forgotten" }
  /** It was seen nowhere: the model made it up, or worked it out. */
  | { readonly kind: "nowhere" };
