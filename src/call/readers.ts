/**
 * Who has read anything: one row for each session of a principal under a credential, which leads every other session of theirs, in whatever process, to
 * what it read. The row holds times and no content; the content is where it is anyway, encrypted in the ledger, and goes with its key.
 */
import { canonicalJson } from "../base/canonical-json.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Operation, Store } from "../store/store.ts";
import { isShared } from "../store/shared.ts";
import type { LiveSession } from "./live-session.ts";

/** Space of the store in which they lie; rows are over when they are due. */
export const readerSpace = "reader";

/** One session that has read something. */
export interface ReaderSession {
  readonly sessionId: string;
  readonly createdAtMs: number;
  /** It had a result not long before this wall time, at most `readerNoteMs` on a shared store. */
  readonly atMs: number;
}

/** Names a principal under a credential within a tenant, without telling who that is. */
export function readerOf(session: LiveSession): string {
  let digest = digests.get(session);
  if (digest === undefined) {
    digest = sha256Hex(canonicalJson([session.principal.user, session.credentialId])).slice(0, fixedBounds.digestHexChars);
    digests.set(session, digest);
  }
  return digest;
}

/** Neither of the two ever changes, and every call asks. */
const digests = new WeakMap<LiveSession, string>();

/** How long a note of a session's reading is good for: where others look on, they must see that it goes on. */
export function noteAgainMs(
  store: Pick<Store, "kind">,
  { flowDecayMs, readerNoteMs }: { readonly flowDecayMs: number; readonly readerNoteMs: number },
): number {
  return isShared(store) ? readerNoteMs : flowDecayMs / 2;
}

/** Notes that a session reads, for the transaction that settles a result. */
export function readerPut(session: LiveSession, { nowMs, decayMs }: { readonly nowMs: number; readonly decayMs: number }): Operation {
  return {
    op: "put",
    key: { space: readerSpace, tenant: session.principal.tenant, key: `${readerOf(session)}/${session.id}` },
    body: { createdAtMs: session.createdAtMs, atMs: nowMs },
    dueMs: nowMs + 2 * decayMs,
  };
}

/** The sessions of the same principal under the same credential that have read anything, at most `limit`. */
export async function readerSessions(store: Pick<Store, "scan">, session: LiveSession, limit: number): Promise<readonly ReaderSession[]> {
  const prefix = `${readerOf(session)}/`;
  const rows = await store.scan({ space: readerSpace, tenant: session.principal.tenant, prefix, limit });
  return rows.map(({ key, body }) => ({
    ...(body as unknown as Pick<ReaderSession, "createdAtMs" | "atMs">),
    sessionId: key.slice(prefix.length),
  }));
}
