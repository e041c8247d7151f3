import { open, readFile, type FileHandle } from "node:fs/promises";
import { canonicalJson } from "../base/canonical-json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { readCheckpoint, type Checkpoint } from "./checkpoint.ts";

/**
 * A place outside the store where checkpoints are kept. Only an anchor shows that a store was cut off or taken back to an older copy: keep it
 * where whoever can write the store cannot.
 */
export type Anchor =
  /** Appends one line of canonical JSON per checkpoint. */
  | { readonly kind: "file"; readonly path: string }
  /** Hands the checkpoint to somebody, such as a webhook. A rejection is reported and does not stop anything. */
  | { readonly kind: "call"; readonly name: string; readonly send: (checkpoint: Checkpoint) => Promise<void> };

/** Keeps a checkpoint at an anchor; resolves when a file's line is on disk. Rejects when it could not be kept. */
export async function anchorCheckpoint(anchor: Anchor, checkpoint: Checkpoint): Promise<void> {
  if (anchor.kind === "call") return anchor.send(checkpoint);
  const file = await open(anchor.path, "a+", 0o600);
  try {
    await dropTornLine(file);
    await file.appendFile(`${canonicalJson(checkpoint)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** A line that a crash cut off says nothing, and would spoil the one that is appended to it. */
async function dropTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  if (last.toString() === "\n") return;
  const text = await file.readFile("latin1");
  await file.truncate(text.lastIndexOf("\n") + 1);
}

/**
 * The checkpoints of an anchor file, in order. A line that is not a checkpoint is `CONFIG_INVALID` with its number; only a last line without an
 * end is left out, since a crash may have cut it.
 */
export async function readAnchorFile(path: string): Promise<readonly Checkpoint[]> {
  const lines = (await readFile(path, "utf8")).split("\n");
  // What follows the last line end is nothing, or a line that was never finished.
  lines.pop();
  return lines.map((line, index) => {
    const checkpoint = readCheckpoint(parseLine(line));
    if (checkpoint === undefined)
      throw toolCallError("CONFIG_INVALID", `line ${index + 1} of the anchor file \`${path}\` is not a checkpoint`);
    return checkpoint;
  });
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // A line that is no JSON is reported by the caller like one that is no checkpoint.
    return undefined;
  }
}
