import type { Dispatcher } from "undici";
import { expect, test } from "vitest";
import { createGather } from "../base/gather.ts";
import { exchange, type WireResponse } from "./http-exchange.ts";

const controller = { abort: () => undefined } as unknown as Dispatcher.DispatchController;

/** Answers every request at once with this text, in one turn of the event loop. */
const answering = {
  dispatch(_options: unknown, handler: Dispatcher.DispatchHandler) {
    handler.onRequestStart?.(controller, {});
    handler.onResponseStart?.(controller, 200, {}, "OK");
    handler.onResponseData?.(controller, Buffer.from("done"));
    handler.onResponseEnd?.(controller, {});
    return true;
  },
} as unknown as Dispatcher;

function exchanged(gather: ReturnType<typeof createGather>, signal: AbortSignal): Promise<WireResponse> {
  const request = { url: new URL("http://127.0.0.1/"), method: "GET", headers: {}, body: undefined };
  return exchange({ dispatcher: answering, request, signal, timeoutMs: 1_000, bodyBytesMax: () => 100, onSend: () => undefined, gather });
}

test("answers of one turn of the event loop are handed over in a row at its end", async () => {
  const tasks: (() => void)[] = [];
  const { signal } = new AbortController();
  const both = Promise.all([exchanged((task) => tasks.push(task), signal), exchanged((task) => tasks.push(task), signal)]);
  expect(tasks).toHaveLength(2);
  for (const task of tasks) task();
  expect((await both).map(({ body }) => String(body))).toEqual(["done", "done"]);
});

test("whoever gives up while the answer waits for its turn gets none", async () => {
  const giving = new AbortController();
  const waiting = exchanged(createGather(1), giving.signal);
  giving.abort();
  await expect(waiting).rejects.toThrow("the exchange was given up");
});
