import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { sha256 } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError } from "../errors/tool-call-error.ts";

/** A credential with its API key, as resolved from its secret. The key is hashed at once and not kept. */
export interface KeyedCredential {
  readonly credential: Credential;
  readonly key: string;
}

/** Who holds which key. */
export interface ApiKeys {
  /**
   * The credential of an `Authorization: Bearer …` header; undefined for anything else. Presenting the key is the authentication, so the
   * credential says that its holder authenticated now.
   */
  authenticate(header: string | undefined): Credential | undefined;
  /** The token of an `Authorization: Bearer …` header, whoever it belongs to. */
  tokenOf(header: string | undefined): string | undefined;
  /** Whether a credential still has its key. */
  holds(credentialId: string): boolean;
  /**
   * Takes these in place of all that were held: a key that is not among them is refused from now on.
   *
   * @throws ToolCallError `CONFIG_INVALID` as `createApiKeys`; then nothing changes.
   */
  replace(held: readonly KeyedCredential[]): void;
}

interface Holder {
  readonly hash: Buffer;
  readonly credential: Credential;
}

const scheme = /^bearer +([\x21-\x7e]{1,1000})$/i;

/**
 * A table of hashed keys. A key is found by its SHA-256, so that how long looking takes says nothing about a key, and compared in constant time.
 *
 * @throws ToolCallError `CONFIG_INVALID` with every key that is too short or held twice, never showing one.
 */
export function createApiKeys(held: readonly KeyedCredential[], parts: ApiKeyParts): ApiKeys {
  let holders = holdersOf(held, parts.limits);
  return {
    tokenOf: bearerOf,
    holds: (credentialId) => [...holders.values()].some(({ credential }) => credential.id === credentialId),
    authenticate(header) {
      const key = bearerOf(header);
      if (key === undefined) return undefined;
      const hash = sha256(key);
      const holder = holders.get(hash.toString("latin1"));
      if (holder === undefined || !timingSafeEqual(holder.hash, hash)) return undefined;
      return { ...holder.credential, authenticatedAtMs: parts.clock.now() };
    },
    replace(next) {
      holders = holdersOf(next, parts.limits);
    },
  };
}

function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : scheme.exec(header)?.[1];
}

interface ApiKeyParts {
  readonly limits: Pick<Limits, "apiKeyCharsMin">;
  readonly clock: Clock;
}

function holdersOf(held: readonly KeyedCredential[], limits: ApiKeyParts["limits"]): ReadonlyMap<string, Holder> {
  const holders = new Map<string, Holder>();
  const problems: string[] = [];
  for (const { credential, key } of held) {
    const hash = sha256(key);
    const name = hash.toString("latin1");
    const other = holders.get(name);
    if (key.length < limits.apiKeyCharsMin)
      problems.push(`the key of \`${credential.id}\` has fewer than ${limits.apiKeyCharsMin} characters`);
    else if (!/^[\x21-\x7e]+$/.test(key)) problems.push(`the key of \`${credential.id}\` has characters that cannot stand in a header`);
    else if (other !== undefined) problems.push(`\`${credential.id}\` and \`${other.credential.id}\` have the same key`);
    else holders.set(name, { hash, credential });
  }
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", problems.join("; "));
  return holders;
}
