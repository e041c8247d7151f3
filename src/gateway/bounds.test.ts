import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { JourneyEvent, Signalbox } from "../call/box/box.ts";
import { createEventStreams } from "./event-streams.ts";
import { keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

async function withGateway(limits: Partial<Limits>, work: (live: TestGateway) => Promise<void>): Promise<void> {
  const live = await startGateway({ limits });
  try {
    await work(live);
  } finally {
    await live.close();
  }
}

const opened = (live: TestGateway): Promise<Socket> =>
  new Promise((resolve) => {
    const { port } = new URL(live.gateway.address as string);
    const socket = connect(Number(port), "127.0.0.1", () => resolve(socket));
  });
const attributes = (live: TestGateway, value: unknown): Promise<{ readonly status: number }> =>
  live.send("POST", "/v1/sessions", { key: keys.agent, body: { user: "a", roles: [], attributes: { value } } });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("bounds of the gateway", () => {
  test("bodyDepthMax and bodyKeysMax hold for the body around a call", () =>
    withGateway({ bodyDepthMax: 10, bodyKeysMax: 20 }, async (live) => {
      expect((await attributes(live, nested(8))).status).toBe(201);
      expect((await attributes(live, nested(9))).status).toBe(400);
      const members = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));
      expect((await attributes(live, members(16))).status).toBe(201);
      expect((await attributes(live, members(17))).status).toBe(400);
    }));

  test("headerBytesMax ends a request whose headers are longer", () =>
    withGateway({ headerBytesMax: 1_000 }, async (live) => {
      expect((await live.send("GET", "/healthz", { headers: { x: "a".repeat(500) } })).status).toBe(200);
      expect((await live.send("GET", "/healthz", { headers: { x: "a".repeat(1_500) } })).status).toBe(431);
    }));

  test("connectionsMax turns further connections away", () =>
    withGateway({ connectionsMax: 1 }, async (live) => {
      const held = await opened(live);
      const turnedAway = await opened(live);
      await new Promise<void>((resolve) => {
        turnedAway.on("close", () => resolve());
        turnedAway.on("error", () => undefined);
        turnedAway.resume();
      });
      held.destroy();
      await expect.poll(async () => (await live.send("GET", "/healthz").catch(() => undefined))?.status).toBe(200);
    }));

  test("keepAliveMs is how long a connection stays for the next request, longer than balancers keep theirs", async () => {
    const keptFor = async (limits: Partial<Limits>): Promise<string | null> => {
      let told: string | null = null;
      await withGateway(limits, async ({ gateway }) => {
        told = (await fetch(`${gateway.address}/healthz`)).headers.get("keep-alive");
      });
      return told;
    };
    expect([await keptFor({}), await keptFor({ keepAliveMs: 3_000 })]).toEqual(["timeout=75", "timeout=3"]);
  });

  test("drainMs is how long closing waits for what was accepted", () =>
    withGateway({ drainMs: 20 }, async (live) => {
      const session = await live.session();
      const slow = live
        .send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.slow", arguments: { id: "1" } } })
        .catch((error: NodeJS.ErrnoException) => error.code);
      await expect.poll(() => live.box.health().callsRunning).toBe(1);
      await live.gateway.close();
      expect(await slow).toBe("ECONNRESET");
    }));
});

class Sink extends EventEmitter {
  writableLength = 0;
  readonly written: string[] = [];
  destroyed = false;
  writeHead(): this {
    return this;
  }
  write(text: string): boolean {
    this.written.push(text);
    return true;
  }
  end(): this {
    this.emit("close");
    return this;
  }
  destroy(): this {
    this.destroyed = true;
    this.emit("close");
    return this;
  }
}

describe("bounds of event streams", () => {
  const event: JourneyEvent = {
    callId: "c",
    tenant: "acme",
    sessionId: "s",
    tool: "t",
    stage: "gate",
    what: "proceed",
    note: "line\ndata: forged\n\nevent: x",
    atMs: 1,
    isInside: false,
  };
  const observers = new Set<(event: JourneyEvent) => void>();
  const box = {
    observe: (observer: (event: JourneyEvent) => void) => (observers.add(observer), () => void observers.delete(observer)),
  } as unknown as Signalbox;
  const pings: (() => void)[] = [];
  const waits: number[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (delayMs, task) => {
      waits.push(delayMs);
      pings.push(task);
      return { cancel: () => undefined };
    },
  };
  const names = { requestId: "r", traceId: "t" };
  const streams = createEventStreams({
    box,
    clock,
    limits: { ...defaultLimits, eventStreamsMax: 2, eventStreamBytesMax: 100, eventPingMs: 7 },
  });
  const open = (sink: Sink): unknown => streams.open(sink as unknown as ServerResponse, () => true, names);

  test("eventStreamsMax, eventStreamBytesMax and eventPingMs hold, and no event can forge another", () => {
    const [quick, slow, third] = [new Sink(), new Sink(), new Sink()];
    expect(open(quick)).toBeUndefined();
    expect(open(slow)).toBeUndefined();
    expect(open(third)).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: fixedBounds.comeBackLaterMs });

    slow.writableLength = 101;
    quick.writableLength = 100;
    for (const observer of observers) observer(event);
    expect(slow.destroyed).toBe(true);
    expect(quick.destroyed).toBe(false);
    const [, told = ""] = quick.written;
    expect(told.split("\n").filter((line) => line.startsWith("event:") || line.startsWith("data:"))).toHaveLength(2);
    expect(told).not.toContain("acme");

    // The one that was cut off has made room.
    expect(open(third)).toBeUndefined();
    expect(waits.every((wait) => wait === 7)).toBe(true);
    pings[0]?.();
    expect(quick.written.at(-1)).toBe(": here\n\n");
    streams.close();
    expect(observers.size).toBe(0);
  });
});

test("a listing whose length nobody asked for has at most `pageRowsDefault` entries", () =>
  withGateway({ sessionCallsMax: 1_000 }, async (live) => {
    const session = await live.session();
    for (let index = 0; index < fixedBounds.pageRowsDefault / 2 + 5; index += 1)
      await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.get", arguments: { id: "A-1" } } });
    const { json } = await live.send("GET", "/v1/ledger/entries", { key: keys.operator });
    expect((json as { readonly entries: readonly unknown[] }).entries).toHaveLength(fixedBounds.pageRowsDefault);
  }));
