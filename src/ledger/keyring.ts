import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, hkdfSync, sign, verify, type KeyObject } from "node:crypto";
import { sha256Hex } from "../base/hash.ts";
import type { Random } from "../base/random.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";

/**
 * The installation's own keys. A pair of secrets has one id: a master key that wraps the data keys of tenants, and an Ed25519 key that signs
 * checkpoints and tombstones. Several pairs may be held at once: the first wraps and signs, all of them open and verify, so that keys rotate
 * with overlap. How they are kept in a file is the subject of `key-file.ts`.
 */

/** A public signing key, for people who verify without trusting the installation. */
export interface PublicKey {
  readonly id: string;
  readonly algorithm: "ed25519";
  /** The raw 32 bytes, base64url. */
  readonly key: string;
}

/** A signature with what is needed to check it. */
export interface Signature {
  readonly algorithm: "ed25519";
  readonly keyId: string;
  /** 64 bytes, base64url. */
  readonly signature: string;
}

/** A data key as it lies in the store: encrypted by a master key (AES-256-GCM). All members base64url but the id. */
export interface WrappedKey {
  readonly keyId: string;
  readonly nonce: string;
  readonly ciphertext: string;
}

/** What the ledger can do with the installation's keys; the secrets themselves never leave it. */
export interface Keyring {
  /** Id of the pair that wraps and signs now. */
  readonly currentId: string;
  /** Every public key that old signatures may carry, the current one first. */
  readonly publicKeys: readonly PublicKey[];
  /** Encrypts a data key under the current master key. `boundTo` names its place; it opens nowhere else. */
  wrap(dataKey: Uint8Array, boundTo: string): WrappedKey;
  /** Opens a data key. `LEDGER_UNAVAILABLE` when its master key is not held or the bytes were altered. */
  unwrap(wrapped: WrappedKey, boundTo: string): Buffer;
  /** Signs the UTF-8 bytes of a text with the current signing key; about 40 µs. */
  sign(text: string): Signature;
}

/** The secrets of one pair: 32 bytes each. */
export interface KeySecrets {
  readonly master: Uint8Array;
  /** Seed of the Ed25519 key (RFC 8032 section 5.1.5). */
  readonly signingSeed: Uint8Array;
}

interface KeyPair {
  readonly publicKey: PublicKey;
  readonly master: Uint8Array;
  readonly signing: KeyObject;
}

/** @see NIST SP 800-38D for AES-256-GCM, RFC 8032 for the seed of Ed25519. */
const [secretBytes, nonceBytes, tagBytes] = [32, 12, 16];
/** PKCS #8 and SubjectPublicKeyInfo headers of an Ed25519 key (RFC 8410): what precedes the 32 bytes. */
const pkcs8Header = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiHeader = Buffer.from("302a300506032b6570032100", "hex");

/** Draws the secrets of a new pair. */
export function newKeySecrets(random: Random): KeySecrets {
  return { master: random.bytes(secretBytes), signingSeed: random.bytes(secretBytes) };
}

/** A keyring over pairs of secrets, the current one first. `CONFIG_INVALID` for none or for secrets of another length. */
export function createKeyring(secrets: readonly KeySecrets[], random: Random): Keyring {
  const pairs = secrets.map(keyPair);
  const current = pairs[0];
  if (current === undefined) throw toolCallError("CONFIG_INVALID", "there is no installation key; give at least one");
  const byId = new Map(pairs.map((pair) => [pair.publicKey.id, pair]));
  return {
    currentId: current.publicKey.id,
    publicKeys: pairs.map((pair) => pair.publicKey),
    wrap: (dataKey, boundTo) => wrapKey(current, { dataKey, boundTo, nonce: random.bytes(nonceBytes) }),
    unwrap(wrapped, boundTo) {
      const pair = byId.get(wrapped.keyId);
      if (pair === undefined) throw unopened(`is wrapped by the installation key \`${wrapped.keyId}\`, which is not among the keys held`);
      return unwrapKey(pair, wrapped, boundTo);
    },
    sign: (text) => ({
      algorithm: "ed25519",
      keyId: current.publicKey.id,
      signature: sign(null, Buffer.from(text), current.signing).toString("base64url"),
    }),
  };
}

/** Keys that live as long as the process, for a store that does too. */
export function memoryKeyring(random: Random): Keyring {
  return createKeyring([newKeySecrets(random)], random);
}

/**
 * Keys derived (HKDF-SHA-256) from secret values of 32 bytes, written as 64 hexadecimal characters, separated by commas or white space, the
 * current one first: for installations whose secrets come from an environment or a vault instead of a file. `CONFIG_INVALID` otherwise; the
 * error never shows the value.
 */
export function keyringFromSecret(secret: string, random: Random): Keyring {
  const values = secret.split(/[\s,]+/).filter((value) => value !== "");
  if (values.length === 0 || values.some((value) => !/^[0-9a-f]{64}$/i.test(value)))
    throw toolCallError(
      "CONFIG_INVALID",
      "the ledger key must be 64 hexadecimal characters, or several such values with the current one first",
    );
  const derive = (value: string, purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", Buffer.from(value, "hex"), "", `signalbox ${purpose}`, secretBytes));
  return createKeyring(
    values.map((value) => ({ master: derive(value, "master key"), signingSeed: derive(value, "signing key") })),
    random,
  );
}

/** Whether one of the given keys made this signature over this text. A key id that is not among them is not. */
export function isSignedBy(publicKeys: readonly PublicKey[], text: string, signature: Signature): boolean {
  const known = publicKeys.find((key) => key.id === signature.keyId);
  if (known === undefined || signature.algorithm !== "ed25519") return false;
  const raw = Buffer.from(known.key, "base64url");
  const bytes = Buffer.from(signature.signature, "base64url");
  // One signature has one text form; without this, trailing bits of base64 could be changed unnoticed.
  if (raw.length !== secretBytes || bytes.toString("base64url") !== signature.signature) return false;
  return verify(null, Buffer.from(text), createPublicKey({ key: Buffer.concat([spkiHeader, raw]), format: "der", type: "spki" }), bytes);
}

function keyPair(secrets: KeySecrets): KeyPair {
  if (secrets.master.length !== secretBytes || secrets.signingSeed.length !== secretBytes)
    throw toolCallError("CONFIG_INVALID", `an installation key must be ${secretBytes} bytes`);
  const signing = createPrivateKey({ key: Buffer.concat([pkcs8Header, secrets.signingSeed]), format: "der", type: "pkcs8" });
  const raw = createPublicKey(signing).export({ format: "der", type: "spki" }).subarray(spkiHeader.length);
  // The id covers the signing key, so that nobody can present another key under a known id.
  const publicKey: PublicKey = { id: `ik_${sha256Hex(raw).slice(0, 32)}`, algorithm: "ed25519", key: raw.toString("base64url") };
  return { publicKey, master: secrets.master, signing };
}

function wrapKey(pair: KeyPair, parts: { readonly dataKey: Uint8Array; readonly boundTo: string; readonly nonce: Buffer }): WrappedKey {
  const cipher = createCipheriv("aes-256-gcm", pair.master, parts.nonce);
  cipher.setAAD(Buffer.from(parts.boundTo));
  const ciphertext = Buffer.concat([cipher.update(parts.dataKey), cipher.final(), cipher.getAuthTag()]);
  return { keyId: pair.publicKey.id, nonce: parts.nonce.toString("base64url"), ciphertext: ciphertext.toString("base64url") };
}

function unwrapKey(pair: KeyPair, wrapped: WrappedKey, boundTo: string): Buffer {
  const bytes = Buffer.from(wrapped.ciphertext, "base64url");
  try {
    const decipher = createDecipheriv("aes-256-gcm", pair.master, Buffer.from(wrapped.nonce, "base64url"), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(boundTo));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - tagBytes)), decipher.final()]);
  } catch (cause) {
    throw unopened("does not open: its bytes were altered or belong to another place", cause);
  }
}

function unopened(what: string, cause?: unknown): ToolCallError {
  return toolCallError("LEDGER_UNAVAILABLE", `a data key in the store ${what}`, { cause });
}
