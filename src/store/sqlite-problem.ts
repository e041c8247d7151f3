/** What is said when the store's files cannot be written, and whether they may be written again. */
import { internalError, toolCallError, ToolCallError } from "../errors/tool-call-error.ts";

// SQLite's primary result codes, and errors of the file system, that say that there is no space, or that another holds a lock.
const sqliteFull = 13;
const sqliteBusy = 5;
const fullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** SQLite's primary result code of an error, `undefined` for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** The code of an error of the file system, `undefined` for any other error. */
function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/** Whether the log is as before and may be written again: there was no space. */
export function isPassing(cause: unknown): boolean {
  return fullCodes.has(systemCode(cause) ?? "");
}

/** A write, or a read that a write rests on, failed. `LEDGER_UNAVAILABLE` for SQLite and the file system, `INTERNAL` for anything else. */
export function writeProblem(cause: unknown): ToolCallError {
  if (cause instanceof ToolCallError) return cause;
  const [ofSqlite, ofSystem] = [sqliteCode(cause), systemCode(cause)];
  if (ofSqlite === undefined && ofSystem === undefined) return internalError(cause);
  const isFull = ofSqlite === sqliteFull || fullCodes.has(ofSystem ?? "");
  return isFull ? storeFull(cause) : refused("the disk refused it", cause);
}

/** What is in the log cannot be brought into the tables, which the worker's error says why, and the log has no more room. */
export function noRoom(cause: unknown): ToolCallError {
  const inner = cause instanceof ToolCallError ? cause.cause : cause;
  return sqliteCode(inner) === sqliteBusy ? refused("another program holds its file", cause) : writeProblem(inner);
}

/** There is no space for what should be written. */
export function storeFull(cause?: unknown): ToolCallError {
  return refused("the disk or the store's size limit is full", cause);
}

function refused(reason: string, cause: unknown): ToolCallError {
  return toolCallError(
    "LEDGER_UNAVAILABLE",
    `the store could not write, because ${reason}; nothing of this change holds, repeat it later`,
    { cause },
  );
}
