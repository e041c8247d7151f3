import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
  const rules = [{ id: "night", on: "shop.get", effect: "defer", for: "10m" }];
  await live.box.activatePolicy({ roles: { support: ["shop.*"] }, rules }, "operator");
});
afterAll(() => live.close());

test(verifies("AUTH-15", "calls that are put off answer 202, and are listed and cancelled by their caller and by people"), async () => {
  const session = await live.session();
  const made = await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.get", arguments: { id: "A-1" } } });
  expect(made).toMatchObject({ status: 202, json: { outcome: { kind: "pending", waiting: { kind: "time" } } } });
  const callId = made.json?.["callId"] as string;
  const listed = async (key: string): Promise<readonly string[]> => {
    const { json } = await live.send("GET", "/v1/deferrals", { key });
    const { deferrals } = json as { readonly deferrals: readonly { readonly callId: string }[] };
    return deferrals.map((each) => each.callId);
  };
  expect(await Promise.all([keys.agent, keys.lead, keys.operator, keys.rival, keys.stranger].map(listed))).toEqual([
    [callId],
    [callId],
    [callId],
    [],
    [],
  ]);
  const cancel = (key: string): ReturnType<typeof live.send> =>
    live.send("POST", `/v1/deferrals/${callId}/cancel`, { key, body: { reason: "not needed" } });
  expect((await cancel(keys.rival)).status).toBe(404);
  expect((await cancel(keys.agent)).status).toBe(200);
  expect((await cancel(keys.agent)).status).toBe(404);
  const { json } = await live.send("GET", `/v1/calls/${callId}`, { key: keys.agent });
  expect(JSON.stringify(json)).toContain("not needed");
});
