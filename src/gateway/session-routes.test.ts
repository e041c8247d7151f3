import { afterAll, beforeAll, expect, test } from "vitest";
import { keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
});
afterAll(() => live.close());

test("a conversation is shown to its caller without the policy's words, to the tenant's people with them, and to nobody else", async () => {
  const session = await live.session();
  await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.get", arguments: { id: "A-1" } } });
  const path = `/v1/sessions/${session}`;
  const seen = (key: string): Promise<Awaited<ReturnType<TestGateway["send"]>>> => live.send("GET", path, { key });
  const refund = (body: unknown): unknown =>
    (body as { readonly tools: readonly { readonly tool: string }[] }).tools.find(({ tool }) => tool === "shop.refund");
  for (const key of [keys.lead, keys.operator]) {
    const shown = await seen(key);
    expect(shown).toMatchObject({ status: 200, json: { id: session, user: "ada", read: [{ source: "local", resultsCount: 1 }] } });
    expect(refund(shown.json)).toMatchObject({
      now: "asks",
      because: [{ rule: "tier:irreversible", reason: expect.stringContaining("person") as string }, { rule: "flow:R1" }],
    });
    expect(shown.text).not.toContain("A-1");
  }
  const own = await seen(keys.agent);
  expect(own.status).toBe(200);
  expect(refund(own.json)).toMatchObject({ now: "asks", because: [{ rule: "tier:irreversible" }, { rule: "flow:R1" }] });
  expect(JSON.stringify(refund(own.json))).not.toContain("reason");
  for (const key of [keys.rival, keys.stranger])
    expect(await seen(key)).toMatchObject({ status: 404, json: { error: { code: "SESSION_UNKNOWN" } } });
  expect(await live.send("GET", "/v1/sessions/ses_none", { key: keys.operator })).toMatchObject({ status: 404 });
});
