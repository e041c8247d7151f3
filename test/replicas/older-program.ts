import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The version that the present one has to be able to replace, and to be replaced by, while calls go on: the newest commit before the store's statements on
 * PostgreSQL were changed for speed. Once versions are released, this is the last release; a later commit may take its place, never an earlier one.
 */
export const olderCommit = "be2a3524615ee5a88447b2edbf65fa5f5ef3908e";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** A program on disk. */
export interface OlderProgram {
  /** What Node.js is given to run. */
  readonly path: string;
  remove(): void;
}

/** Takes the older program out of the history. Throws with what is missing where the checkout does not have it. */
export function takeOlderProgram(): OlderProgram {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-older-"));
  const archive = join(folder, "older.tar");
  const tree = join(folder, "tree");
  mkdirSync(tree);
  try {
    run("git", ["-C", checkout, "archive", "--output", archive, olderCommit, "bin", "src", "package.json"]);
    run("tar", ["-xf", archive, "-C", tree]);
    symlinkSync(join(checkout, "node_modules"), join(tree, "node_modules"));
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(
      `this suite needs git, tar and commit ${olderCommit} in the history, to run the older program beside the present one; a shallow clone does not have it: \`git fetch --unshallow\`, or check out the whole history`,
      { cause },
    );
  }
  return { path: join(tree, "bin", "signalbox.js"), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${stderr || String(error)}`);
}
