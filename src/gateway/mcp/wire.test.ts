import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { createMemoryStore } from "../../store/memory.ts";
import { credentials, envelope, keys, startMcp, type McpGateway, type Posted } from "./mcp.fixture.ts";

let mcp: McpGateway;
beforeAll(async () => {
  mcp = await startMcp();
});
afterAll(() => mcp.close());

const request = (method: string, params: object = {}, id: unknown = 1): object => ({ jsonrpc: "2.0", id, method, params });
const errorOf = ({ json }: Posted): unknown => json?.["error"];
const resultOf = ({ json }: Posted): Readonly<Record<string, unknown>> => json?.["result"] as Readonly<Record<string, unknown>>;

async function initialize(gateway: McpGateway, key: string = keys.agent, version = "2025-11-25"): Promise<string> {
  const answer = await gateway.post(
    request("initialize", { protocolVersion: version, capabilities: {}, clientInfo: { name: "t", version: "1" } }),
    { key },
  );
  return answer.headers["mcp-session-id"] as string;
}

describe("2026-07-28 over HTTP", () => {
  it("is discovered with the versions that are spoken", async () => {
    expect(resultOf(await mcp.modern("server/discover"))).toMatchObject({
      supportedVersions: ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
      capabilities: { tools: {} },
      resultType: "complete",
      _meta: { "io.modelcontextprotocol/serverInfo": { name: "signalbox" } },
    });
  });

  it("lists privately, in the order of the names", async () => {
    const list = resultOf(await mcp.modern("tools/list"));
    expect(list).toMatchObject({ cacheScope: "private", ttlMs: defaultLimits.mcpListTtlMs, resultType: "complete" });
    const names = (list["tools"] as readonly { readonly name: string }[]).map(({ name }) => name);
    expect(names.slice(0, -2)).toEqual(names.slice(0, -2).toSorted());
    expect(names).not.toContain("bank.close");
  });

  it("lists in pages of mcpToolsPageMax", async () => {
    const own = await startMcp({ limits: { mcpToolsPageMax: 4 } });
    const first = resultOf(await own.modern("tools/list"));
    const second = resultOf(await own.modern("tools/list", { cursor: first["nextCursor"] }));
    expect([first["tools"], second["tools"], second["nextCursor"]]).toMatchObject([{ length: 4 }, { length: 3 }, undefined]);
    expect(errorOf(await own.modern("tools/list", { cursor: "elsewhere" }))).toMatchObject({ code: -32602 });
    await own.close();
  });

  it.each([
    ["another version", { "mcp-protocol-version": "2025-11-25" }],
    ["another method", { "mcp-method": "tools/list" }],
    ["another name", { "mcp-name": "shop.refund" }],
    ["a broken sentinel", { "mcp-name": "=?base64?***?=" }],
  ])("refuses headers that name %s than the body", async (_, headers) => {
    const answer = await mcp.modern("tools/call", { name: "shop.get", arguments: { id: "A" } }, { headers });
    expect([answer.status, errorOf(answer)]).toEqual([400, expect.objectContaining({ code: -32020 })]);
  });

  it.each(["mcp-protocol-version", "mcp-method", "mcp-name"])("refuses a call without the header %s", async (header) => {
    const whole = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "shop.get" };
    const headers = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== header));
    const answer = await mcp.post(request("tools/call", { name: "shop.get", arguments: { id: "A" }, _meta: envelope }), { headers });
    expect([answer.status, errorOf(answer)]).toEqual([400, expect.objectContaining({ code: -32020 })]);
  });

  it("takes a name in the sentinel", async () => {
    const headers = { "mcp-name": `=?base64?${Buffer.from("shop.get").toString("base64")}?=` };
    expect((await mcp.modern("tools/call", { name: "shop.get", arguments: { id: "A" } }, { headers })).status).toBe(200);
  });

  it("says which versions there are to one that asks for another", async () => {
    const version = "io.modelcontextprotocol/protocolVersion";
    const answer = await mcp.modern(
      "tools/list",
      {},
      { meta: { [version]: "2031-01-01" }, headers: { "mcp-protocol-version": "2031-01-01" } },
    );
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({
      code: -32022,
      data: { supported: expect.arrayContaining(["2026-07-28"]) as unknown, requested: "2031-01-01" },
    });
  });

  it("refuses an envelope that is not whole", async () => {
    const answer = await mcp.modern("tools/list", {}, { meta: { "io.modelcontextprotocol/clientCapabilities": 1 } });
    expect([answer.status, errorOf(answer)]).toEqual([400, expect.objectContaining({ code: -32602 })]);
  });

  it("has no method of the eras before", async () => {
    for (const method of ["ping", "initialize", "logging/setLevel", "nonsense"]) {
      const answer = await mcp.modern(method);
      expect([answer.status, errorOf(answer)]).toEqual([404, expect.objectContaining({ code: -32601 })]);
    }
  });

  it("streams progress and then the result to who asked for it", async () => {
    const own = await startMcp();
    const call = own.modern("tools/call", { name: "shop.slow", arguments: { id: "A" } }, { meta: { progressToken: "p1" } });
    await own.slowStarted();
    own.release();
    const { status, events } = await call;
    expect(status).toBe(200);
    expect(events).toMatchObject([
      { method: "notifications/progress", params: { progressToken: "p1", progress: 1, message: "still looking" } },
      { id: 1, result: { content: [{ type: "text", text: "done" }], resultType: "complete" } },
    ]);
    await own.close();
  });

  it("answers as JSON who takes no events or gave no token", async () => {
    const own = await startMcp();
    const quiet = own.modern("tools/call", { name: "shop.slow", arguments: { id: "A" } });
    const plain = own.modern(
      "tools/call",
      { name: "shop.slow", arguments: { id: "A" } },
      { meta: { progressToken: 1 }, headers: { accept: "application/json" } },
    );
    await own.slowStarted();
    own.release();
    for (const { json, events } of await Promise.all([quiet, plain])) expect([json !== undefined, events]).toEqual([true, []]);
    await own.close();
  });

  it("takes a closed response for a cancellation", async () => {
    const own = await startMcp();
    const controller = new AbortController();
    const call = own.modern(
      "tools/call",
      { name: "shop.slow", arguments: { id: "A" } },
      { meta: { progressToken: 1 }, signal: controller.signal },
    );
    const ended = new Promise<string>((resolve) => own.box.observe((event) => event.stage === "call" && resolve(event.what)));
    await own.slowStarted();
    controller.abort();
    await expect(call).rejects.toThrow("aborted");
    expect(await ended).toBe("failed");
    expect(own.seen.aborted).toBe(1);
    await own.close();
  });
});

describe("the eras before, over HTTP", () => {
  it.each(["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "1999-01-01"])("shakes hands with a client of %s", async (version) => {
    const answer = await mcp.post(
      request("initialize", { protocolVersion: version, capabilities: {}, clientInfo: { name: "t", version: "1" } }),
    );
    expect(resultOf(answer)).toMatchObject({
      protocolVersion: version === "1999-01-01" ? "2025-11-25" : version,
      capabilities: { tools: {} },
    });
    expect(answer.headers["mcp-session-id"]).toMatch(/^ses_/);
  });

  it("knows no session of another credential, and says so as a client expects it", async () => {
    const session = await initialize(mcp);
    const answer = await mcp.post(request("tools/list"), { key: keys.rival, headers: { "mcp-session-id": session } });
    expect([answer.status, errorOf(answer)]).toEqual([404, expect.objectContaining({ code: -32001 })]);
    expect((await mcp.post(request("tools/list"), { headers: { "mcp-session-id": session } })).status).toBe(200);
  });

  it("cancels by a notification of the same session, and of no other", async () => {
    const own = await startMcp();
    const [session, other] = [await initialize(own), await initialize(own)];
    const call = own.post(request("tools/call", { name: "shop.slow", arguments: { id: "A" } }, 7), {
      headers: { "mcp-session-id": session },
    });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };
    await own.slowStarted();
    expect((await own.post(cancel, { headers: { "mcp-session-id": other } })).status).toBe(202);
    expect((await own.post({ ...cancel, params: { requestId: "7" } }, { headers: { "mcp-session-id": session } })).status).toBe(202);
    expect(own.seen.aborted).toBe(0);
    expect((await own.post(cancel, { headers: { "mcp-session-id": session } })).status).toBe(202);
    expect(resultOf(await call)).toMatchObject({ isError: true });
    expect(JSON.stringify(resultOf(await call)["content"])).toContain("CANCELLED");
    await own.close();
  });

  it("answers an unknown method without the status that means a lost session", async () => {
    const answer = await mcp.post(request("resources/list"));
    expect([answer.status, errorOf(answer)]).toEqual([200, expect.objectContaining({ code: -32601 })]);
  });

  it("refuses a header that names a version which is not spoken", async () => {
    const answer = await mcp.post(request("tools/list"), { headers: { "mcp-protocol-version": "2020-01-01" } });
    expect([answer.status, errorOf(answer)]).toEqual([400, expect.objectContaining({ code: -32022 })]);
  });
});

describe("who may ask", () => {
  it("refuses who has no key, the key of an approver, and a credential without a user", async () => {
    expect((await mcp.modern("tools/list", {}, { key: undefined })).status).toBe(401);
    expect((await mcp.modern("tools/list", {}, { key: keys.lead })).status).toBe(403);
    const nobody = await mcp.modern("tools/list", {}, { key: keys.nobody });
    expect([nobody.status, errorOf(nobody)]).toEqual([
      403,
      expect.objectContaining({ message: expect.stringContaining("mcp.credentials") as string }),
    ]);
  });

  it("refuses pages of other origins and names that are not served, with 403", async () => {
    expect((await mcp.modern("tools/list", {}, { headers: { origin: "https://evil.example" } })).status).toBe(403);
    expect((await mcp.modern("tools/list", {}, { headers: { host: "evil.example" } })).status).toBe(403);
  });

  it.each(["GET", "DELETE", "PUT"])("has nothing for %s", async (method) => {
    const answer = await mcp.post({}, { method, raw: "" });
    expect([answer.status, answer.headers["allow"]]).toEqual([405, "POST"]);
  });
});

describe("sessions behind requests that name none", () => {
  const sessionOf = async (gateway: McpGateway, meta: object = {}, key: string = keys.agent): Promise<string | undefined> => {
    const answer = await gateway.modern("tools/call", { name: "shop.get", arguments: { id: "A" } }, { meta, key });
    const callId = (resultOf(answer)["_meta"] as Readonly<Record<string, string>>)["signalbox/call"] as string;
    return (await gateway.box.outcome(callId, credentials[key === keys.agent ? "agent" : "rival"])).sessionId;
  };

  it("are one for each conversation and credential, and the same after a restart", async () => {
    const store = createMemoryStore({ clock: systemClock, random: systemRandom });
    const first = await startMcp({ store });
    const conversation = { "signalbox/conversation": "c1" };
    const named = await sessionOf(first, conversation);
    expect(await sessionOf(first, conversation)).toBe(named);
    expect(await sessionOf(first, conversation, keys.rival)).not.toBe(named);
    const ambient = await sessionOf(first);
    expect(ambient).not.toBe(named);
    expect(await sessionOf(first)).toBe(ambient);
    const second = await startMcp({ store });
    expect(await sessionOf(second, conversation)).toBe(named);
    expect(await sessionOf(second)).toBe(ambient);
    await first.gateway.close();
    await second.close();
  });

  it("gives an ambient session a new budget after its time, and not before", async () => {
    let offsetMs = 0;
    const clock: Clock = { ...systemClock, now: () => 1_800_000_000_000 + offsetMs };
    const own = await startMcp({ clock, limits: { sessionCallsMax: 2 } });
    const codes = async (): Promise<string> =>
      JSON.stringify((await own.modern("tools/call", { name: "shop.get", arguments: { id: "A" } })).json);
    expect(await codes()).not.toContain("BUDGET");
    expect(await codes()).not.toContain("BUDGET");
    expect(await codes()).toContain("BUDGET_EXCEEDED");
    offsetMs = defaultLimits.ambientSessionMs;
    expect(await codes()).not.toContain("BUDGET");
    await own.close();
  });
});

describe("our own tools", () => {
  it("tell what became of a call that waited", async () => {
    const waiting = resultOf(await mcp.modern("tools/call", { name: "shop.refund", arguments: { id: "A-9" } }));
    const content = waiting["content"] as readonly { readonly text: string }[];
    const { next } = JSON.parse(content[1]?.text ?? "") as { readonly next: { readonly tool: string; readonly arguments: object } };
    expect(next.tool).toBe("signalbox.outcome");
    const [approval] = await mcp.box.approvals.list({ tenant: "acme", state: "pending", limit: 10 });
    const look = async (): Promise<string> =>
      JSON.stringify(resultOf(await mcp.modern("tools/call", { name: next.tool, arguments: next.arguments })));
    expect(await look()).toContain(approval?.id);
    await mcp.box.approvals.decide(approval?.id as string, { approve: true, by: "lead" }, credentials.lead);
    expect(await look()).toContain("refunded");
    const foreign = await mcp.modern("tools/call", { name: next.tool, arguments: next.arguments }, { key: keys.rival });
    expect(JSON.stringify(foreign.json)).toContain("NOT_FOUND");
  });

  it("read the rest of a result that was cut", async () => {
    const meta = { "signalbox/conversation": "reading" };
    const cut = JSON.stringify(resultOf(await mcp.modern("tools/call", { name: "shop.long", arguments: { id: "A" } }, { meta })));
    const handle = /handle (res_[a-z0-9]+)/.exec(cut)?.[1];
    const page = resultOf(await mcp.modern("tools/call", { name: "signalbox.read", arguments: { handle, offset: 5_000 } }, { meta }));
    expect(JSON.stringify(page)).toContain("long long");
    const elsewhere = await mcp.modern("tools/call", { name: "signalbox.read", arguments: { handle } });
    expect(JSON.stringify(elsewhere.json)).toContain("NOT_FOUND");
    const wrong = await mcp.modern("tools/call", { name: "signalbox.read", arguments: { offset: -1 } });
    expect(JSON.stringify(wrong.json)).toContain("ARGUMENTS_INVALID");
  });
});
