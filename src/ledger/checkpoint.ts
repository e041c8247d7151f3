import { canonicalJson } from "../base/canonical-json.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Json } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { Operation, Store, WriterHead } from "../store/store.ts";
import { isSignedBy, type Keyring, type PublicKey } from "./keyring.ts";

/**
 * A signed statement of where every writer's chain stood. Checkpoints are numbered and chained; whoever has one elsewhere (an anchor) can show
 * later that nothing before it was changed, and that nothing was cut off.
 */
export interface Checkpoint {
  /** Starts at 1, plus 1 each. */
  readonly number: number;
  /** `checkpointHash` of the one before; 64 zeros for the first. */
  readonly previous: string;
  readonly atMs: number;
  /** Every writer's head at that moment, in the store's order. */
  readonly heads: readonly WriterHead[];
  /** Set on the first checkpoint after a restore: what later checkpoints than this number said was lost, and is known to be. */
  readonly restoredAfter?: number | undefined;
  readonly algorithm: "ed25519";
  readonly keyId: string;
  /** Over `checkpointText`; 64 bytes, base64url. */
  readonly signature: string;
}

const space = "checkpoint";
const numberDigits = 12;
const noPrevious = "0".repeat(64);

/** The text that is signed: canonical JSON of everything but the signature. */
export function checkpointText(checkpoint: Omit<Checkpoint, "signature">): string {
  const { algorithm, atMs, heads, keyId, number, previous, restoredAfter } = checkpoint;
  const plainHeads = heads.map(({ epoch, head, seq, writer }) => ({ epoch, head, seq, writer }));
  return canonicalJson({ algorithm, atMs, heads: plainHeads, keyId, number, previous, restoredAfter });
}

/** What the next checkpoint names: SHA-256 of the signed text and the signature. */
export function checkpointHash(checkpoint: Checkpoint): string {
  return sha256Hex(`${checkpointText(checkpoint)}${checkpoint.signature}`);
}

/** Whether one of the keys signed it. */
export function isCheckpointSigned(checkpoint: Checkpoint, publicKeys: readonly PublicKey[]): boolean {
  return isSignedBy(publicKeys, checkpointText(checkpoint), checkpoint);
}

/** The newest checkpoint of a store, `undefined` before the first. */
export async function lastCheckpoint(store: Pick<Store, "scan">): Promise<Checkpoint | undefined> {
  const [row] = await store.scan({ space, tenant: "", ascending: false, limit: 1 });
  return row === undefined ? undefined : readCheckpoint(row.body);
}

/** One checkpoint by number. */
export async function checkpointOf(store: Pick<Store, "read">, number: number): Promise<Checkpoint | undefined> {
  const [row] = await store.read([{ space, tenant: "", key: checkpointKey(number) }]);
  return row === undefined ? undefined : readCheckpoint(row.body);
}

/** Every checkpoint in order, a page at a time; `undefined` in the place of one that cannot be read. */
export async function* checkpointsOf(
  store: Pick<Store, "scan">,
  pageRows: number,
): AsyncGenerator<{ readonly key: string; readonly checkpoint: Checkpoint | undefined }> {
  let after: string | undefined;
  for (;;) {
    const rows = await store.scan({ space, tenant: "", limit: pageRows, ...(after !== undefined && { after }) });
    for (const row of rows) yield { key: row.key, checkpoint: readCheckpoint(row.body) };
    if (rows.length < pageRows) return;
    after = rows.at(-1)?.key;
  }
}

/**
 * Signs where every writer stands now and stores it. Several processes may do so at once: each gets a number of its own. `LEDGER_UNAVAILABLE`
 * when the place is lost to others over and over.
 */
export async function writeCheckpoint(parts: {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly atMs: number;
  /** Marks a restore that went back to this number. */
  readonly restoredAfter?: number;
}): Promise<Checkpoint> {
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const last = await lastCheckpoint(parts.store);
    const checkpoint = signCheckpoint(parts, last, await parts.store.writers());
    const put: Operation = {
      op: "put",
      key: { space, tenant: "", key: checkpointKey(checkpoint.number) },
      body: checkpoint as unknown as Json,
      expect: "absent",
    };
    const result = await parts.store.commit({ operations: [put], entries: [] });
    if (result.kind === "committed") return checkpoint;
  }
  throw toolCallError(
    "LEDGER_UNAVAILABLE",
    `no checkpoint could be written: another process took its number ${fixedBounds.racesMax} times`,
  );
}

/** A checkpoint as read from a row or an anchor; `undefined` when it has not the form of one. */
export function readCheckpoint(value: unknown): Checkpoint | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { number, previous, atMs, heads, restoredAfter, algorithm, keyId, signature } = value as Partial<Record<keyof Checkpoint, unknown>>;
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(atMs) || algorithm !== "ed25519") return undefined;
  if (typeof previous !== "string" || typeof keyId !== "string" || typeof signature !== "string") return undefined;
  if (restoredAfter !== undefined && !Number.isSafeInteger(restoredAfter)) return undefined;
  if (!Array.isArray(heads) || !heads.every(isHead)) return undefined;
  return value as Checkpoint;
}

/** Row key of a checkpoint: its number, padded so that keys sort as numbers do. */
export function checkpointKey(number: number): string {
  return String(number).padStart(numberDigits, "0");
}

function signCheckpoint(
  parts: { readonly keyring: Keyring; readonly atMs: number; readonly restoredAfter?: number },
  last: Checkpoint | undefined,
  heads: readonly WriterHead[],
): Checkpoint {
  const unsigned = {
    number: (last?.number ?? 0) + 1,
    previous: last === undefined ? noPrevious : checkpointHash(last),
    atMs: parts.atMs,
    heads: heads.map(({ writer, epoch, seq, head }) => ({ writer, epoch, seq, head })),
    algorithm: "ed25519" as const,
    keyId: parts.keyring.currentId,
    ...(parts.restoredAfter !== undefined && { restoredAfter: parts.restoredAfter }),
  };
  return { ...unsigned, signature: parts.keyring.sign(checkpointText(unsigned)).signature };
}

function isHead(value: unknown): value is WriterHead {
  if (typeof value !== "object" || value === null) return false;
  const { writer, epoch, seq, head } = value as Partial<Record<keyof WriterHead, unknown>>;
  return typeof writer === "string" && Number.isSafeInteger(epoch) && Number.isSafeInteger(seq) && typeof head === "string";
}
