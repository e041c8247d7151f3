import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { Invocation } from "./command.ts";

/** A file as JSON, its path from the folder in which the command was given. `REQUEST_INVALID` where it cannot be read as that. */
export async function readJsonFile(invocation: Invocation, file: string): Promise<unknown> {
  const path = resolve(invocation.folder, file);
  try {
    return JSON.parse(await readFile(path, "utf8")) as unknown;
  } catch (cause) {
    throw toolCallError("REQUEST_INVALID", `\`${path}\` cannot be read as JSON`, { cause });
  }
}
