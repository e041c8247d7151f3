import type { Json } from "../../domain/json.ts";
import type { RowKey, Store } from "../../store/store.ts";
import type { Delegation } from "../delegation.ts";

/** What is kept of a session. */
export interface SessionBody {
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, Json>>;
  readonly credentialId: string;
  readonly wordsAttested: boolean;
  readonly conversationId: string | null;
  readonly dataSubject: string | null;
  readonly createdAtMs: number;
  /** It was found in the store by a process that had not opened it; absent: only the one that opened it has ever served it. */
  readonly isShared?: true;
  /** Epoch of the store in which it was opened. */
  readonly epoch: number;
  readonly stopped: { readonly reason: string; readonly atMs: number } | null;
  /** Absent: none was ever approved. */
  readonly plans?: readonly string[];
  /** What it was handed by the sessions above it; absent for one that a user opened. */
  readonly delegation?: Delegation;
}

/** Which roles a principal has lost since its sessions were opened. */
export interface PrincipalBody {
  readonly revoked: readonly string[];
}

/** Where a session is kept. */
export function sessionKey(tenant: string, id: string): RowKey {
  return { space: "session", tenant, key: id };
}

/** Where it is kept which roles a user has lost. */
export function principalKey(tenant: string, user: string): RowKey {
  return { space: "principal", tenant, key: user };
}

/** Epoch of a store: a session of an earlier one is over. */
export function epochOf(store: Store): number {
  return store.epoch ?? 1;
}
