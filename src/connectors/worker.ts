/**
 * Runs a handler in worker threads, so that one that computes for long, or for ever, cannot delay the answers of others. A worker does one call at a
 * time; when that call's time is over the worker is ended, with whatever it was doing, and a new one takes its place. The handler cannot clean up
 * then, and what it may have done is reported as any lost attempt.
 */
import { Worker } from "node:worker_threads";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Connector, Execution, ExecutionResult } from "../domain/tool.ts";
import { classifyThrown } from "../resilience/classify.ts";
import { ToolFailure } from "../resilience/tool-failure.ts";
import type { FromWorker, ToWorker, WorkerTarget } from "./worker-messages.ts";

/** Where the handler is found. */
export interface WorkerOptions {
  /** The module, as a `file:` URL; it is imported inside each worker. */
  readonly module: URL;
  /** Name of the exported function. Default `run`. */
  readonly exportName?: string;
}

/** A connector over at most `workersMax` workers; `workerQueueMax` calls wait for one, further ones fail as `unavailable` without effect. */
export function workerConnector(options: WorkerOptions, parts: { readonly limits: Limits } = { limits: defaultLimits }): Connector {
  return new WorkerConnector({ module: options.module.href, exportName: options.exportName ?? "run" }, parts.limits);
}

interface Job {
  readonly args: JsonObject;
  readonly execution: Execution;
  readonly resolve: (result: ExecutionResult) => void;
  worker: Worker | undefined;
  isDone: boolean;
}

const threadFile = new URL(import.meta.url.endsWith(".ts") ? "./worker-thread.ts" : "./worker-thread.js", import.meta.url);

class WorkerConnector implements Connector {
  readonly kind = "worker";
  readonly #target: WorkerTarget;
  readonly #limits: Limits;
  readonly #idle: Worker[] = [];
  readonly #queue: Job[] = [];
  readonly #jobs = new Map<Worker, Job>();
  /** Given up, and not gone yet: they count, so that there are never more threads than allowed. */
  readonly #ending = new Set<Worker>();

  constructor(target: WorkerTarget, limits: Limits) {
    this.#target = target;
    this.#limits = limits;
  }

  execute(args: JsonObject, execution: Execution): Promise<ExecutionResult> {
    execution.mark?.("unsent");
    return new Promise((resolve) => {
      const job: Job = { args, execution, resolve, worker: undefined, isDone: false };
      if (this.#queue.length >= this.#limits.workerQueueMax) {
        finish(
          job,
          failed(new ToolFailure({ kind: "unavailable", message: `\`${execution.tool.name}\` is busy`, effect: "none" }), job, false),
        );
        return;
      }
      execution.signal.addEventListener("abort", () => this.#abandon(job), { once: true });
      this.#queue.push(job);
      this.#next();
    });
  }

  async close(): Promise<void> {
    for (const job of this.#queue.splice(0))
      finish(job, failed(new ToolFailure({ kind: "unavailable", message: "the process is stopping", effect: "none" }), job, false));
    const workers = [...this.#idle.splice(0), ...this.#jobs.keys(), ...this.#ending];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? (this.#jobs.size + this.#ending.size < this.#limits.workersMax ? this.#spawn() : undefined);
      if (worker === undefined) return;
      this.#start(worker, this.#queue.shift() as Job);
    }
  }

  #spawn(): Worker {
    const worker = new Worker(threadFile, {
      workerData: this.#target,
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.workerHeapMegabytesMax },
    });
    worker.on("message", (message: FromWorker) => this.#receive(worker, message));
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", () => {
      this.#ending.delete(worker);
      this.#lost(worker, new Error("the worker ended"));
    });
    return worker;
  }

  #start(worker: Worker, job: Job): void {
    const { callId, key, principal, sessionId, tool, attempt } = job.execution;
    job.worker = worker;
    this.#jobs.set(worker, job);
    worker.ref();
    job.execution.mark?.("sent");
    worker.postMessage({ kind: "run", args: job.args, callId, key, principal, sessionId, tool, attempt } satisfies ToWorker);
  }

  #receive(worker: Worker, message: FromWorker): void {
    const job = this.#jobs.get(worker);
    if (job === undefined) return;
    switch (message.kind) {
      case "progress":
        job.execution.progress(message.message);
        return;
      case "conceal":
        job.execution.conceal(message.value);
        return;
      case "secret":
        void answerSecret(worker, job, message);
        return;
      case "result":
        this.#release(worker, job, message.result);
        return;
      case "thrown": {
        const { declared, text } = message;
        const thrown = declared === undefined ? new Error(text) : new ToolFailure(withoutUndefined(declared));
        this.#release(worker, job, failed(thrown, job, true));
      }
    }
  }

  #release(worker: Worker, job: Job, result: ExecutionResult): void {
    this.#jobs.delete(worker);
    // An idle worker does not keep the process alive.
    worker.unref();
    this.#idle.push(worker);
    finish(job, result);
    this.#next();
  }

  #abandon(job: Job): void {
    if (job.isDone) return;
    const { worker } = job;
    const queued = this.#queue.indexOf(job);
    if (queued >= 0) this.#queue.splice(queued, 1);
    if (worker !== undefined) {
      this.#jobs.delete(worker);
      this.#ending.add(worker);
      // Its `exit` is what makes room for the next call; a promise that fails has nothing to add.
      worker.terminate().catch(() => {});
    }
    finish(job, failed(new Error("the attempt is over"), job, worker !== undefined));
  }

  #lost(worker: Worker, error: unknown): void {
    const idle = this.#idle.indexOf(worker);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const job = this.#jobs.get(worker);
    this.#jobs.delete(worker);
    if (job !== undefined) finish(job, failed(error, job, true));
    this.#next();
  }
}

function finish(job: Job, result: ExecutionResult): void {
  if (job.isDone) return;
  job.isDone = true;
  job.resolve(result);
}

function failed(thrown: unknown, job: Job, isSent: boolean): ExecutionResult {
  return { kind: "failure", failure: classifyThrown(thrown, job.execution.tool, isSent) };
}

async function answerSecret(worker: Worker, job: Job, message: { readonly id: number; readonly reference: string }): Promise<void> {
  const value = await job.execution.secret(message.reference).catch(() => undefined);
  worker.postMessage({ kind: "secret", id: message.id, value } satisfies ToWorker);
}

function withoutUndefined(
  declared: Extract<FromWorker, { readonly kind: "thrown" }>["declared"] & object,
): ConstructorParameters<typeof ToolFailure>[0] {
  const { kind, message, effect, retryAfterMs } = declared;
  return { kind, message, ...(effect !== undefined && { effect }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
