import { sha256Hex } from "../base/hash.ts";
import { keptKey } from "../store/row-key.ts";
import type { RowKey } from "../store/store.ts";

/** The idempotency key of one call. One key has one effect and one outcome within its retention. */
export interface CallKey {
  /** The caller's key, or one derived from (session, turn, call id), or the call's own id. */
  readonly text: string;
  /** Whether somebody could ask for it again; a key minted for one delivery cannot be. */
  readonly isAddressable: boolean;
  readonly row: RowKey;
  /** What the upstream is given: it tells nothing of tenant or user, and two tenants can never collide there. */
  readonly upstream: string;
}

/**
 * Where a key's claim stands. `free`: nothing happened and the key may be claimed again; the row stays so that its versions go on counting, and a
 * process that slept through its claim never finds its own version on the claim of another call.
 */
export type KeyState = "running" | "pending" | "completed" | "failed" | "rejected" | "unknown" | "free";

/** The row behind a key: the claim while the call runs, and where its outcome is found afterwards. */
export interface KeyClaim {
  readonly callId: string;
  readonly sessionId: string;
  readonly tool: string;
  readonly version: string;
  readonly state: KeyState;
  readonly requestDigest: string;
  readonly effectiveDigest: string;
  readonly upstream: string;
  readonly isAddressable: boolean;
  readonly approvalId: string | null;
  readonly heldMicrosUsd: number;
  /** Wall time until which an attempt of this call may still arrive. */
  readonly deadlineMs: number;
}

/** The row behind a meaning: the last call of this session with the same tool and arguments. */
export interface MeaningClaim {
  readonly callId: string;
  readonly state: KeyState;
  readonly key: string;
  readonly atMs: number;
}

/**
 * Derives the key: explicit, else (session, turn, call id) where the caller names a turn and the provider an id, else minted for this delivery.
 * Scope: tenant, user, tool.
 */
export function deriveKey(parts: {
  readonly tenant: string;
  readonly user: string;
  readonly sessionId: string;
  readonly tool: string;
  readonly callId: string;
  readonly explicit: string | undefined;
  readonly turnId: string | undefined;
  readonly providerCallId: string | undefined;
}): CallKey {
  const { tenant, user, sessionId, tool, callId, explicit, turnId, providerCallId } = parts;
  if (explicit !== undefined) return addressable(tenant, user, tool, `key:${explicit}`);
  if (turnId !== undefined && providerCallId !== undefined) {
    return addressable(tenant, user, tool, `turn:${JSON.stringify([sessionId, turnId, providerCallId])}`);
  }
  return { text: callId, isAddressable: false, row: keptKey({ space: "key", tenant, key: callId }), upstream: callId };
}

function addressable(tenant: string, user: string, tool: string, text: string): CallKey {
  const digest = sha256Hex(JSON.stringify([tenant, user, tool, text]));
  return { text, isAddressable: true, row: rowOf(tenant, digest), upstream: `sb_${digest.slice(0, 40)}` };
}

function rowOf(tenant: string, digest: string): RowKey {
  return keptKey({ space: "key", tenant, key: `k/${digest}` });
}

/** Id of the session that a user opened, of a session below it: a delegated one has it in its own id, up to the point. */
export function conversationOf(sessionId: string): string {
  const point = sessionId.indexOf(".");
  return point < 0 ? sessionId : sessionId.slice(0, point);
}

/** Where the last call of this meaning is noted. */
export function meaningKey(tenant: string, sessionId: string, tool: string, effectiveDigest: string): RowKey {
  return { space: "meaning", tenant, key: `${conversationOf(sessionId)}/${tool}/${effectiveDigest}` };
}
