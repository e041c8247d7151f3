import type { TurnFacts } from "../domain/principal.ts";
import type { ToolCall } from "../domain/tool-call.ts";

/** What a parked call is woken from: everything but the private values, which lie sealed in the `call-parked` entry and here. */
export interface ParkedCall {
  readonly approvalId: string;
  readonly sessionId: string;
  readonly call: Omit<ToolCall, "raw" | "arguments">;
  readonly turn: Omit<TurnFacts, "said" | "reasoning">;
  /** Row of the key that it claimed. */
  readonly keyRow: string;
  /** Base64 of the sealed arguments and words; deleted when the call settles. */
  readonly sealed: string;
}

/** Kind under which a parked call's private values are sealed. */
export const parkedKind = "call-parked";
