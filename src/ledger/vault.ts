import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { canonicalJson } from "../base/canonical-json.ts";
import type { Clock } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Json } from "../domain/json.ts";
import type { Store } from "../store/store.ts";
import { alteredValues, createDataKeys, envelopeParts, sealedVersion, type DataKeys } from "./data-keys.ts";
import type { Keyring } from "./keyring.ts";
import { keyDestroyed } from "./own-entries.ts";
import type { SealedValues } from "./sealed-values.ts";

/**
 * Private values of ledger entries. The chain covers a salted commitment of each value; the values lie beside the entry, encrypted under a data
 * key of the tenant, or of one person (a data subject) where the caller names one. Destroying the key erases the values and leaves the chain
 * whole. An envelope is one AES-256-GCM operation over all values of an entry:
 *
 *     version (1 byte) ‖ data key id (8) ‖ nonce (12) ‖ ciphertext of canonical JSON {name: {salt, value}} ‖ tag (16)
 *
 * with tenant, call and entry kind as associated data, so that it opens at no other entry. A store that does not outlive the process keeps the
 * values unencrypted (version 0): there is nothing at rest to protect, and the key would lie in the same memory.
 */
export interface Vault {
  /**
   * Makes the data key of a tenant, or of one person, ready for `sealValues`. `undefined` when it is ready already, so that the hot path need
   * not wait. Rejects with `LEDGER_UNAVAILABLE` when the store or the key's wrapping fails.
   */
  prepare(tenant: string, subject?: string): Promise<void> | undefined;
  /** Encrypts the private values of one entry and commits to each. Values are canonical JSON text. `LEDGER_UNAVAILABLE` unless `prepare` was awaited. */
  sealValues(place: SealPlace, values: PrivateTexts): SealedValues;
  /** Opens the values of an entry; `undefined` where there are none or their key was destroyed. `LEDGER_UNAVAILABLE` when the bytes were altered. */
  openValues(entry: SealedEntry): Promise<OpenedValues | undefined>;
  /** Destroys every data key of a tenant, those of its data subjects included, and records it. */
  eraseTenant(erasure: { readonly tenant: string; readonly by: string }): Promise<Erasure>;
  /** Destroys the data keys of one person and records it. What was sealed without naming the person stays. */
  eraseSubject(erasure: { readonly tenant: string; readonly subject: string; readonly by: string }): Promise<Erasure>;
}

/** Which entry the values belong to. */
export interface SealPlace {
  readonly tenant: string;
  /** The entry's kind, such as `call-intended`. */
  readonly kind: string;
  readonly callId?: string | undefined;
  /** The person whose data the values are, where erasure per person is wanted. */
  readonly subject?: string | undefined;
}

/** Private values by name (`arguments`, `result`, `reasoning`, `said`, …) as canonical JSON text. The names are ours, never a caller's. */
export type PrivateTexts = Readonly<Record<string, string | DeferredText | undefined>>;

/** A text that is made when it is first read. It must not change between two reads. */
export interface DeferredText {
  readonly text: string;
}

/** The part of an entry that opening needs. */
export interface SealedEntry {
  readonly tenant: string;
  readonly kind: string;
  readonly callId?: string | undefined;
  readonly sealed?: Uint8Array | undefined;
}

/** Opened values by name, each with the salt of its commitment. */
export type OpenedValues = Readonly<Record<string, { readonly salt: string; readonly value: Json }>>;

/** What an erasure did. */
export interface Erasure {
  /** Ids of the destroyed data keys; empty when there were none. */
  readonly keyIds: readonly string[];
}

/** What a vault is made from. */
export interface VaultParts {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
}

/** @see RFC 4086, section 3: 128 bits that nobody guesses. */
const saltBytes = 16;
const { keyId: keyIdBytes, tag: tagBytes, header: headerBytes } = envelopeParts;
const plainVersion = 0;
/** A plain envelope is text: the character of its version, then the key id as hexadecimal characters. */
const plainHeaderBytes = 1 + 2 * keyIdBytes;

/** The vault that fits a store: encrypting where anything lies at rest, plain where nothing does. */
export function openVault(parts: VaultParts): Vault {
  return parts.store.survivesRestart ? encryptingVault(parts) : plainVault(parts);
}

/** Commitment to a value: SHA-256 over the salt's 32 hexadecimal characters followed by the canonical JSON text, as UTF-8. */
export function commit(salt: string, canonicalText: string): string {
  return sha256Hex(salt + canonicalText);
}

/** Names of the values that do not fit what an entry committed to: altered, added, or left out. */
export function brokenCommitments(opened: OpenedValues, commitments: Readonly<Record<string, string>>): readonly string[] {
  const names = new Set([...Object.keys(opened), ...Object.keys(commitments)]);
  return [...names].filter((name) => {
    const held = Object.hasOwn(opened, name) ? opened[name] : undefined;
    return held === undefined || !Object.hasOwn(commitments, name) || commit(held.salt, canonicalJson(held.value)) !== commitments[name];
  });
}

/** Id of the data key that an envelope says it is sealed under; `undefined` where the bytes are no envelope. */
export function envelopeKeyId(sealed: Uint8Array): string | undefined {
  const envelope = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (envelope[0] === sealedVersion && envelope.length >= headerBytes + tagBytes) return envelope.toString("hex", 1, 1 + keyIdBytes);
  if (envelope[0] === plainVersion && envelope.length > plainHeaderBytes) return envelope.toString("latin1", 1, plainHeaderBytes);
  return undefined;
}

/** The vault of a store that survives a restart. A 1 KB value costs about 6.5 µs, most of it the cipher. */
export function encryptingVault(parts: VaultParts): Vault {
  const keys = createDataKeys(parts);
  return {
    prepare: (tenant, subject) => keys.prepare(tenant, subject),
    sealValues(place, values) {
      const key = keys.current(place.tenant, place.subject);
      const { text, commitments } = assemble(values, parts.random, "");
      return { sealed: encrypt(key.key, { header: key.nextHeader(), place, text }), commitments, keyId: key.id, algorithm: "aes-256-gcm" };
    },
    async openValues(entry) {
      if (entry.sealed === undefined || entry.sealed.length === 0) return undefined;
      const envelope = Buffer.from(entry.sealed.buffer, entry.sealed.byteOffset, entry.sealed.byteLength);
      if (envelope[0] !== sealedVersion || envelope.length < headerBytes + tagBytes) throw alteredValues(entry);
      const key = await keys.find(entry.tenant, envelope.toString("hex", 1, 1 + keyIdBytes));
      if (key === undefined) return undefined;
      try {
        return JSON.parse(decrypt(key, entry, envelope)) as OpenedValues;
      } catch (cause) {
        throw alteredValues(entry, cause);
      }
    },
    eraseTenant: (erasure) => erase(parts, keys, erasure),
    eraseSubject: (erasure) => erase(parts, keys, erasure),
  };
}

/**
 * The vault of a store that ends with the process: the same envelopes and commitments without encryption. An erasure is recorded and values
 * sealed before it are not given out any more; their bytes go with the entries that hold them.
 */
export function plainVault(parts: Pick<VaultParts, "store" | "clock" | "random">): Vault {
  const current = new Map<string, PlainKey>();
  const live = new Set<string>();
  const key = (tenant: string, subject: string | undefined) => {
    const name = subject === undefined ? tenant : `${tenant}\u0000${subject}`;
    let found = current.get(name);
    if (found === undefined) {
      const id = parts.random.bytes(keyIdBytes).toString("hex");
      found = { tenant, subject, id, header: String.fromCharCode(plainVersion) + id };
      current.set(name, found);
      live.add(`${tenant}\u0000${id}`);
    }
    return found;
  };
  const destroy = async (erasure: { readonly tenant: string; readonly subject?: string; readonly by: string }): Promise<Erasure> => {
    const keyIds: string[] = [];
    for (const [name, held] of current) {
      if (held.tenant !== erasure.tenant || (erasure.subject !== undefined && held.subject !== erasure.subject)) continue;
      current.delete(name);
      live.delete(`${held.tenant}\u0000${held.id}`);
      keyIds.push(held.id);
    }
    await parts.store.commit({ operations: [], entries: [keyDestroyed({ ...erasure, keyIds, atMs: parts.clock.now() })] });
    return { keyIds };
  };
  return {
    prepare: () => undefined,
    sealValues(place, values) {
      return new PlainValues(key(place.tenant, place.subject), values, parts.random);
    },
    async openValues(entry) {
      if (entry.sealed === undefined || entry.sealed.length === 0) return undefined;
      const envelope = Buffer.from(entry.sealed.buffer, entry.sealed.byteOffset, entry.sealed.byteLength);
      if (envelope[0] !== plainVersion) throw alteredValues(entry);
      if (!live.has(`${entry.tenant}\u0000${envelope.toString("latin1", 1, plainHeaderBytes)}`)) return undefined;
      return JSON.parse(envelope.toString("utf8", plainHeaderBytes)) as OpenedValues;
    },
    eraseTenant: destroy,
    eraseSubject: destroy,
  };
}

interface PlainKey {
  readonly tenant: string;
  readonly subject: string | undefined;
  readonly id: string;
  readonly header: string;
}

/** Values that lie nowhere at rest: salts, commitments and bytes are made when somebody looks at them, under the key of the time of sealing. */
class PlainValues implements SealedValues {
  readonly algorithm = "plain";
  readonly keyId: string;
  readonly #header: string;
  readonly #random: Random;
  #values: PrivateTexts | undefined;
  #assembly: Assembly | undefined;

  constructor(key: PlainKey, values: PrivateTexts, random: Random) {
    this.keyId = key.id;
    this.#header = key.header;
    this.#values = values;
    this.#random = random;
  }

  get commitments(): Readonly<Record<string, string>> {
    return this.#assembled().commitments;
  }

  get sealed(): Uint8Array {
    return Buffer.from(this.#assembled().text);
  }

  #assembled(): Assembly {
    this.#assembly ??= assemble(this.#values ?? {}, this.#random, this.#header);
    this.#values = undefined;
    return this.#assembly;
  }
}

interface Assembly {
  readonly text: string;
  readonly commitments: Readonly<Record<string, string>>;
}

/** Canonical JSON `{name: {salt, value}}` after `header`, with the commitments. */
function assemble(values: PrivateTexts, random: Random, header: string): Assembly {
  const commitments: Record<string, string> = {};
  const names = Object.keys(values);
  if (names.length > 1) names.sort();
  let text = `${header}{`;
  let separator = "";
  for (const name of names) {
    const given = values[name];
    if (given === undefined) continue;
    const value = typeof given === "string" ? given : given.text;
    const salt = random.bytes(saltBytes).toString("hex");
    commitments[name] = commit(salt, value);
    // The value is canonical JSON already: it is put in as it is rather than parsed and written again.
    text += `${separator}${canonicalJson(name)}:{"salt":"${salt}","value":${value}}`;
    separator = ",";
  }
  return { text: `${text}}`, commitments };
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(131_072);

/** The UTF-8 bytes of a text, in memory that the next use overwrites: the cipher takes bytes faster than a string. */
function utf8(text: string): Uint8Array {
  // A UTF-16 unit takes at most three bytes. Memory for an unusually long text is not kept.
  const target = text.length * 3 <= scratch.length ? scratch : new Uint8Array(text.length * 3);
  return target.subarray(0, encoder.encodeInto(text, target).written);
}

function associatedData(place: SealedEntry): Buffer {
  return Buffer.from(`${place.tenant}\u0000${place.callId ?? ""}\u0000${place.kind}`);
}

function encrypt(key: KeyObject, parts: { readonly header: Buffer; readonly place: SealPlace; readonly text: string }): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, parts.header.subarray(1 + keyIdBytes));
  cipher.setAAD(associatedData(parts.place));
  const ciphertext = cipher.update(utf8(parts.text));
  cipher.final();
  return Buffer.concat([parts.header, ciphertext, cipher.getAuthTag()]);
}

function decrypt(key: KeyObject, entry: SealedEntry, envelope: Buffer): string {
  const decipher = createDecipheriv("aes-256-gcm", key, envelope.subarray(1 + keyIdBytes, headerBytes), { authTagLength: tagBytes });
  decipher.setAAD(associatedData(entry));
  decipher.setAuthTag(envelope.subarray(envelope.length - tagBytes));
  return decipher.update(envelope.subarray(headerBytes, envelope.length - tagBytes), undefined, "utf8") + decipher.final("utf8");
}

async function erase(
  parts: VaultParts,
  keys: DataKeys,
  erasure: { readonly tenant: string; readonly subject?: string; readonly by: string },
): Promise<Erasure> {
  const keyIds = await keys.destroy(erasure, (destroyed) => keyDestroyed({ ...erasure, keyIds: destroyed, atMs: parts.clock.now() }));
  return { keyIds };
}
