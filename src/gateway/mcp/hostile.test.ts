import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createIdSource } from "../../base/ids.ts";
import { defaultLimits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { createMemoryStore } from "../../store/memory.ts";
import { credentials, envelope, startMcp, type McpGateway, type Posted } from "./mcp.fixture.ts";
import { serveStdio } from "./stdio.ts";

let mcp: McpGateway;
beforeAll(async () => {
  mcp = await startMcp();
});
afterAll(() => mcp.close());

const request = (method: string, params: object = {}, id: unknown = 1): object => ({ jsonrpc: "2.0", id, method, params });
const errorOf = ({ json }: Posted): unknown => json?.["error"];

describe("whatever is sent", () => {
  it.each([
    ["no JSON", "{", 400, -32700],
    ["a batch", "[{}]", 400, -32600],
    ["a text", '"x"', 400, -32700],
    ["nothing", "", 400, -32600],
    ["an object", "{}", 400, -32600],
    ["a key twice", '{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}', 400, -32700],
    ["an id that is none", '{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600],
    ["parameters that are a list", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', 400, -32600],
    ["a call without a name", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 200, -32602],
  ])("refuses %s", async (_, raw, status, code) => {
    const answer = await mcp.post(undefined, { raw });
    expect([answer.status, errorOf(answer)]).toEqual([status, expect.objectContaining({ code })]);
  });

  it("refuses what is too large, and another type", async () => {
    expect((await mcp.post(undefined, { raw: " ".repeat(defaultLimits.bodyBytesMax + 1) })).status).toBe(413);
    expect((await mcp.post({}, { headers: { "content-type": "text/plain" } })).status).toBe(415);
  });

  it("never fails on our side, and always answers", async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const method = fc.constantFrom(
      "tools/call",
      "tools/list",
      "server/discover",
      "initialize",
      "ping",
      "notifications/cancelled",
      "constructor",
      "",
    );
    const message = fc.record(
      {
        jsonrpc: fc.constantFrom("2.0", "1.0"),
        id: fc.oneof(fc.string(), fc.integer(), value),
        method: fc.oneof(method, value),
        params: fc.oneof(
          value,
          fc.record(
            {
              name: fc.oneof(fc.constantFrom("shop.get", "signalbox.read", "signalbox.outcome", "__proto__"), value),
              arguments: value,
              cursor: value,
              _meta: fc.oneof(fc.constant(envelope), value),
            },
            { requiredKeys: [] },
          ),
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(message, value), fc.boolean(), async (sent, isModern) => {
        const name =
          typeof sent === "object" && sent !== null && "method" in sent && typeof sent.method === "string"
            ? sent.method.replace(/[^!-~]/g, "")
            : "";
        const headers = isModern ? { "mcp-protocol-version": "2026-07-28", "mcp-method": name } : {};
        const answer = await mcp.post(sent, { headers });
        expect(answer.status).toBeLessThan(500);
        if (answer.status !== 202) expect(answer.json).toMatchObject({ jsonrpc: "2.0" });
      }),
      { numRuns: 300 },
    );
    expect(mcp.faults).toEqual([]);
  });

  it("tells nobody what broke on our side, and notes it", async () => {
    const store = createMemoryStore({ clock: systemClock, random: systemRandom });
    const own = await startMcp({ store });
    store.read = () => Promise.reject(new Error("disk on fire"));
    const answer = await own.modern("tools/list", {}, { meta: { "signalbox/conversation": "new" } });
    expect([answer.status, errorOf(answer)]).toEqual([500, expect.objectContaining({ code: -32603 })]);
    expect(answer.text).not.toContain("fire");
    expect(own.faults).toHaveLength(1);
    await own.gateway.close();
  });
});

describe("the same over streams", () => {
  function client(): { readonly send: (line: string) => void; readonly end: () => Promise<readonly Record<string, unknown>[]> } {
    const input = new PassThrough();
    const output = new PassThrough();
    const ids = createIdSource(systemClock, systemRandom);
    const { done } = serveStdio({
      face: mcp.face,
      credential: credentials.agent,
      input,
      output,
      limits: { ...defaultLimits, mcpStdioCallsMax: 2 },
      ids,
    });
    return {
      send: (line) => void input.write(line),
      async end() {
        input.end();
        await done;
        output.end();
        let text = "";
        for await (const chunk of output as AsyncIterable<Buffer>) text += chunk.toString();
        return text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      },
    };
  }
  const line = (message: object): string => `${JSON.stringify(message)}\n`;

  it("serves a handshake, then calls of that session, in both halves of a line", async () => {
    const { send, end } = client();
    send(line(request("initialize", { protocolVersion: "2025-06-18" }, 1)));
    send(line({ jsonrpc: "2.0", method: "notifications/initialized" }));
    const call = line(request("tools/call", { name: "shop.get", arguments: { id: "ä" } }, 2));
    send(call.slice(0, 30));
    send(call.slice(30));
    const answers = await end();
    expect(answers).toMatchObject([
      { id: 1, result: { protocolVersion: "2025-06-18" } },
      { id: 2, result: { structuredContent: { order: { id: "ä" } } } },
    ]);
  });

  it("serves requests of 2026-07-28 without headers", async () => {
    const { send, end } = client();
    for (const id of [1, 2, 3, 4, 5]) send(line(request("tools/call", { name: "shop.get", arguments: { id: "x" }, _meta: envelope }, id)));
    expect((await end()).map(({ id }) => id)).toEqual(expect.arrayContaining([1, 2, 3, 4, 5]));
  });

  it("refuses a line that is too long or no message, and goes on", async () => {
    const { send, end } = client();
    send(`${"x".repeat(defaultLimits.bodyBytesMax + 1)}\n`);
    send("{nonsense\n\n[]\n");
    send(line(request("ping", {}, 9)));
    expect(await end()).toMatchObject([
      { error: { code: -32600 } },
      { error: { code: -32700 } },
      { error: { code: -32600 } },
      { id: 9, result: {} },
    ]);
  });

  it("sends nothing for a request that was cancelled", async () => {
    const { send, end } = client();
    send(line(request("tools/call", { name: "shop.slow", arguments: { id: "A" } }, 1)));
    await mcp.slowStarted();
    send(line({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }));
    send(line(request("ping", {}, 2)));
    expect(await end()).toEqual([{ jsonrpc: "2.0", id: 2, result: {} }]);
  });
});
