import type { Effect } from "../errors/codes.ts";
import type { ToolCallError } from "../errors/tool-call-error.ts";
import type { Json } from "./json.ts";
import type { Label } from "./label.ts";
import type { ResultPart } from "./tool-call.ts";

/** A result in the shape in which it leaves. */
export interface ShapedResult {
  /** What the model sees; valid JSON structure even when cut. */
  readonly parts: readonly ResultPart[];
  /** The whole value for programs, redacted; absent where it is larger than the caller may see at once. */
  readonly value: Json | undefined;
  /** Where the rest of a cut result can be read. */
  readonly handle: string | undefined;
  /** Characters that were cut from what the model sees; 0 for none. */
  readonly cutChars: number;
  readonly label: Label;
  readonly source: string;
  readonly asOfMs: number;
}

/** What a call waits for. */
export type Waiting =
  | {
      readonly kind: "person";
      readonly approvalId: string;
      readonly gate: "confirmation" | "approval";
      readonly expiresAtMs: number;
      readonly summary: string;
    }
  /** A rule put it off. Wall times in milliseconds: when it is judged again, and when it is denied if it still waits. */
  | { readonly kind: "time"; readonly wakeAtMs: number; readonly expiresAtMs: number }
  | { readonly kind: "execution" };

/** How a call ended, or where it stands. */
export type Outcome =
  | {
      readonly kind: "completed";
      readonly result: ShapedResult;
      readonly effect: Effect;
      /** Said to the model beside the result: repairs, fallback, drift. */
      readonly notices: readonly string[];
      /** The answer of an earlier call under the same key. */
      readonly isReplay: boolean;
      /** Answered by a fallback instead of the tool. */
      readonly isFallback: boolean;
    }
  | { readonly kind: "failed"; readonly error: ToolCallError; readonly isReplay: boolean }
  | { readonly kind: "denied"; readonly error: ToolCallError }
  | { readonly kind: "pending"; readonly waiting: Waiting; readonly message: string; readonly retryAfterMs: number | undefined }
  | { readonly kind: "unknown"; readonly error: ToolCallError; readonly isReplay: boolean };

/** An outcome with what identifies it. */
export interface Answer {
  /** The call that the outcome belongs to: an earlier one where the same key or meaning was asked again. It can be looked up. */
  readonly callId: string;
  /** The provider's id of the call that is answered. */
  readonly providerCallId: string;
  readonly tool: string;
  readonly version: string | undefined;
  readonly outcome: Outcome;
  readonly traceId: string | undefined;
  readonly sessionId: string;
}

/** An outcome that has come to its end. */
export type Ended = Exclude<Outcome, { kind: "pending" }>;
