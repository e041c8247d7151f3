/**
 * The worker thread of a SQLite store: everything that may take long runs here on a connection of its own, so that the thread that answers calls
 * only writes groups into the commit log and reads points. While a store is open nobody else writes its tables.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { bringInThrough, Tables } from "./sqlite-bring-in.ts";
import { dropBatches } from "./sqlite-drop.ts";
import type { OffloadOptions, OffloadReply, OffloadRequest, OffloadTask, TaskResults } from "./sqlite-offload.ts";
import { openWriting } from "./sqlite-open.ts";
import { sqliteCode } from "./sqlite-problem.ts";
import { sqliteQueries } from "./sqlite-read.ts";

const { path, owner, busyMs } = workerData as OffloadOptions;
const db = openWriting(path, busyMs);
const queries = sqliteQueries(db);
const tables = new Tables(db, queries);

function run(task: OffloadTask): TaskResults[OffloadTask["kind"]] {
  switch (task.kind) {
    case "scan":
      return queries.scan(task.range);
    case "due":
      return queries.due(task.query);
    case "due-counters":
      return queries.dueCounters(task.query);
    case "entries":
      return queries.entries(task.query);
    case "batches":
      return queries.batches(task.query);
    case "backup":
      return backup(task.path);
    case "bring-in":
      return bringInThrough(db, tables, { path, owner }, task);
    case "drop":
      return dropBatches(db, task.epoch, task.throughSeq);
    case "check":
      return check();
  }
}

function backup(to: string): undefined {
  db.prepare("vacuum into ?").run(to);
  const file = openSync(to, "r");
  fsyncSync(file);
  closeSync(file);
  return undefined;
}

function check(): readonly string[] {
  const rows = db.prepare("pragma integrity_check(20)").all();
  return rows.map((row) => String(row["integrity_check"])).filter((line) => line !== "ok");
}

assert(parentPort !== null, "the store's worker runs in a worker thread");
const port = parentPort;
port.on("message", (request: OffloadRequest) => {
  let reply: OffloadReply;
  try {
    reply = { id: request.id, kind: "done", value: run(request.task) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    reply = { id: request.id, kind: "failed", message, errcode: sqliteCode(error) };
  }
  port.postMessage(reply);
});
