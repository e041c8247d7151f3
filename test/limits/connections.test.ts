import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { serve, watched, type LocalServer } from "../../src/connectors/connectors.fixture.ts";
import { httpConnector } from "../../src/connectors/http.ts";
import { settled } from "../support/manual-clock.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function counting(
  answer: Parameters<typeof serve>[0],
): Promise<{ readonly server: LocalServer; open: number; opened: number; openMax: number }> {
  const server = await serve(answer);
  const seen = { server, open: 0, opened: 0, openMax: 0 };
  server.server.on("connection", (socket) => {
    seen.open += 1;
    seen.opened += 1;
    seen.openMax = Math.max(seen.openMax, seen.open);
    socket.on("close", () => (seen.open -= 1));
  });
  closers.push(server.close);
  return seen;
}

test("one tool opens at most `connectionsPerOriginMax` connections to an origin; further calls wait for one", async () => {
  const waiting: (() => void)[] = [];
  const upstream = await counting((_request, response) => void waiting.push(() => response.end('"ok"')));
  const limits = { ...defaultLimits, connectionsPerOriginMax: 2 };
  const connector = httpConnector(
    { method: "GET", url: `${upstream.server.url}/x`, allowPrivate: [upstream.server.host] },
    { clock: systemClock, limits },
  );
  closers.push(async () => connector.close?.());
  const calls = Array.from({ length: 6 }, async () => await connector.execute({}, watched().execution));
  const done = Promise.all(calls);
  let isDone = false;
  void done.then(() => (isDone = true));
  while (!isDone) {
    await settled();
    for (const answer of waiting.splice(0)) answer();
  }
  expect((await done).map(({ kind }) => kind)).toEqual(Array<string>(6).fill("value"));
  expect(upstream.openMax).toBe(2);
});

test("a tool keeps connections to `originsPerToolMax` origins; the oldest are closed for a new one", async () => {
  for (const [originsPerToolMax, opened] of [
    [2, 1],
    [1, 2],
  ] as const) {
    const second = await counting((_request, response) => response.writeHead(200, { "content-type": "application/json" }).end('"there"'));
    const first = await counting((_request, response) => response.writeHead(302, { location: `${second.server.url}/y` }).end());
    const limits = { ...defaultLimits, originsPerToolMax };
    const hosts = [first.server.host, second.server.host];
    const connector = httpConnector(
      { method: "GET", url: `${first.server.url}/x`, allowPrivate: hosts, egressHosts: ["127.0.0.1"] },
      { clock: systemClock, limits },
    );
    closers.push(async () => connector.close?.());
    for (let count = 0; count < 2; count += 1)
      expect(await connector.execute({}, watched().execution)).toMatchObject({ kind: "value", value: "there" });
    expect(first.opened).toBe(opened);
  }
});

test("a connection that does not come about within `connectTimeoutMs` is given up, and nothing was sent", async () => {
  // It takes connections and never says a word of TLS.
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  closers.push(async () => silent.close());
  const host = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const limits = { ...defaultLimits, connectTimeoutMs: 60 };
  const connector = httpConnector({ method: "POST", url: `https://${host}/x`, allowPrivate: [host] }, { clock: systemClock, limits });
  closers.push(async () => connector.close?.());
  const call = watched();
  expect(await connector.execute({}, call.execution)).toMatchObject({ kind: "failure", failure: { kind: "timeout", effect: "none" } });
  expect(call.marks).not.toContain("sent");
});
