import { verifies } from "../../test/verifies.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
});
afterAll(() => live.close());

const call = (session: string, tool: string, more: object = {}): object => ({ session, tool, arguments: { id: "A-1" }, ...more });

describe("calls over HTTP", () => {
  test("answer a completed call with 200 and the trace of the request", async () => {
    const session = await live.session();
    const answered = await live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: call(session, "shop.get", { turn: { said: "look it up" } }),
      headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id": "mine-1" },
    });
    expect(answered).toMatchObject({
      status: 200,
      headers: {
        "x-request-id": "mine-1",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      },
      json: {
        tool: "shop.get",
        sessionId: session,
        traceId: "0af7651916cd43dd8448eb211c80319c",
        outcome: { kind: "completed", result: { value: { order: { id: "A-1" } } } },
      },
    });
    expect(live.lines.find((line) => line["requestId"] === "mine-1")).toMatchObject({
      event: "request-answered",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      credential: "agent",
      route: "makeCall",
      status: 200,
    });
    const trail = await live.send("GET", `/v1/calls/${String(answered.json?.["callId"])}/trail`, { key: keys.operator });
    expect(trail.text).toContain("0af7651916cd43dd8448eb211c80319c");
    const later = await live.send("GET", `/v1/calls/${String(answered.json?.["callId"])}`, { key: keys.agent });
    expect(later).toMatchObject({ status: 200, json: { outcome: { kind: "completed" } } });
  });

  test("answer a denied call with a problem that carries the outcome", async () => {
    const answered = await live.send("POST", "/v1/calls", { key: keys.agent, body: call(await live.session(), "bank.close") });
    expect(answered.status).toBe(404);
    expect(answered.headers["content-type"]).toBe("application/problem+json");
    expect(answered.json).toMatchObject({
      type: "urn:signalbox:error:TOOL_NOT_FOUND",
      status: 404,
      error: { code: "TOOL_NOT_FOUND", retry: "after-fix", effect: "none" },
      outcome: { kind: expect.stringMatching(/denied|failed/) as string },
    });
  });

  test("name the wrong argument", async () => {
    const answered = await live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: { session: await live.session(), tool: "shop.get", arguments: {} },
    });
    expect(answered).toMatchObject({ status: 422, json: { error: { code: "ARGUMENTS_INVALID", fields: [{ path: "/id" }] } } });
  });

  test("wait for a person, are approved by another credential, and have one effect under one key", async () => {
    const session = await live.session();
    const body = call(session, "shop.refund", { key: "refund-1" });
    const asked = await live.send("POST", "/v1/calls", { key: keys.agent, body });
    expect(asked).toMatchObject({ status: 202, json: { outcome: { kind: "pending", waiting: { kind: "person" } } } });
    expect(asked.headers["location"]).toBe(`/v1/calls/${String(asked.json?.["callId"])}`);
    const approvalId = (asked.json as { outcome: { waiting: { approvalId: string } } }).outcome.waiting.approvalId;

    expect(await live.send("POST", `/v1/approvals/${approvalId}/answer`, { key: keys.agent, body: { approve: true } })).toMatchObject({
      status: 403,
      json: { error: { code: "PERMISSION_DENIED" } },
    });
    expect(await live.send("GET", `/v1/approvals/${approvalId}`, { key: keys.outsider })).toMatchObject({ status: 404 });
    expect(await live.send("POST", `/v1/approvals/${approvalId}/answer`, { key: keys.outsider, body: { approve: true } })).toMatchObject({
      status: 404,
    });
    expect(await live.send("GET", "/v1/approvals?state=pending", { key: keys.lead })).toMatchObject({
      status: 200,
      json: {
        approvals: expect.arrayContaining([expect.objectContaining({ id: approvalId, tool: "shop.refund", user: "ada" })]) as unknown,
      },
    });
    expect((await live.send("GET", "/v1/approvals?state=pending", { key: keys.outsider })).json?.["approvals"]).toEqual([]);
    expect(await live.send("GET", `/v1/approvals/${approvalId}`, { key: keys.lead })).toMatchObject({
      status: 200,
      json: {
        arguments: { id: "A-1" },
        card: { user: "ada", agent: "agent", arguments: [{ name: "id", value: '"A-1"' }] },
      },
    });

    const decided = await live.send("POST", `/v1/approvals/${approvalId}/answer`, { key: keys.lead, body: { approve: true } });
    expect(decided).toMatchObject({ status: 200, json: { approval: { answers: [{ by: "lead", approve: true }] } } });
    const again = await live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: call(session, "shop.refund"),
      headers: { "idempotency-key": '"refund-1"' },
    });
    expect(again).toMatchObject({
      status: 200,
      json: { outcome: { kind: "completed", isReplay: true, result: { value: { refunded: true } } } },
    });
  });

  test("carry out the calls of a model's response and answer in its form", async () => {
    const response = {
      choices: [
        {
          message: {
            role: "assistant",
            tool_calls: [{ id: "c1", type: "function", function: { name: "shop_get", arguments: '{"id":"A-7"}' } }],
          },
        },
      ],
    };
    const answered = await live.send("POST", "/v1/turns", {
      key: keys.agent,
      body: { session: await live.session(), form: "openai-chat", response },
    });
    expect(answered).toMatchObject({ status: 200, json: { messages: [{ role: "tool", tool_call_id: "c1" }] } });
    expect(answered.text).toContain("A-7");
  });

  test(verifies("AUTH-18", "run the calls of a response together or not at all where the turn says so"), async () => {
    const send = async (ids: readonly string[]) =>
      await live.send("POST", "/v1/turns", {
        key: keys.agent,
        body: {
          session: await live.session(),
          form: "plain",
          turn: { allOrNothing: true },
          response: ids.map((id) => ({ tool: id === "none" ? "shop.none" : "shop.get", arguments: { id } })),
        },
      });
    expect(await send(["A-7", "A-8"])).toMatchObject({ json: { messages: [{ outcome: "completed" }, { outcome: "completed" }] } });
    expect(await send(["A-7", "none"])).toMatchObject({
      json: { messages: [{ error: { code: "SET_REFUSED" } }, { error: { code: "TOOL_NOT_FOUND" } }] },
    });
  });

  test("list the tools of the session, never those of others", async () => {
    const session = await live.session();
    const plain = await live.send("GET", `/v1/sessions/${session}/tools`, { key: keys.agent });
    const { tools } = plain.json as unknown as { readonly tools: readonly { readonly name: string }[] };
    expect(tools.map((each) => each.name).toSorted()).toEqual(["shop.address", "shop.get", "shop.refund", "shop.slow"]);
    expect(await live.send("GET", `/v1/sessions/${session}/tools?form=anthropic`, { key: keys.agent })).toMatchObject({ status: 200 });
    expect(await live.send("GET", `/v1/sessions/${session}/tools?form=antropic`, { key: keys.agent })).toMatchObject({
      status: 400,
      json: { error: { fields: [{ path: "/form" }] } },
    });
  });

  test("refuse two different keys for one call", async () => {
    const answered = await live.send("POST", "/v1/calls", {
      key: keys.agent,
      body: call(await live.session(), "shop.get", { key: "a" }),
      headers: { "idempotency-key": "b" },
    });
    expect(answered).toMatchObject({ status: 400, json: { error: { code: "REQUEST_INVALID" } } });
  });
});
