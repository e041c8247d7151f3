import { PassThrough } from "node:stream";
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, type ManualClock } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { createIdSource } from "../../base/ids.ts";
import { defaultLimits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { credentials, envelope, keys, startMcp, type McpGateway, type Posted } from "./mcp.fixture.ts";
import { progressNotifier } from "./progress.ts";
import { serveStdio } from "./stdio.ts";

let mcp: McpGateway;
let clock: ManualClock;
const start = async (limits = {}): Promise<void> => {
  clock = manualClock();
  mcp = await startMcp({ clock, limits });
};
beforeEach(() => start());
afterEach(() => mcp.close());

const narrower = { roles: { support: ["shop.get"], reader: ["shop.get"] } };
const wider = { roles: { support: ["shop.*", "bank.*"], reader: ["shop.get"] } };

async function activate(policy: object): Promise<void> {
  await mcp.box.activatePolicy(policy, "test");
  await clock.advance(defaultLimits.mcpListWatchMs);
}

function listen(
  id: unknown,
  parts: { readonly key?: string; readonly filter?: object; readonly signal?: AbortSignal } = {},
): Promise<Posted> {
  const { key = keys.agent, filter = { toolsListChanged: true, promptsListChanged: true }, signal } = parts;
  return mcp.modern("subscriptions/listen", { notifications: filter }, { id, key, ...(signal !== undefined && { signal }) });
}

/** When a stream is open is known from outside only by what it does: the next request of the same client is answered after it. */
const opened = (): Promise<unknown> => mcp.modern("tools/list");

const methodsOf = ({ events }: Posted): readonly unknown[] => events.map((event) => event["method"] ?? "result");

describe("subscriptions/listen", () => {
  it(
    verifies(
      "CONN-04",
      "AUTH-14",
      "tells of a policy that shows the user other tools, once, with the id of the request; and ends gracefully",
    ),
    async () => {
      const stream = listen("listen-7");
      await opened();
      await activate(narrower);
      await clock.advance(10 * defaultLimits.mcpListWatchMs);
      await activate(narrower);
      await mcp.gateway.close();
      const told = await stream;
      expect(methodsOf(told)).toEqual(["notifications/subscriptions/acknowledged", "notifications/tools/list_changed", "result"]);
      const tags = told.events.map((event) => {
        const body = (event["params"] ?? event["result"]) as { readonly _meta: Readonly<Record<string, unknown>> };
        return body._meta["io.modelcontextprotocol/subscriptionId"];
      });
      expect(tags).toEqual(["listen-7", "listen-7", "listen-7"]);
      expect(told.events[0]).toMatchObject({ params: { notifications: { toolsListChanged: true } } });
      expect(told.events[0]).not.toMatchObject({ params: { notifications: { promptsListChanged: true } } });
      expect(told.events[2]).toMatchObject({ id: "listen-7", result: { resultType: "complete" } });
    },
  );

  it("tells nobody of tools that they cannot see, nor of what was not asked for", async () => {
    const [narrow, silent] = [listen(1, { key: keys.narrow }), listen(2, { filter: {} })];
    await opened();
    await activate(wider);
    await mcp.gateway.close();
    expect(methodsOf(await narrow)).toEqual(["notifications/subscriptions/acknowledged", "result"]);
    expect(methodsOf(await silent)).toEqual(["notifications/subscriptions/acknowledged", "result"]);
  });

  it("takes at most mcpSubscriptionsMax of one credential, and a closed one makes room", async () => {
    await mcp.close();
    await start({ mcpSubscriptionsMax: 1 });
    const leaving = new AbortController();
    const first = listen(1, { signal: leaving.signal });
    await opened();
    expect((await listen(2)).status).toBe(429);
    const other = listen(3, { key: keys.rival });
    leaving.abort();
    await expect(first).rejects.toThrow();
    let again: Posted | undefined;
    const third = listen(4).then((answer) => (again = answer));
    await opened();
    await mcp.gateway.close();
    await Promise.all([other, third]);
    expect(methodsOf(again as Posted)).toEqual(["notifications/subscriptions/acknowledged", "result"]);
  });

  it("is refused to who takes no events", async () => {
    const answer = await mcp.modern("subscriptions/listen", { notifications: {} }, { headers: { accept: "application/json" } });
    expect([answer.status, answer.json]).toMatchObject([400, { error: { code: -32600 } }]);
  });

  it("is understood by the official client", async () => {
    const client = new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    const changed = new Promise<void>((resolve) => client.setNotificationHandler("notifications/tools/list_changed", () => resolve()));
    await client.connect(new ModernTransport(new URL(mcp.url), { requestInit: { headers: { authorization: `Bearer ${keys.agent}` } } }));
    const subscription = await client.listen({ toolsListChanged: true });
    await activate(narrower);
    await changed;
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual([
      "shop.get",
      "signalbox.outcome",
      "signalbox.plan",
      "signalbox.read",
    ]);
    await subscription.close();
    await client.close();
  });
});

describe("over stdio", () => {
  function client(limits = defaultLimits): {
    readonly send: (message: object) => void;
    readonly lines: AsyncIterator<string>;
    readonly end: () => Promise<void>;
  } {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const ids = createIdSource(clock, systemRandom);
    const { done } = serveStdio({ face: mcp.face, credential: credentials.agent, input, output, limits, ids });
    async function* read(): AsyncGenerator<string> {
      let text = "";
      for await (const chunk of output as AsyncIterable<Buffer>) {
        text += chunk.toString();
        const parts = text.split("\n");
        text = parts.pop() as string;
        yield* parts;
      }
    }
    return {
      send: (message) => void input.write(`${JSON.stringify(message)}\n`),
      lines: read(),
      async end() {
        input.end();
        await done;
        output.end();
      },
    };
  }
  const next = async (lines: AsyncIterator<string>): Promise<unknown> => JSON.parse((await lines.next()).value as string);

  it("a client of the eras before is told that its tools are others now, once it said that it is ready", async () => {
    const { send, lines, end } = client();
    send({ jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {} } });
    expect(await next(lines)).toMatchObject({ result: { capabilities: { tools: { listChanged: true } } } });
    send({ jsonrpc: "2.0", method: "notifications/initialized" });
    send({ jsonrpc: "2.0", id: 2, method: "ping" });
    expect(await next(lines)).toMatchObject({ id: 2 });
    await activate(narrower);
    expect(await next(lines)).toEqual({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    await end();
  });

  it("subscriptions never keep requests from being read", async () => {
    const { send, lines, end } = client({ ...defaultLimits, mcpStdioCallsMax: 1 });
    for (const id of [1, 2]) {
      send({ jsonrpc: "2.0", id, method: "subscriptions/listen", params: { notifications: {}, _meta: envelope } });
      expect(await next(lines)).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
    }
    send({ jsonrpc: "2.0", id: 3, method: "ping" });
    expect(await next(lines)).toMatchObject({ id: 3, result: {} });
    await end();
  });

  it("a subscription ends by a cancellation without a word, and with the input otherwise", async () => {
    const { send, lines, end } = client();
    const ask = (id: number): void =>
      send({ jsonrpc: "2.0", id, method: "subscriptions/listen", params: { notifications: { toolsListChanged: true }, _meta: envelope } });
    ask(1);
    expect(await next(lines)).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
    send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
    ask(2);
    expect(await next(lines)).toMatchObject({ params: { _meta: { "io.modelcontextprotocol/subscriptionId": 2 } } });
    await end();
    expect(await next(lines)).toMatchObject({ id: 2, result: { resultType: "complete" } });
  });
});

describe("progress", () => {
  it("is told at most mcpProgressBurst messages at once and one every mcpProgressGapMs, with numbers that only rise", async () => {
    const told: number[] = [];
    const notify = (message: object): void =>
      void told.push((message as { readonly params: { readonly progress: number } }).params.progress);
    const limits = { ...defaultLimits, mcpProgressBurst: 3, mcpProgressGapMs: 100 };
    const tell = progressNotifier({ token: "t", notify, clock, limits }) as (message: string) => void;
    for (let index = 0; index < 50; index += 1) tell("working");
    expect(told).toEqual([1, 2, 3]);
    for (let index = 0; index < 10; index += 1) {
      await clock.advance(limits.mcpProgressGapMs);
      tell("working");
      tell("still working");
    }
    expect(told).toHaveLength(13);
    expect(told).toEqual(told.toSorted((left, right) => left - right));
    expect(new Set(told).size).toBe(told.length);
  });

  it.each([undefined, null, {}, true])("is not told for the token %s", (token) => {
    expect(progressNotifier({ token, notify: () => undefined, clock, limits: defaultLimits })).toBeUndefined();
  });
});
