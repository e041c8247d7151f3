import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../../../test/verifies.ts";
import { keys, startMcp, type McpGateway } from "./mcp.fixture.ts";

let mcp: McpGateway;
beforeAll(async () => {
  mcp = await startMcp();
});
afterAll(() => mcp.close());

const authorization = (key: string): { readonly requestInit: RequestInit } => ({
  requestInit: { headers: { authorization: `Bearer ${key}` } },
});

describe("the official client of the current SDK", () => {
  async function connect(key: string = keys.agent): Promise<ModernClient> {
    const client = new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernTransport(new URL(mcp.url), authorization(key)));
    return client;
  }

  it(verifies("CONN-04", "speaks 2026-07-28, lists what the user may call and calls it"), async () => {
    const client = await connect();
    expect(client.getServerVersion()).toMatchObject({ name: "signalbox" });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      "shop.get",
      "shop.long",
      "shop.refund",
      "shop.slow",
      "signalbox.outcome",
      "signalbox.plan",
      "signalbox.read",
    ]);
    const result = await client.callTool({ name: "shop.get", arguments: { id: "A-1" } });
    expect(result).toMatchObject({ structuredContent: { order: { id: "A-1" } } });
    expect(result.isError).not.toBe(true);
    await client.close();
  });

  it("reads a structured error of a tool call, and of a call that waits for a person", async () => {
    const client = await connect();
    const wrong = await client.callTool({ name: "shop.get", arguments: { id: 7 } });
    expect(wrong.isError).toBe(true);
    expect(JSON.stringify(wrong.content)).toContain("ARGUMENTS_INVALID");
    const waiting = await client.callTool({ name: "shop.refund", arguments: { id: "A-1" } });
    expect(waiting.isError).not.toBe(true);
    expect(waiting._meta?.["signalbox/pending"]).toMatchObject({
      waitingFor: "approval",
      approvalId: expect.stringMatching(/^apr_/) as string,
    });
    await client.close();
  });

  it(verifies("AUTH-14", "shows a narrower user fewer tools"), async () => {
    const client = await connect(keys.narrow);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["shop.get", "signalbox.outcome", "signalbox.plan", "signalbox.read"]);
    await client.close();
  });
});

describe("the official client of the first SDK", () => {
  async function connect(): Promise<LegacyClient> {
    const client = new LegacyClient({ name: "test", version: "1" });
    await client.connect(new LegacyTransport(new URL(mcp.url), authorization(keys.agent)) as never);
    return client;
  }

  it(verifies("CONN-04", "shakes hands, pings, lists and calls"), async () => {
    const client = await connect();
    await client.ping();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("shop.get");
    expect(await client.callTool({ name: "shop.get", arguments: { id: "A-2" } })).toMatchObject({
      structuredContent: { order: { id: "A-2" } },
    });
    await client.close();
  });

  it("is told of progress", async () => {
    const client = await connect();
    const told: unknown[] = [];
    const call = client.callTool({ name: "shop.slow", arguments: { id: "A-3" } }, undefined, {
      onprogress: (progress) => {
        told.push(progress);
        mcp.release();
      },
    });
    expect((await call).content).toEqual([{ type: "text", text: "done" }]);
    expect(told).toEqual([{ progress: 1, message: "still looking" }]);
    await client.close();
  });
});
