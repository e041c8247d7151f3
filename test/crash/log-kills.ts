/**
 * Loaded before anything else into a process that shall die, and into its worker thread: at the point that `KILL_AT` names, after `KILL_AFTER` passages,
 * the process kills itself. The points lie between what the operating system and SQLite are asked to do; nothing in `src/` knows of them.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { DatabaseSync } from "node:sqlite";

const { KILL_AT = "", KILL_AFTER = "0" } = process.env;
const headerBytes = 512;

let passages = 0;
function pass(point: string): boolean {
  if (point !== KILL_AT) return false;
  passages += 1;
  return passages > Number(KILL_AFTER);
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

const { rmSync, writeSync } = fs;

fs.writeSync = ((handle: number, bytes: NodeJS.ArrayBufferView, offset: number, length: number, position: number): number => {
  const name = position === 0 && length === headerBytes ? "header" : "frame";
  if (pass(`before-${name}`)) die();
  if (pass(`inside-${name}`)) {
    writeSync(handle, bytes, offset, Math.floor(length / 2), position);
    die();
  }
  const written = writeSync(handle, bytes, offset, length, position);
  if (pass(`after-${name}`)) die();
  return written;
}) as typeof fs.writeSync;

fs.rmSync = ((path: string, options: fs.RmOptions): void => {
  const isLog = /-log-[12]$/.test(path);
  if (isLog && pass("before-removal")) die();
  rmSync(path, options);
  if (isLog && pass("after-removal")) die();
}) as typeof fs.rmSync;
syncBuiltinESMExports();

// oxlint-disable-next-line typescript/unbound-method -- called on the database that it was taken from
const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function killing(this: DatabaseSync, sql: string): void {
  if (sql === "commit" && pass("inside-bring-in")) die();
  exec.call(this, sql);
  if (sql === "commit" && pass("after-bring-in")) die();
};
