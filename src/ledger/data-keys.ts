import { createSecretKey, type KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Json } from "../domain/json.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import type { EntryDraft, Operation, Row, RowKey, Store } from "../store/store.ts";
import type { Keyring, WrappedKey } from "./keyring.ts";
import { member, textMember } from "./members.ts";

/**
 * Data keys of tenants and data subjects, wrapped in the store's space `tenant-key`. Two rows each: `owner:…` names the key in use, `key:<id>`
 * holds it wrapped. Both go when it is destroyed, and with them everything it sealed. A key is cached for `dataKeyCacheMs`, so another process
 * may use a destroyed key for at most that long; what it seals meanwhile is as lost as what was sealed before.
 */
export interface DataKeys {
  /** Loads or creates the key of an owner; `undefined` when a fresh one is cached. */
  prepare(tenant: string, subject: string | undefined): Promise<void> | undefined;
  /** The key to seal with. `LEDGER_UNAVAILABLE` when none was prepared or it was destroyed since. */
  current(tenant: string, subject: string | undefined): DataKey;
  /** The key of an id for opening, `undefined` when it was destroyed. */
  find(tenant: string, id: string): Promise<KeyObject | undefined>;
  /** Destroys the keys of a tenant, or of one subject of it; each transaction carries the ledger entry that `record` gives. Returns their ids. */
  destroy(
    owner: { readonly tenant: string; readonly subject?: string },
    record: (keyIds: readonly string[]) => EntryDraft,
  ): Promise<readonly string[]>;
}

/** A data key in use. */
export interface DataKey {
  /** 16 hexadecimal characters. */
  readonly id: string;
  readonly key: KeyObject;
  /** Header of the next envelope (version, key id, nonce), good for one use and overwritten by the next. */
  nextHeader(): Buffer;
}

/** Lengths of an envelope's parts in bytes. */
export const envelopeParts = { version: 1, keyId: 8, nonce: 12, tag: 16, header: 21 } as const;

/** First byte of an encrypted envelope. */
export const sealedVersion = 1;

const space = "tenant-key";
/** @see NIST SP 800-38D: AES-256-GCM. */
const keyBytes = 32;

interface Cached {
  readonly dataKey: DataKey;
  readonly loadedAtMs: number;
}

/** Data keys over a store. */
export function createDataKeys(parts: {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
}): DataKeys {
  const { store, clock, random, limits } = parts;
  const owners = new Map<string, Cached>();
  const opened = new Map<string, { readonly key: KeyObject; readonly loadedAtMs: number }>();
  const isFresh = (loadedAtMs: number): boolean => clock.monotonic() - loadedAtMs < limits.dataKeyCacheMs;

  const load = async (tenant: string, subject: string | undefined): Promise<void> => {
    const name = ownerName(tenant, subject);
    const loaded = await loadOrCreate(parts, tenant, subject);
    const dataKey = createDataKey(loaded, random);
    remember(owners, name, { dataKey, loadedAtMs: clock.monotonic() }, limits.dataKeysCachedMax);
  };

  return {
    prepare(tenant, subject) {
      const cached = owners.get(ownerName(tenant, subject));
      return cached !== undefined && isFresh(cached.loadedAtMs) ? undefined : load(tenant, subject);
    },
    current(tenant, subject) {
      const cached = owners.get(ownerName(tenant, subject));
      if (cached === undefined)
        throw toolCallError("LEDGER_UNAVAILABLE", `the data key of tenant \`${tenant}\` is not ready or was destroyed meanwhile`);
      return cached.dataKey;
    },
    async find(tenant, id) {
      const name = `${tenant}\u0000${id}`;
      const cached = opened.get(name);
      if (cached !== undefined && isFresh(cached.loadedAtMs)) return cached.key;
      opened.delete(name);
      const [row] = await store.read([keyRow(tenant, id)]);
      if (row === undefined) return undefined;
      const key = createSecretKey(parts.keyring.unwrap(wrappedOf(row), boundTo(tenant, id)));
      remember(opened, name, { key, loadedAtMs: clock.monotonic() }, limits.dataKeysCachedMax);
      return key;
    },
    async destroy(owner, record) {
      const keyIds =
        owner.subject === undefined ? await destroyTenant(store, owner.tenant, record) : await destroyOwner(store, owner, record);
      for (const [name, cached] of owners) if (keyIds.includes(cached.dataKey.id)) owners.delete(name);
      for (const id of keyIds) opened.delete(`${owner.tenant}\u0000${id}`);
      return keyIds;
    },
  };
}

/** What opening reports when an envelope does not authenticate. */
export function alteredValues(entry: { readonly kind: string; readonly callId?: string | undefined }, cause?: unknown): ToolCallError {
  const where = entry.callId === undefined ? "" : ` of call \`${entry.callId}\``;
  return toolCallError(
    "LEDGER_UNAVAILABLE",
    `the private values of the entry \`${entry.kind}\`${where} do not open: their bytes were altered`,
    { cause },
  );
}

function createDataKey(loaded: { readonly id: string; readonly bytes: Uint8Array }, random: Random): DataKey {
  const header = Buffer.alloc(envelopeParts.header);
  header[0] = sealedVersion;
  header.write(loaded.id, envelopeParts.version, "hex");
  const nonceIndex = envelopeParts.version + envelopeParts.keyId;
  // INVARIANT: no nonce twice under one key. Eight random bytes each time the key is loaded, then a counter; when it is used up, new random bytes.
  let used = 0x1_0000_0000;
  return {
    id: loaded.id,
    key: createSecretKey(loaded.bytes),
    nextHeader() {
      if (used > 0xffff_ffff) {
        header.set(random.bytes(8), nonceIndex);
        used = 0;
      }
      header.writeUInt32BE(used, nonceIndex + 8);
      used += 1;
      return header;
    },
  };
}

async function loadOrCreate(
  parts: { readonly store: Store; readonly keyring: Keyring; readonly random: Random },
  tenant: string,
  subject: string | undefined,
): Promise<{ readonly id: string; readonly bytes: Uint8Array }> {
  const { store, keyring, random } = parts;
  const owner = ownerRow(tenant, subject);
  // Another process may create or destroy the key between our read and our write; then its state is read again.
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const [pointer] = await store.read([owner]);
    if (pointer !== undefined) {
      const id = textMember(pointer.body, "keyId");
      const [row] = await store.read([keyRow(tenant, id)]);
      if (row === undefined) continue;
      const bytes = keyring.unwrap(wrappedOf(row), boundTo(tenant, id));
      if (wrappedOf(row).keyId !== keyring.currentId) await rewrap({ store, keyring, tenant, id, row, bytes });
      return { id, bytes };
    }
    const id = random.bytes(envelopeParts.keyId).toString("hex");
    const bytes = Buffer.from(random.bytes(keyBytes));
    const result = await store.commit({
      operations: [
        { op: "put", key: owner, body: { keyId: id }, expect: "absent" },
        {
          op: "put",
          key: keyRow(tenant, id),
          body: { wrapped: keyring.wrap(bytes, boundTo(tenant, id)) as unknown as Json },
          expect: "absent",
        },
      ],
      entries: [],
    });
    if (result.kind === "committed") return { id, bytes };
  }
  throw toolCallError("LEDGER_UNAVAILABLE", `the data key of tenant \`${tenant}\` could not be read or created: its rows keep changing`);
}

/** Moves a data key under the current master key when it is met, so that an old master key falls out of use. A lost race is no loss. */
async function rewrap(parts: {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly tenant: string;
  readonly id: string;
  readonly row: Row;
  readonly bytes: Uint8Array;
}): Promise<void> {
  const wrapped = parts.keyring.wrap(parts.bytes, boundTo(parts.tenant, parts.id)) as unknown as Json;
  const key = keyRow(parts.tenant, parts.id);
  await parts.store.commit({ operations: [{ op: "put", key, body: { wrapped }, expect: parts.row.version }], entries: [] });
}

async function destroyOwner(
  store: Store,
  owner: { readonly tenant: string; readonly subject?: string },
  record: (keyIds: readonly string[]) => EntryDraft,
): Promise<readonly string[]> {
  const pointerKey = ownerRow(owner.tenant, owner.subject);
  const [pointer] = await store.read([pointerKey]);
  const keyIds = pointer === undefined ? [] : [textMember(pointer.body, "keyId")];
  const operations: Operation[] = [
    { op: "delete", key: pointerKey },
    ...keyIds.map((id): Operation => ({ op: "delete", key: keyRow(owner.tenant, id) })),
  ];
  await store.commit({ operations, entries: [record(keyIds)] });
  return keyIds;
}

async function destroyTenant(store: Store, tenant: string, record: (keyIds: readonly string[]) => EntryDraft): Promise<readonly string[]> {
  const keyIds: string[] = [];
  for (;;) {
    const rows = await store.scan({ space, tenant, limit: fixedBounds.scanRowsMax });
    if (rows.length === 0 && keyIds.length > 0) return keyIds;
    const ids = rows.filter((row) => row.key.startsWith("key:")).map((row) => row.key.slice("key:".length));
    const operations = rows.map((row): Operation => ({ op: "delete", key: { space, tenant, key: row.key } }));
    await store.commit({ operations, entries: [record(ids)] });
    keyIds.push(...ids);
    if (rows.length === 0) return keyIds;
  }
}

function remember<Value>(map: Map<string, Value>, name: string, value: Value, countMax: number): void {
  map.delete(name);
  map.set(name, value);
  if (map.size <= countMax) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}

function ownerName(tenant: string, subject: string | undefined): string {
  return subject === undefined ? tenant : `${tenant}\u0000${subject}`;
}

function ownerRow(tenant: string, subject: string | undefined): RowKey {
  // The digest keeps a person's id out of the store's keys and bounds its length.
  return { space, tenant, key: subject === undefined ? "owner:tenant" : `owner:subject:${sha256Hex(subject)}` };
}

function keyRow(tenant: string, id: string): RowKey {
  return { space, tenant, key: `key:${id}` };
}

function boundTo(tenant: string, id: string): string {
  return `signalbox data key ${id} of ${tenant}`;
}

function wrappedOf(row: Row): WrappedKey {
  const wrapped = member(row.body, "wrapped");
  return { keyId: textMember(wrapped, "keyId"), nonce: textMember(wrapped, "nonce"), ciphertext: textMember(wrapped, "ciphertext") };
}
