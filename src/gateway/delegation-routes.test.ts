import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { credentials, keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
});
afterAll(() => live.close());

const handed = { tools: ["shop.get"], budget: { calls: 2 }, expiresInMs: 60_000 };
const get = (session: string, id = "A-1") => ({ session, tool: "shop.get", arguments: { id } });

async function delegated(key: string, session: string, body: object = handed) {
  const answered = await live.send("POST", `/v1/sessions/${session}/delegate`, { key, body });
  expect(answered.status).toBe(201);
  return answered.json as unknown as { readonly id: string; readonly token: string; readonly expiresAt: string };
}

describe("delegated sessions over HTTP", () => {
  test(verifies("AUTH-01", "are used with a token that opens that one session, with what it was handed"), async () => {
    const session = await live.session();
    const { id, token, expiresAt } = await delegated(keys.agent, session);
    expect(Date.parse(expiresAt)).toBeGreaterThan(0);
    const tools = await live.send("GET", `/v1/sessions/${id}/tools`, { key: token });
    expect(tools.json).toMatchObject({ tools: [{ name: "shop.get" }] });
    const made = await live.send("POST", "/v1/calls", { key: token, body: get(id) });
    expect(made.status).toBe(200);
    expect(await live.send("POST", "/v1/calls", { key: token, body: { ...get(id), tool: "shop.refund" } })).toMatchObject({ status: 404 });
    const { callId } = made.json as unknown as { readonly callId: string };
    expect(await live.send("GET", `/v1/calls/${callId}`, { key: token })).toMatchObject({ status: 200 });
    const below = await delegated(token, id);
    expect(await live.send("POST", "/v1/calls", { key: below.token, body: get(below.id, "A-2") })).toMatchObject({ status: 200 });
    expect(await live.send("POST", "/v1/calls", { key: token, body: get(id, "A-3") })).toMatchObject({ status: 402 });
  });

  test(verifies("AUTH-01", "show their token nothing of the session above, of others, or of what callers and people do"), async () => {
    const session = await live.session();
    const { id, token } = await delegated(keys.agent, session);
    const above = await live.send("POST", "/v1/calls", { key: keys.agent, body: get(session) });
    const { callId } = above.json as unknown as { readonly callId: string };
    const sibling = await delegated(keys.agent, session);
    for (const [method, path, body] of [
      ["POST", "/v1/calls", get(session)],
      ["POST", "/v1/calls", get(sibling.id)],
      ["GET", `/v1/calls/${callId}`, undefined],
      ["GET", `/v1/calls/${callId}/trail`, undefined],
      ["GET", `/v1/sessions/${session}/tools`, undefined],
      ["POST", `/v1/sessions/${session}/stop`, { reason: "x" }],
      ["POST", `/v1/sessions/${sibling.id}/delegate`, handed],
    ] as const)
      expect((await live.send(method, path, { key: token, ...(body !== undefined && { body }) })).status, path).toBe(404);
    for (const [method, path, body] of [
      ["POST", "/v1/sessions", { user: "ada", roles: ["support"] }],
      ["GET", "/v1/approvals", undefined],
      ["GET", "/v1/policy", undefined],
      ["GET", `/v1/events?session=${id}`, undefined],
      ["POST", "/v1/roles/revoke", { user: "ada", roles: ["support"] }],
    ] as const)
      expect([403, 404], path).toContain((await live.send(method, path, { key: token, ...(body !== undefined && { body }) })).status);
    expect(await live.send("POST", "/v1/sessions", { key: token, body: { user: "ada", roles: ["support"] } })).toMatchObject({
      status: 403,
    });
  });

  test(
    verifies("AUTH-01", "are over for their token when the session above is stopped, or the key that it came from is gone"),
    async () => {
      const session = await live.session();
      const { id, token } = await delegated(keys.agent, session);
      await live.send("POST", `/v1/sessions/${session}/stop`, { key: keys.agent, body: { reason: "the user left" } });
      expect(await live.send("POST", "/v1/calls", { key: token, body: get(id) })).toMatchObject({ status: 401 });
      for (const wrong of [`${token}x`, token.slice(0, -1), "dlg_", `dlg_${"A".repeat(43)}`])
        expect((await live.send("POST", "/v1/calls", { key: wrong, body: get(id) })).status).toBe(401);

      const other = await delegated(keys.agent, await live.session());
      const held = Object.entries(keys).map(([name, key]) => ({ credential: credentials[name as keyof typeof keys], key }));
      live.apiKeys.replace(held.filter(({ key }) => key !== keys.agent));
      expect(await live.send("POST", "/v1/calls", { key: other.token, body: get(other.id) })).toMatchObject({ status: 401 });
      live.apiKeys.replace(held);
      expect(await live.send("POST", "/v1/calls", { key: other.token, body: get(other.id) })).toMatchObject({ status: 200 });
    },
  );
});
