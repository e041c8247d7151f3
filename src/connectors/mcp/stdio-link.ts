/**
 * A server as a child process: one JSON message a line over its standard streams. It is started without a shell, in a process group of its own, with the
 * few variables that every program needs and those that were configured; it never sees our environment, and its standard error goes nowhere.
 */
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Limits } from "../../base/limits.ts";
import { linesOf } from "../../base/lines.ts";
import type { JsonObject } from "../../domain/json.ts";
import { LinkFailure, type Era, type Link, type LinkRequest } from "./link.ts";
import { progressOf, readServerMessage, withMeta } from "./wire.ts";

/** How a child is started. */
export interface StdioParts {
  readonly command: readonly [string, ...string[]];
  readonly folder: string | undefined;
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Told that the server has announced a change of its tools. */
  readonly onToolsChanged: () => void;
}

// What programs need to find others, their home and their language; nothing in them is a secret of ours.
const passedOn = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "SystemRoot", "APPDATA", "TEMP"];

/** The environment of a child: the variables that every program needs, and the configured ones. */
export function childEnvironment(own: Environment, configured: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const inherited = passedOn.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]] as const]));
  return { ...Object.fromEntries(inherited), ...configured };
}

interface Waiting {
  readonly request: LinkRequest;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (failure: LinkFailure) => void;
  readonly onAbort: () => void;
}

/** Starts a server. A program that cannot be started is one that is gone at once. */
export function startStdioLink(parts: StdioParts): Link {
  return new StdioLink(parts);
}

class StdioLink implements Link {
  readonly kind = "stdio";
  readonly gone: Promise<void>;
  readonly #parts: StdioParts;
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #waiting = new Map<number, Waiting>();
  #era: Era | undefined;
  #nextId = 1;
  /** Messages since the last one that answered a request. */
  #strayCount = 0;
  #isGone = false;
  #endMessage = "the server's process has ended";
  #closing: Promise<void> | undefined;

  constructor(parts: StdioParts) {
    this.#parts = parts;
    const [program, ...args] = parts.command;
    this.#child = spawn(program, args, {
      cwd: parts.folder,
      env: parts.environment,
      stdio: ["pipe", "pipe", "ignore"],
      shell: false,
      windowsHide: true,
      // A group of its own, so that whatever it has started ends with it.
      detached: true,
    });
    this.#input = this.#child.stdin as Writable;
    // A server that closed its input is about to end, and its end says so.
    this.#input.on("error", () => undefined);
    this.gone = new Promise((resolve) => {
      const end = (cause?: Error): void => {
        this.#end(cause);
        resolve();
      };
      this.#child.once("exit", () => end());
      this.#child.once("error", end);
    });
    void this.#read(this.#child.stdout as Readable);
  }

  speak(era: Era | undefined): void {
    this.#era = era;
  }

  request(request: LinkRequest): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      if (this.#isGone) return reject(new LinkFailure({ kind: "unreached", message: this.#endMessage }));
      if (request.signal.aborted) return reject(new LinkFailure({ kind: "aborted", message: "given up before it was sent" }));
      if (this.#waiting.size >= this.#parts.limits.mcpCallsWaitingMax)
        return reject(new LinkFailure({ kind: "busy", message: "too many calls wait for this server" }));
      const id = this.#nextId;
      this.#nextId += 1;
      const onAbort = (): void => this.#giveUp(id);
      this.#waiting.set(id, { request, resolve, reject, onAbort });
      request.signal.addEventListener("abort", onAbort, { once: true });
      this.#write({ jsonrpc: "2.0", id, method: request.method, params: withMeta(request, this.#era, id) });
      request.onSent?.();
    });
  }

  notify(method: string, params: JsonObject): Promise<void> {
    this.#write({ jsonrpc: "2.0", method, params });
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** By the protocol: its input ends, then it is asked to, then it is made to. */
  async #shutDown(): Promise<void> {
    const { clock, limits } = this.#parts;
    this.#input.end();
    for (const [signal, afterMs] of [["SIGTERM", limits.mcpEndMs] as const, ["SIGKILL", limits.mcpKillMs] as const]) {
      if (this.#isGone) return;
      const waited = Promise.withResolvers<void>();
      const timer = clock.after(afterMs, waited.resolve);
      await Promise.race([this.gone, waited.promise]);
      timer.cancel();
      if (!this.#isGone) this.#kill(signal);
    }
    await this.gone;
  }

  #kill(signal: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone, which is what was wanted; where there are no groups, the child alone is ended.
      this.#child.kill(signal);
    }
  }

  async #read(output: Readable): Promise<void> {
    try {
      for await (const line of linesOf(output, this.#parts.limits.mcpMessageBytesMax)) {
        this.#strayCount += 1;
        if (line === undefined || this.#strayCount > this.#parts.limits.mcpStrayMessagesMax) return this.#kill("SIGKILL");
        if (line !== "") this.#take(line);
      }
    } catch {
      // A broken stream is that of a process that has ended, or has to.
      this.#kill("SIGKILL");
    }
  }

  #take(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      // Some servers print greetings on the wrong stream.
      return;
    }
    const message = readServerMessage(value);
    switch (message.kind) {
      case "result":
        return this.#settle(message.id)?.resolve(message.result);
      case "error":
        return message.id === undefined ? undefined : this.#settle(message.id)?.reject(message.failure);
      case "request":
        return this.#refuse(message.id, message.method);
      case "notification":
        return this.#note(message.method, message.params);
      case "nothing":
        return undefined;
    }
  }

  #note(method: string, params: JsonObject): void {
    if (method === "notifications/tools/list_changed") this.#parts.onToolsChanged();
    if (method !== "notifications/progress") return;
    const progress = progressOf(params);
    if (progress !== undefined) this.#waiting.get(progress.token)?.request.onProgress?.(progress.message);
  }

  /** We declared no capabilities, so there is nothing that a server may ask for, besides whether we live. */
  #refuse(id: string | number, method: string): void {
    const isPing = method === "ping";
    this.#write({ jsonrpc: "2.0", id, ...(isPing ? { result: {} } : { error: { code: -32601, message: "not offered by this client" } }) });
  }

  #giveUp(id: number): void {
    const waiting = this.#settle(id);
    if (waiting === undefined) return;
    this.#write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "given up" } });
    waiting.reject(new LinkFailure({ kind: "aborted", message: "given up while it was carried out" }));
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    this.#strayCount = 0;
    waiting.request.signal.removeEventListener("abort", waiting.onAbort);
    return waiting;
  }

  #write(message: JsonObject): void {
    if (!this.#isGone && this.#input.writable) this.#input.write(`${JSON.stringify(message)}\n`);
  }

  #end(cause: Error | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    // Whatever it has started and left behind.
    if (cause === undefined) this.#kill("SIGKILL");
    else this.#endMessage = startProblem(cause);
    const message = cause === undefined ? "the server's process ended before it answered" : this.#endMessage;
    for (const id of this.#waiting.keys()) this.#settle(id)?.reject(new LinkFailure({ kind: "lost", message, cause }));
  }
}

// The program's name is left out: a model may read this too.
function startProblem(cause: NodeJS.ErrnoException): string {
  if (cause.code === "ENOENT") return "the server cannot be started: no such program or folder; mend its `command`";
  if (cause.code === "EACCES") return "the server cannot be started: its program may not be run; mend its `command` or the file's mode";
  return "the server cannot be started; mend its `command`";
}
