import type { SessionCounters } from "../budget/holds.ts";
import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import type { Operation, RowKey } from "../store/store.ts";
import type { Account } from "./delegation.ts";

/** An open session as the journey sees it: a cache of its row and its principal's, checked again at every gate. */
export interface LiveSession {
  readonly id: string;
  readonly credentialId: string;
  readonly wordsAttested: boolean;
  readonly createdAtMs: number;
  /** Another process may serve it as well, or has: what this one remembers of it is not all. */
  readonly isShared: boolean;
  readonly conversationId: string | undefined;
  /** The principal with what was revoked already taken away. */
  readonly principal: Principal;
  readonly revokedRoles: readonly string[];
  readonly stopped: { readonly reason: string } | undefined;
  readonly throttleKey: string;
  /** The person whose key seals this session's private values, where erasure per person is wanted. */
  readonly dataSubject: string | undefined;
  readonly rowKey: RowKey;
  readonly rowVersion: number;
  readonly principalKey: RowKey;
  readonly principalVersion: number | "absent";
  /** What its budgets are counted in. */
  readonly counters: SessionCounters;
  /** Every budget that its calls count in: its own first, then those of the sessions it was delegated from. */
  readonly accounts: readonly Account[];
  /** Sessions it was delegated from, the first one first; empty for one that a user opened. */
  readonly ancestorIds: readonly string[];
  /** That none of those has changed since it looked. */
  readonly lineage: readonly Extract<Operation, { readonly op: "expect" }>[];
  /** Whether the read-only switch was on when the session looked. */
  readonly isReadOnly: boolean;
  /** That the switch has not been turned since. */
  readonly switches: readonly Operation[];
  /** Plans that people approved for it, also those that are over. */
  readonly plans: readonly string[];
  /** Writes one more of them down. */
  withPlan(id: string): Operation;
  /** Whether the principal's roles grant a tool. */
  mayUse(tool: Tool): boolean;
  /** Reads both rows again. */
  refresh(): Promise<void>;
  /** Refuses every later call of this session, and of the conversation that it was delegated from. */
  stop(reason: string): Promise<void>;
}
