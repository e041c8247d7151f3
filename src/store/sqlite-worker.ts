/**
 * The worker thread of a SQLite store: everything that may take long runs here on a connection of its own, so that the thread that answers calls
 * only writes groups and reads points. It changes nothing in the store's tables.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import type { OffloadReply, OffloadRequest, OffloadTask, TaskResults } from "./sqlite-offload.ts";
import { sqliteQueries } from "./sqlite-read.ts";

const { path, busyMs } = workerData as { readonly path: string; readonly busyMs: number };
const db = new DatabaseSync(path, { timeout: busyMs });
// Checkpoints are asked for; the reading side must not start one when it closes a transaction.
db.exec("pragma wal_autocheckpoint = 0");
const queries = sqliteQueries(db);

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
    case "checkpoint":
      return checkpoint();
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

function checkpoint(): TaskResults["checkpoint"] {
  const row = db.prepare("pragma wal_checkpoint(passive)").get();
  return { pagesInLog: Number(row?.["log"]), pagesMoved: Number(row?.["checkpointed"]) };
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
    reply = { id: request.id, kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply);
});
