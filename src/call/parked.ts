import type { TurnFacts } from "../domain/principal.ts";
import type { ToolCall } from "../domain/tool-call.ts";

/** What a parked call is woken from: everything but the private values, which lie sealed in the `call-parked` entry and here. */
export interface ParkedCall {
  /** Undefined for a call that waits for a time. */
  readonly approvalId: string | undefined;
  /** When it first waited, for whatever reason. Absent: an earlier program parked it. */
  readonly sinceMs?: number;
  readonly sessionId: string;
  readonly call: Omit<ToolCall, "raw" | "arguments">;
  readonly turn: Omit<TurnFacts, "said" | "reasoning">;
  /** Row of the key that it claimed. */
  readonly keyRow: string;
  /** Base64 of the sealed arguments and words; deleted when the call settles. */
  readonly sealed: string;
}

/** Kind under which the private values are sealed of a call that waits for a person. */
export const parkedKind = "call-parked";

/** The same of a call that waits for a time. */
export const deferredKind = "call-deferred";
