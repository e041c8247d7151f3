/** What runs inside a worker: one function of one module, one call at a time. */
import { parentPort, workerData } from "node:worker_threads";
import type { Execution } from "../domain/tool.ts";
import { ToolFailure } from "../resilience/tool-failure.ts";
import { jsonResult } from "./json-result.ts";
import type { Handler } from "./function.ts";
import type { FromWorker, ToWorker, WorkerTarget } from "./worker-messages.ts";

const target = workerData as WorkerTarget;
const waiting = new Map<number, (value: string | undefined) => void>();
let secretCount = 0;
// Loaded on the first call, so that a module that does not load fails that call with a reason.
let loading: Promise<Handler> | undefined;

parentPort?.on("message", (message: ToWorker) => {
  if (message.kind === "secret") {
    waiting.get(message.id)?.(message.value);
    waiting.delete(message.id);
    return;
  }
  void run(message);
});

function send(message: FromWorker): void {
  parentPort?.postMessage(message);
}

async function run(message: Extract<ToWorker, { readonly kind: "run" }>): Promise<void> {
  try {
    loading ??= load();
    const handler = await loading;
    send({ kind: "result", result: jsonResult(await handler(message.args, executionOf(message)), message.tool) });
  } catch (thrown) {
    const declared =
      thrown instanceof ToolFailure
        ? { kind: thrown.kind, message: thrown.message, effect: thrown.effect, retryAfterMs: thrown.retryAfterMs }
        : undefined;
    send({ kind: "thrown", text: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown), declared });
  }
}

async function load(): Promise<Handler> {
  try {
    const loaded = (await import(target.module)) as Readonly<Record<string, unknown>>;
    const handler = loaded[target.exportName];
    if (typeof handler === "function") return handler as Handler;
  } catch (cause) {
    throw new ToolFailure({
      kind: "failed",
      message: "the tool's module cannot be loaded; its operator must mend it",
      effect: "none",
      cause,
    });
  }
  throw new ToolFailure({ kind: "failed", message: `the tool's module exports no function \`${target.exportName}\``, effect: "none" });
}

function executionOf(message: Extract<ToWorker, { readonly kind: "run" }>): Execution {
  return {
    callId: message.callId,
    key: message.key,
    // An attempt that is over ends the whole worker, so this one never fires.
    signal: new AbortController().signal,
    principal: message.principal,
    sessionId: message.sessionId,
    tool: message.tool,
    attempt: message.attempt,
    conceal: (value) => send({ kind: "conceal", value: String(value) }),
    progress: (text) => send({ kind: "progress", message: String(text) }),
    async secret(reference) {
      secretCount += 1;
      const id = secretCount;
      const value = await new Promise<string | undefined>((resolve) => {
        waiting.set(id, resolve);
        send({ kind: "secret", id, reference });
      });
      if (value === undefined)
        throw new ToolFailure({ kind: "failed", message: `secret \`${reference}\` cannot be resolved`, effect: "none" });
      return value;
    },
  };
}
