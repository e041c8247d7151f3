/** The stdio binding: one message a line. What is written to `output` is protocol and nothing else. */
import type { Readable, Writable } from "node:stream";
import type { IdSource } from "../../base/ids.ts";
import { linesOf } from "../../base/lines.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Credential } from "../../domain/principal.ts";
import { parseBody } from "../body.ts";
import type { McpFace } from "./face.ts";
import { unreadable } from "./http.ts";
import { errorMessage, rpcCodes } from "./protocol.ts";

/** What serving over streams needs. */
export interface ServeStdioParts {
  readonly face: McpFace;
  /** In whose name the client calls. It proved nothing: whoever starts this process has its rights anyway. */
  readonly credential: Credential;
  readonly input: Readable;
  readonly output: Writable;
  readonly limits: Limits;
  readonly ids: IdSource;
}

/** A client that is served. */
export interface StdioServing {
  /** Resolves when the input has ended and every request that came is answered. */
  readonly done: Promise<void>;
}

/**
 * Serves one client. Messages are worked on side by side, at most `mcpStdioCallsMax` at a time: reading waits meanwhile. A line longer than
 * `bodyBytesMax` is refused and skipped.
 */
export function serveStdio(parts: ServeStdioParts): StdioServing {
  return { done: new StdioServer(parts).run() };
}

class StdioServer {
  readonly #parts: ServeStdioParts;
  readonly #running = new Set<Promise<void>>();
  /** Subscriptions, which last: reading never waits for them. There are few, by `mcpSubscriptionsMax`. */
  readonly #lasting = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  #sessionId: string | undefined;
  #stopAnnouncing: () => void = () => undefined;

  constructor(parts: ServeStdioParts) {
    this.#parts = parts;
  }

  async run(): Promise<void> {
    try {
      await this.#readAll();
    } catch {
      // The input broke or was closed from here, which is its end like any other.
    }
    this.#ended.abort();
    this.#stopAnnouncing();
    await Promise.allSettled([...this.#running, ...this.#lasting]);
  }

  async #readAll(): Promise<void> {
    const { input, limits } = this.#parts;
    for await (const line of linesOf(input, limits.bodyBytesMax)) {
      if (line === undefined)
        this.#send(
          errorMessage(undefined, { code: rpcCodes.invalidRequest, message: `a message has at most ${limits.bodyBytesMax} bytes` }),
        );
      else if (line.trim() !== "") await this.#take(line);
      while (this.#running.size >= limits.mcpStdioCallsMax) await Promise.race(this.#running);
    }
  }

  async #take(line: string): Promise<void> {
    const parsed = parseBody(line, this.#parts.limits);
    if ("error" in parsed) {
      this.#send(unreadable(line, parsed.error.message));
      return;
    }
    const work = this.#answer(parsed.value);
    // What follows a handshake belongs to its session, so it waits for it.
    if (parsed.value["method"] === "initialize") await work;
    if (parsed.value["method"] === "notifications/initialized") await this.#announce();
    const among = parsed.value["method"] === "subscriptions/listen" ? this.#lasting : this.#running;
    among.add(work);
    void work.finally(() => among.delete(work));
  }

  async #answer(message: JsonObject): Promise<void> {
    const { face, credential, ids } = this.#parts;
    const sender = { credential, sessionId: this.#sessionId, headers: undefined, traceId: ids.next("req") };
    const delivery = { notify: (notification: JsonObject) => this.#send(notification), ended: this.#ended.signal };
    const answer = await face.handle(message, sender, delivery);
    if (answer.kind !== "message") return;
    if (answer.sessionId !== undefined) this.#sessionId = answer.sessionId;
    this.#send(answer.message);
  }

  /** The client is ready to be told that its tools are others now. */
  async #announce(): Promise<void> {
    const { face, credential } = this.#parts;
    if (this.#sessionId === undefined) return;
    this.#stopAnnouncing();
    this.#stopAnnouncing = await face.announceLists(credential, this.#sessionId, (message) => this.#send(message)).catch(() => nothing);
  }

  #send(message: JsonObject): void {
    const { output } = this.#parts;
    if (!output.destroyed && output.writable) output.write(`${JSON.stringify(message)}\n`);
  }
}

const nothing = (): void => undefined;
