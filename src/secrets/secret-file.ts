import { open } from "node:fs/promises";
import { defaultLimits } from "../base/limits.ts";
import type { SecretFile } from "./resolver.ts";

const { secretFileBytesMax } = defaultLimits;

/** Reads a secret file of at most `secretFileBytesMax` with its permissions; rejects for anything that is not a regular file. */
export async function readSecretFile(path: string): Promise<SecretFile> {
  const handle = await open(path, "r");
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new TypeError("a secret file must be a regular file");
    if (stat.size > secretFileBytesMax) throw new RangeError(`a secret file holds at most ${secretFileBytesMax} bytes`);
    return { text: await handle.readFile("utf8"), mode: process.platform === "win32" ? undefined : stat.mode & 0o777 };
  } finally {
    await handle.close();
  }
}
