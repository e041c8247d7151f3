import { afterEach, beforeEach, expect, it } from "vitest";
import { verifies } from "../../../test/verifies.ts";
import { tool } from "../../registry/define.ts";
import { credentials, keys, startMcp, type McpGateway, type Posted } from "./mcp.fixture.ts";
import type { Delegated } from "../../call/box/box-session.ts";

let mcp: McpGateway;
let above: string;
let handed: Delegated;

beforeEach(async () => {
  const pay = tool({
    name: "shop.pay",
    tier: "irreversible",
    description: "Pay an order",
    input: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
    run: () => ({ paid: true }),
  });
  mcp = await startMcp({ rules: [{ id: "own-money", on: "shop.pay", effect: "ask", confirm: "self" }], more: [pay] });
  const session = await mcp.box.session({ tenant: "acme", user: "ada", roles: ["support"], credential: credentials.agent });
  above = session.id;
  handed = await session.delegate({ tools: ["shop.get", "shop.pay"], budget: { calls: 2 }, expiresInMs: 60_000 });
});
afterEach(() => mcp.close());

const call = (name: string, meta: object = {}): Promise<Posted> =>
  mcp.modern("tools/call", { name, arguments: { id: "A" } }, { key: handed.token, meta });
const namesOf = ({ json }: Posted): readonly string[] =>
  (json?.["result"] as { readonly tools: readonly { readonly name: string }[] } | undefined)?.tools.map(({ name }) => name) ?? [];

it(verifies("AUTH-01", "an MCP client with a delegated session's token has that session in every conversation, and no other"), async () => {
  const own = namesOf(await mcp.modern("tools/list", {}, { key: keys.agent }));
  const listed = namesOf(await mcp.modern("tools/list", {}, { key: handed.token }));
  expect(listed).toContain("shop.get");
  expect(listed).not.toContain("shop.refund");
  expect(own).toContain("shop.refund");
  const conversation = (name: string) => ({ "signalbox/conversation": name });
  for (const name of ["one", "two"]) expect((await call("shop.get", conversation(name))).text).not.toContain('isError":true');
  expect((await call("shop.get", conversation("three"))).text).toContain("BUDGET_EXCEEDED");
  const trail = await mcp.box.trail({ tenant: "acme", sessionId: handed.session.id, limit: 100 });
  expect(trail.filter(({ entry }) => entry.kind === "call-intended")).toHaveLength(2);

  const legacy = (sessionId: string): Promise<Posted> =>
    mcp.post(
      { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
      { key: handed.token, headers: { "mcp-session-id": sessionId, "mcp-protocol-version": "2025-06-18" } },
    );
  expect(namesOf(await legacy(handed.session.id))).toEqual(listed);
  expect((await legacy(above)).status).toBe(404);
  await mcp.box.stopSession(above, "acme", "over");
  expect((await call("shop.get")).status).toBe(401);
});

it("a client of another agent is never asked what only the user may confirm", async () => {
  const forms = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
  const asked = await mcp.modern("tools/call", { name: "shop.pay", arguments: { id: "A" } }, { key: keys.agent, meta: forms });
  expect(asked.text).toContain("input_required");
  const waiting = await call("shop.pay", forms);
  expect(waiting.text).not.toContain("input_required");
  expect(waiting.text).toContain("not done yet: the user must confirm it");
});
