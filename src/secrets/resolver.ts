/**
 * Resolves `secret://` references. A reference is what configuration, policies and the ledger hold; its value is fetched after the decision, for
 * one attempt, and told to the redactor first. Values are kept only briefly, so that a rotated secret is used without a restart.
 */
import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { parseSecretReference, type SecretReference } from "./reference.ts";

/** A file as the resolver needs to see it. */
export interface SecretFile {
  readonly text: string;
  /** Permission bits, such as 0o600; undefined where the system has none. */
  readonly mode: number | undefined;
}

/** What a resolver works with. */
export interface SecretResolverParts {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads a file; rejects where there is none. `readSecretFile` is the real one. */
  readonly readFile: (path: string) => Promise<SecretFile>;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Told every value before anybody gets it: the redactor. */
  readonly redactor?: { addSecret(value: string): void } | undefined;
  /** Told of a secret file that others on the machine can read. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** Turns references into values. */
export interface SecretResolver {
  /**
   * The value of a reference such as `secret://env/CRM_TOKEN` or `secret://file/run/secrets/crm`; one trailing line end of a file is not part of
   * it. Throws `CONFIG_INVALID`, which names the reference and what would be right, never a value.
   */
  resolve(reference: string): Promise<string>;
}

interface Kept {
  readonly value: string;
  readonly untilMs: number;
}

/** A resolver whose values are kept for `secretCacheMs`. */
export function createSecretResolver(parts: SecretResolverParts): SecretResolver {
  const kept = new Map<string, Kept>();
  // One read for all who ask at the same time.
  const reading = new Map<string, Promise<string>>();
  return {
    async resolve(text) {
      const known = kept.get(text);
      if (known !== undefined && parts.clock.monotonic() < known.untilMs) return known.value;
      const running = reading.get(text);
      if (running !== undefined) return running;
      const read = readSecret(parts, parseSecretReference(text)).finally(() => reading.delete(text));
      reading.set(text, read);
      const value = await read;
      if (kept.size >= parts.limits.secretsMax && !kept.has(text)) kept.delete(kept.keys().next().value as string);
      kept.set(text, { value, untilMs: parts.clock.monotonic() + parts.limits.secretCacheMs });
      return value;
    },
  };
}

async function readSecret(parts: SecretResolverParts, reference: SecretReference): Promise<string> {
  const value = reference.kind === "env" ? fromEnvironment(parts, reference) : await fromFile(parts, reference);
  if (value === "") throw unresolved(reference, "it is empty");
  // A rotated value is still redacted, since answers to requests under the old one may be on their way.
  parts.redactor?.addSecret(value);
  return value;
}

function fromEnvironment(parts: SecretResolverParts, reference: SecretReference): string {
  const value = Object.hasOwn(parts.environment, reference.name) ? parts.environment[reference.name] : undefined;
  if (value === undefined) throw unresolved(reference, `set the environment variable \`${reference.name}\``);
  return value;
}

async function fromFile(parts: SecretResolverParts, reference: SecretReference): Promise<string> {
  let file: SecretFile;
  try {
    file = await parts.readFile(reference.name);
  } catch (cause) {
    throw unresolved(reference, `the file \`${reference.name}\` cannot be read`, cause);
  }
  if (file.mode !== undefined && (file.mode & 0o077) !== 0) {
    const mode = (file.mode & 0o777).toString(8).padStart(4, "0");
    parts.onWarning?.(`secret file \`${reference.name}\` has mode ${mode}, others on this machine can read it; chmod 600 it`);
  }
  return file.text.replace(/\r?\n$/, "");
}

function unresolved(reference: SecretReference, mend: string, cause?: unknown): Error {
  return toolCallError("CONFIG_INVALID", `secret \`${reference.text}\` cannot be resolved: ${mend}`, { cause });
}
