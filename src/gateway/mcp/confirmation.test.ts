import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, type ManualClock } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import { tool } from "../../registry/define.ts";
import { keys, startMcp, type McpGateway, type Posted } from "./mcp.fixture.ts";

let mcp: McpGateway;
let clock: ManualClock;
let paid: unknown[];

beforeEach(async () => {
  clock = manualClock();
  paid = [];
  const pay = (name: string): ReturnType<typeof tool> =>
    tool({
      name,
      tier: "irreversible",
      idempotency: "key",
      description: "Pay an order",
      input: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
      run: (args) => {
        paid.push(args);
        return { paid: true };
      },
    });
  const rules = [{ id: "own-money", on: "shop.pay", effect: "ask", confirm: "self" }];
  mcp = await startMcp({ clock, rules, more: [pay("shop.pay"), pay("shop.payout")] });
});
afterEach(() => mcp.close());

const forms = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
const resultOf = ({ json }: Posted): Readonly<Record<string, unknown>> => json?.["result"] as Readonly<Record<string, unknown>>;
const codeOf = ({ json }: Posted): unknown => (json?.["error"] as { readonly code?: unknown } | undefined)?.code;
const textOf = (answer: Posted): string => JSON.stringify(resultOf(answer)["content"]);

interface Paying {
  readonly id?: string;
  readonly name?: string;
  readonly state?: unknown;
  readonly reply?: unknown;
  readonly key?: string;
  readonly meta?: object;
}

function pay({ id = "A", name = "shop.pay", state, reply, key = keys.agent, meta = forms }: Paying = {}): Promise<Posted> {
  const params = {
    name,
    arguments: { id },
    ...(state !== undefined && { requestState: state }),
    ...(reply !== undefined && { inputResponses: { confirm: reply } }),
  };
  return mcp.modern("tools/call", params, { key, meta });
}

async function asked(): Promise<string> {
  const result = resultOf(await pay());
  expect(result["resultType"]).toBe("input_required");
  return result["requestState"] as string;
}

const yes = { action: "accept", content: { ok: true } };

describe("a call that its user has to confirm, in 2026-07-28", () => {
  it(
    verifies("CONN-04", "is asked about as a form, runs once when the user says yes, and answers the same when it is sent again"),
    async () => {
      const first = resultOf(await pay());
      expect(first).toMatchObject({
        resultType: "input_required",
        inputRequests: { confirm: { method: "elicitation/create", params: { requestedSchema: { required: ["ok"] } } } },
      });
      expect(JSON.stringify(first["inputRequests"])).toMatch(/Pay an order \(shop\.pay@1\.0\.0\): id/);
      expect(paid).toEqual([]);
      const state = first["requestState"];
      expect(resultOf(await pay({ state, reply: yes }))).toMatchObject({ resultType: "complete", structuredContent: { paid: true } });
      expect(resultOf(await pay({ state, reply: yes }))).toMatchObject({ structuredContent: { paid: true } });
      expect(paid).toEqual([{ id: "A" }]);
      const trail = JSON.stringify(await mcp.box.trail({ tenant: "acme", limit: 100 }));
      expect(trail).toContain("agent/elicitation");
    },
  );

  it.each([
    ["declines", { action: "decline" }],
    ["leaves the box open", { action: "accept", content: { ok: false } }],
  ])("does not happen when the user %s, and not later either", async (_, reply) => {
    const state = await asked();
    expect(textOf(await pay({ state, reply }))).toContain("APPROVAL_REJECTED");
    expect(textOf(await pay({ state, reply: yes }))).toContain("APPROVAL_REJECTED");
    expect(paid).toEqual([]);
  });

  it("goes on waiting when the user closes the form, and says how to go on", async () => {
    const answer = await pay({ state: await asked(), reply: { action: "cancel" } });
    expect(resultOf(answer)["resultType"]).toBe("complete");
    expect(textOf(answer)).toContain("signalbox.outcome");
    expect(paid).toEqual([]);
  });

  it.each([
    ["nothing", undefined],
    ["an answer without the box", { action: "accept", content: {} }],
    ["an answer that is none", "yes"],
  ])("is asked about again when the client sends %s", async (_, reply) => {
    const result = resultOf(await pay({ state: await asked(), reply }));
    expect([result["resultType"], paid]).toEqual(["input_required", []]);
  });

  it("refuses inputs that are no object", async () => {
    const params = { name: "shop.pay", arguments: { id: "A" }, inputResponses: null };
    expect(codeOf(await mcp.modern("tools/call", params, { meta: forms }))).toBe(-32602);
  });

  it("refuses a state of another call, another tool, another credential, and one that is too old", async () => {
    const state = await asked();
    expect(codeOf(await pay({ state, reply: yes, id: "B" }))).toBe(-32602);
    expect(codeOf(await pay({ state, reply: yes, name: "shop.payout" }))).toBe(-32602);
    expect(codeOf(await pay({ state, reply: yes, key: keys.rival }))).toBe(-32602);
    clock.jump(defaultLimits.mcpStateMs);
    expect(codeOf(await pay({ state, reply: yes }))).toBe(-32602);
    expect(paid).toEqual([]);
  });

  it("refuses every state that is not byte for byte the one that was given out", async () => {
    const state = await asked();
    const changed = fc.tuple(fc.nat({ max: state.length - 1 }), fc.constantFrom(..."ABab01-_.!")).map(([at, by]) => {
      return state.slice(0, at) + by + state.slice(at + 1);
    });
    // The last character of a Base64 text may hold bits that mean nothing; what is decoded is what counts.
    const isOther = (text: string): boolean =>
      Buffer.from(text, "base64url").toString("hex") !== Buffer.from(state, "base64url").toString("hex");
    await fc.assert(
      fc.asyncProperty(
        changed.filter((text) => text !== state && text.slice(0, -1) !== state.slice(0, -1) && isOther(text)),
        async (text) => {
          expect(codeOf(await pay({ state: text, reply: yes }))).toBe(-32602);
        },
      ),
      { numRuns: 40 },
    );
    expect(paid).toEqual([]);
  });

  it("is a pending answer for a client that shows no forms, and for one that is not declared interactive", async () => {
    for (const answer of [
      await pay({ meta: {} }),
      await pay({ meta: { "io.modelcontextprotocol/clientCapabilities": { elicitation: { url: {} } } } }),
      await pay({ key: keys.rival, id: "R" }),
    ]) {
      expect(resultOf(answer)["resultType"]).toBe("complete");
      expect(textOf(answer)).toMatch(/approvalId.*waitingFor.*confirmation/);
    }
    expect(paid).toEqual([]);
  });

  it("is never asked like this where another person has to approve", async () => {
    const answer = await pay({ name: "shop.payout" });
    expect([resultOf(answer)["resultType"], textOf(answer)]).toEqual(["complete", expect.stringMatching(/waitingFor.*approval/)]);
  });
});

const authorization = (key: string): object => ({ requestInit: { headers: { authorization: `Bearer ${key}` } } });

describe("the same with official clients", () => {
  it("is confirmed through the current one", async () => {
    const client = new ModernClient(
      { name: "test", version: "1" },
      { versionNegotiation: { mode: "auto" }, capabilities: { elicitation: { form: {} } } },
    );
    const questions: unknown[] = [];
    client.setRequestHandler("elicitation/create", (request) => {
      questions.push(request.params);
      return { action: "accept", content: { ok: true } };
    });
    await client.connect(new ModernTransport(new URL(mcp.url), authorization(keys.agent)));
    expect(await client.callTool({ name: "shop.pay", arguments: { id: "A" } })).toMatchObject({ structuredContent: { paid: true } });
    expect([questions.length, paid]).toEqual([1, [{ id: "A" }]]);
    await client.close();
  });

  async function legacy(answer: () => Promise<{ action: "accept" | "decline"; content?: Record<string, boolean> }>): Promise<LegacyClient> {
    const client = new LegacyClient({ name: "test", version: "1" }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, answer);
    await client.connect(new LegacyTransport(new URL(mcp.url), authorization(keys.agent)) as never);
    return client;
  }

  it("is confirmed and declined through the first one, in the stream of the call", async () => {
    let isYes = true;
    const client = await legacy(() => Promise.resolve(isYes ? { action: "accept", content: { ok: true } } : { action: "decline" }));
    expect(await client.callTool({ name: "shop.pay", arguments: { id: "A" } })).toMatchObject({ structuredContent: { paid: true } });
    isYes = false;
    const declined = await client.callTool({ name: "shop.pay", arguments: { id: "B" } });
    expect(JSON.stringify(declined.content)).toContain("APPROVAL_REJECTED");
    expect(paid).toEqual([{ id: "A" }]);
    await client.close();
  });

  it("is answered as pending when the user says nothing for mcpConfirmWaitMs", async () => {
    let isAsked = (): void => undefined;
    const asking = new Promise<void>((resolve) => (isAsked = resolve));
    const client = await legacy(() => {
      isAsked();
      return new Promise(() => undefined);
    });
    const call = client.callTool({ name: "shop.pay", arguments: { id: "A" } });
    await asking;
    await clock.advance(defaultLimits.mcpConfirmWaitMs);
    expect(JSON.stringify((await call).content)).toContain("signalbox.outcome");
    expect(paid).toEqual([]);
    await client.close();
  });

  it("takes no answer from another credential, nor one that nobody asked for", async () => {
    const open = await mcp.post({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: { elicitation: {} } },
    });
    const session = { "mcp-session-id": open.headers["mcp-session-id"] as string };
    const call = mcp.post(
      { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "shop.pay", arguments: { id: "A" } } },
      { headers: session },
    );
    const answer = (id: string, key: string): Promise<Posted> =>
      mcp.post({ jsonrpc: "2.0", id, result: { action: "accept", content: { ok: true } } }, { key, headers: session });
    await expect.poll(() => mcp.box.approvals.list({ tenant: "acme", state: "pending", limit: 5 })).toHaveLength(1);
    await mcp.modern("tools/list");
    expect((await answer("ask-1", keys.rival)).status).toBe(202);
    expect((await answer("ask-9", keys.agent)).status).toBe(202);
    await clock.advance(defaultLimits.mcpConfirmWaitMs);
    const events = (await call).events.map((event) => event["method"] ?? "result");
    expect([events, paid]).toEqual([["elicitation/create", "notifications/cancelled", "result"], []]);
  });
});
