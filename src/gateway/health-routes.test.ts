import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { keys, startGateway } from "./gateway.fixture.ts";

test(verifies("REG-06", "how tools and sources do is for those who run the installation, and tells what calls have found"), async () => {
  const live = await startGateway();
  const session = await live.session();
  await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.get", arguments: { id: "A-1" } } });
  expect((await live.send("GET", "/v1/health", { key: keys.agent })).status).toBe(403);
  const report = await live.send("GET", "/v1/health", { key: keys.lead });
  expect(report).toMatchObject({
    status: 200,
    json: { load: { running: 0, runningMax: 2_000, shedCount: 0 }, sources: [{ source: "local" }] },
  });
  const tools = report.json?.["tools"] as readonly { readonly tool: string }[];
  expect(tools.find((each) => each.tool === "shop.get")).toMatchObject({
    state: "healthy",
    breaker: "closed",
    attemptCount: 1,
    failureCount: 0,
    runningCount: 0,
  });
  await live.close();
});

test(
  verifies("EXEC-11", "a call that is turned away is answered 503 with `Retry-After`; health and answers to approvals go on"),
  async () => {
    const live = await startGateway({ limits: { callsRunningMax: 1 } });
    const session = await live.session();
    const wait = live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: { session, tool: "shop.refund", arguments: { id: "A-1" }, key: "r" },
    });
    const approvalId = ((await wait).json as { outcome: { waiting: { approvalId: string } } }).outcome.waiting.approvalId;
    const slow = live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.slow", arguments: { id: "A-1" } } });
    await expect.poll(() => live.box.healthReport().load.running).toBe(1);
    const shed = await live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: { session, tool: "shop.refund", arguments: { id: "A-2" } },
    });
    expect(shed).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      json: { error: { code: "OVERLOADED", effect: "none", retry: "later" } },
    });
    expect((await live.send("GET", "/readyz")).status).toBe(200);
    expect((await live.send("GET", "/v1/health", { key: keys.lead })).json).toMatchObject({ load: { running: 1, shedCount: 1 } });
    const answered = await live.send("POST", `/v1/approvals/${approvalId}/answer`, { key: keys.lead, body: { approve: true } });
    expect(answered.status).toBe(200);
    live.release();
    expect((await slow).status).toBe(200);
    await live.close();
  },
);
