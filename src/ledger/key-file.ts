import { link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { platform } from "node:process";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { createKeyring, newKeySecrets, type Keyring, type KeySecrets } from "./keyring.ts";

/**
 * The installation's keys in a file: JSON `{version: 1, keys: [{createdAtMs, master, signingSeed}]}`, the current pair first, readable by its
 * owner only. Whoever loses it loses the private values; whoever else reads it can sign.
 */
interface KeyFile {
  readonly version: 1;
  readonly keys: readonly { readonly createdAtMs: number; readonly master: string; readonly signingSeed: string }[];
}

/** What handling a key file needs. */
export interface KeyFileParts {
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Opens the keys of a file, creating it (mode 0600) if there is none. `CONFIG_INVALID` when it is not a key file, or when others may read it
 * (not checked on Windows, where the mode does not say).
 */
export async function openKeyFile(parts: KeyFileParts): Promise<Keyring> {
  const found = await readKeyFile(parts.path);
  if (found !== undefined) return keyringOf(found, parts);
  await writeKeyFile(parts, { version: 1, keys: [newPair(parts)] }, link);
  const created = await readKeyFile(parts.path);
  if (created === undefined) throw toolCallError("CONFIG_INVALID", `the key file \`${parts.path}\` vanished while it was created`);
  return keyringOf(created, parts);
}

/** Puts a new pair in front; old ones go on opening and verifying. Running processes use it after their next start. */
export async function rotateKeyFile(parts: KeyFileParts): Promise<Keyring> {
  const found = await readKeyFile(parts.path);
  if (found === undefined) throw toolCallError("CONFIG_INVALID", `there is no key file \`${parts.path}\` to rotate`);
  const rotated: KeyFile = { version: 1, keys: [newPair(parts), ...found.keys] };
  await writeKeyFile(parts, rotated, rename);
  return keyringOf(rotated, parts);
}

async function readKeyFile(path: string): Promise<KeyFile | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if (platform !== "win32" && (mode & 0o077) !== 0)
      throw toolCallError(
        "CONFIG_INVALID",
        `the key file \`${path}\` can be read by others (mode ${(mode & 0o777).toString(8)}); run \`chmod 600 ${path}\``,
      );
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  return parseKeyFile(path, text);
}

function parseKeyFile(path: string, text: string): KeyFile {
  let value: Partial<KeyFile> | null;
  try {
    value = JSON.parse(text) as Partial<KeyFile> | null;
  } catch {
    // The cause is left out: a parser's message quotes the text, and the text is secret.
    throw toolCallError("CONFIG_INVALID", `the key file \`${path}\` is not JSON`);
  }
  const isSound = value?.version === 1 && Array.isArray(value.keys) && value.keys.length > 0 && value.keys.every(isPair);
  if (!isSound) throw toolCallError("CONFIG_INVALID", `the key file \`${path}\` is not a key file of version 1 with at least one key`);
  return value as KeyFile;
}

function isPair(pair: unknown): boolean {
  if (typeof pair !== "object" || pair === null) return false;
  const { master, signingSeed } = pair as { readonly master?: unknown; readonly signingSeed?: unknown };
  return typeof master === "string" && typeof signingSeed === "string";
}

/** Writes beside the file and puts it in place whole: `link` refuses to replace one that another process made meanwhile, `rename` replaces. */
async function writeKeyFile(parts: KeyFileParts, content: KeyFile, place: (from: string, to: string) => Promise<void>): Promise<void> {
  const draft = `${parts.path}.${parts.random.bytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600).catch((cause: unknown) => {
    throw toolCallError(
      "CONFIG_INVALID",
      `the key file \`${parts.path}\` cannot be written; make its folder, give the right to write there, or name another place under \`keys\``,
      { cause },
    );
  });
  try {
    await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await place(draft, parts.path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

function newPair({ clock, random }: KeyFileParts): KeyFile["keys"][number] {
  const { master, signingSeed } = newKeySecrets(random);
  return {
    createdAtMs: clock.now(),
    master: Buffer.from(master).toString("base64url"),
    signingSeed: Buffer.from(signingSeed).toString("base64url"),
  };
}

function keyringOf(file: KeyFile, { random }: KeyFileParts): Keyring {
  const secrets = file.keys.map((pair): KeySecrets => ({
    master: Buffer.from(pair.master, "base64url"),
    signingSeed: Buffer.from(pair.signingSeed, "base64url"),
  }));
  return createKeyring(secrets, random);
}
