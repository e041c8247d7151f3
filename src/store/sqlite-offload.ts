import { Worker } from "node:worker_threads";
import { toolCallError } from "../errors/tool-call-error.ts";
import type { Round } from "./sqlite-bring-in.ts";
import type { LogOwner } from "./log-file.ts";
import type { Batch, BatchQuery, DueQuery, Entry, EntryQuery, Row, RowKey, RowRange } from "./store.ts";

/** What can be asked of the store's worker thread. */
export type OffloadTask =
  | { readonly kind: "scan"; readonly range: RowRange }
  | { readonly kind: "due"; readonly query: DueQuery }
  | { readonly kind: "due-counters"; readonly query: DueQuery }
  | { readonly kind: "entries"; readonly query: EntryQuery }
  | { readonly kind: "batches"; readonly query: BatchQuery }
  | { readonly kind: "backup"; readonly path: string }
  /** Brings frames of the commit log into the tables. */
  | ({ readonly kind: "bring-in" } & Round)
  /** Drops whole batches of an epoch, about a slice of entries. */
  | { readonly kind: "drop"; readonly epoch: number; readonly throughSeq: number }
  /** SQLite's own check of the file's structure: what is wrong, at most 20 lines. */
  | { readonly kind: "check" };

/** What each of them answers. */
export interface TaskResults {
  readonly scan: readonly Row[];
  readonly due: readonly Row[];
  readonly "due-counters": readonly RowKey[];
  readonly entries: readonly Entry[];
  readonly batches: readonly Batch[];
  readonly backup: undefined;
  /** Bytes of the file that are in use afterwards. */
  readonly "bring-in": number;
  /** How many entries went; 0 when there is nothing left to drop. */
  readonly drop: number;
  readonly check: readonly string[];
}

/** A task on its way to the worker. */
export interface OffloadRequest {
  readonly id: number;
  readonly task: OffloadTask;
}

/** Its answer on the way back. */
export type OffloadReply =
  | { readonly id: number; readonly kind: "done"; readonly value: TaskResults[OffloadTask["kind"]] }
  | { readonly id: number; readonly kind: "failed"; readonly message: string; readonly errcode?: number | undefined };

/** A worker thread that is started when first needed, and never keeps the process alive unless somebody waits for it. */
export interface Offload {
  /** Whether the thread runs: starting it takes longer than a small task. */
  readonly isStarted: boolean;
  run<Kind extends OffloadTask["kind"]>(task: Extract<OffloadTask, { readonly kind: Kind }>): Promise<TaskResults[Kind]>;
  close(): Promise<void>;
}

type Pending = PromiseWithResolvers<never>;

/** What the worker is started with. */
export interface OffloadOptions {
  /** The store's file. */
  readonly path: string;
  readonly owner: LogOwner;
  readonly busyMs: number;
}

/** Makes the hand-over to a worker for a store file. Tasks run one after the other. */
export function createOffload(options: OffloadOptions): Offload {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let lastId = 0;
  let isClosing = false;

  function start(): Worker {
    // The compiled file has the ending of the file that starts it.
    const source = new URL(import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js", import.meta.url);
    const started = new Worker(source, { workerData: options });
    started.unref();
    started.on("message", (reply: OffloadReply) => settle(started, reply));
    started.on("error", (cause) => failAll(started, cause));
    started.on("exit", () => failAll(started, undefined));
    return started;
  }

  function settle(from: Worker, reply: OffloadReply): void {
    const waiter = pending.get(reply.id);
    pending.delete(reply.id);
    // A thread that ends keeps the process alive until it has: whoever closes waits for that, and maybe nothing else is left to do.
    if (pending.size === 0 && !isClosing) from.unref();
    if (reply.kind === "done") waiter?.resolve(reply.value as never);
    else
      waiter?.reject(
        taskProblem(reply.errcode === undefined ? reply.message : Object.assign(new Error(reply.message), { errcode: reply.errcode })),
      );
  }

  function failAll(from: Worker, cause: unknown): void {
    if (worker !== from) return;
    worker = undefined;
    for (const waiter of pending.values()) waiter.reject(taskProblem(cause ?? "the store's worker thread ended"));
    pending.clear();
  }

  return {
    get isStarted() {
      return worker !== undefined;
    },
    run(task) {
      worker ??= start();
      lastId += 1;
      const waiter: Pending = Promise.withResolvers();
      pending.set(lastId, waiter);
      worker.ref();
      worker.postMessage({ id: lastId, task } satisfies OffloadRequest);
      return waiter.promise;
    },
    async close() {
      const ending = worker;
      if (ending === undefined) return;
      isClosing = true;
      await ending.terminate();
      isClosing = false;
      failAll(ending, undefined);
    },
  };
}

function taskProblem(cause: unknown): Error {
  return toolCallError("LEDGER_UNAVAILABLE", "the store could not do this in its worker thread; repeat it later", { cause });
}
