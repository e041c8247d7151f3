import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Gather } from "../base/gather.ts";

/** One request that is ready to be sent. */
export interface WireRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** What came back. */
export interface WireResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body was larger than the cap, and `body` is its beginning. */
  readonly isCut: boolean;
}

/** How one exchange is bounded and watched. */
export interface ExchangeParts {
  readonly dispatcher: Dispatcher;
  readonly request: WireRequest;
  readonly signal: AbortSignal;
  /** Backstop of the transport; the attempt's own timeout ends the wait before. */
  readonly timeoutMs: number;
  /** Cap of a body, by status. */
  readonly bodyBytesMax: (status: number) => number;
  /** Told when a connection stands and the request is about to be written. */
  readonly onSend: () => void;
  /** Hands the answer over in a row with others of the same turn of the event loop. Default: as soon as it is whole. */
  readonly gather?: Gather;
}

/**
 * Sends one request and reads the whole answer. Rejects with the transport's error. An exchange whose signal fires while it still waits for a
 * connection is never written, so whoever gave up may rely on nothing having been sent.
 */
export function exchange(parts: ExchangeParts): Promise<WireResponse> {
  return new Promise((resolve, reject) => {
    const { dispatcher, request, timeoutMs } = parts;
    const handler = new ExchangeHandler(parts, resolve, reject);
    if (!handler.listen()) return;
    dispatcher.dispatch(
      {
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      },
      handler,
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #parts: ExchangeParts;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (error: Error) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #bytesMax = 0;
  #bytes = 0;
  readonly #chunks: Buffer[] = [];

  constructor(parts: ExchangeParts, resolve: (response: WireResponse) => void, reject: (error: Error) => void) {
    this.#parts = parts;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** False when the signal has fired already. */
  listen(): boolean {
    const { signal } = this.#parts;
    if (signal.aborted) {
      this.#reject(gaveUp());
      return false;
    }
    signal.addEventListener("abort", this.#onAbort);
    return true;
  }

  readonly #onAbort = (): void => {
    this.#controller?.abort(gaveUp());
    this.#fail(gaveUp());
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#parts.signal.aborted) {
      controller.abort(gaveUp());
      return;
    }
    this.#parts.onSend();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // An informational answer is not the answer.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.#bytesMax = this.#parts.bodyBytesMax(status);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, Math.max(0, room)) : chunk);
    if (chunk.length <= room) return;
    this.#succeed(true);
    controller.abort(gaveUp());
  }

  onResponseEnd(): void {
    const { gather } = this.#parts;
    if (gather === undefined) this.#succeed(false);
    // Should the signal fire before its turn comes, the exchange was given up, and what follows changes nothing.
    else gather(() => this.#succeed(false));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #succeed(isCut: boolean): void {
    this.#parts.signal.removeEventListener("abort", this.#onAbort);
    this.#resolve({ status: this.#status, headers: this.#headers, body: Buffer.concat(this.#chunks), isCut });
  }

  #fail(error: Error): void {
    this.#parts.signal.removeEventListener("abort", this.#onAbort);
    this.#reject(error);
  }
}

function gaveUp(): Error {
  return new DOMException("the exchange was given up", "AbortError");
}
