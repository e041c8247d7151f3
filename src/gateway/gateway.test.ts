import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { credentials, keys, startGateway, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
});
afterAll(() => live.close());

const call = (session: string, tool: string, more: object = {}) => ({ session, tool, arguments: { id: "A-1" }, ...more });
const raw = (address: string, text: string): Promise<string> =>
  new Promise((resolve) => {
    const { port, hostname } = new URL(address);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let got = "";
    socket.on("data", (chunk) => (got += chunk.toString()));
    socket.on("error", () => resolve(got));
    socket.on("close", () => resolve(got));
  });

describe("who may do what", () => {
  test.each([
    ["no key", {}],
    ["a wrong key", { key: "agent-key-000000000000000001" }],
    ["another scheme", { headers: { authorization: `Basic ${keys.agent}` } }],
    ["a key in the address", {}],
  ])("answers 401 to %s", async (what, sending) => {
    const path = what === "a key in the address" ? `/v1/policy?key=${keys.agent}` : "/v1/policy";
    expect(await live.send("GET", path, sending)).toMatchObject({
      status: 401,
      headers: { "www-authenticate": 'Bearer realm="signalbox"' },
      json: { error: { code: "UNAUTHENTICATED" } },
    });
  });

  test("refuses a revoked key at once", async () => {
    const own = await startGateway();
    try {
      expect((await own.send("GET", "/v1/policy", { key: keys.rival })).status).toBe(200);
      own.apiKeys.replace([{ credential: credentials.agent, key: keys.agent }]);
      expect((await own.send("GET", "/v1/policy", { key: keys.rival })).status).toBe(401);
      expect((await own.send("GET", "/v1/policy", { key: keys.agent })).status).toBe(200);
    } finally {
      await own.close();
    }
  });

  test("an approver cannot call, nor a caller administer, nor an administrator call or approve", async () => {
    const denied = { status: 403, json: { error: { code: "PERMISSION_DENIED" } } };
    expect(await live.send("POST", "/v1/sessions", { key: keys.lead, body: { user: "u", roles: ["support"] } })).toMatchObject(denied);
    expect(await live.send("POST", "/v1/sessions", { key: keys.operator, body: { user: "u", roles: ["support"] } })).toMatchObject(denied);
    expect(await live.send("POST", "/v1/policy/activate", { key: keys.agent, body: { policy: {} } })).toMatchObject(denied);
    expect(await live.send("POST", "/v1/policy/activate", { key: keys.lead, body: { policy: {} } })).toMatchObject(denied);
    expect(await live.send("GET", "/v1/ledger/entries", { key: keys.agent })).toMatchObject(denied);
    expect(await live.send("GET", "/v1/tools", { key: keys.agent })).toMatchObject(denied);
    expect(await live.send("POST", "/v1/approvals/x/answer", { key: keys.operator, body: { approve: true } })).toMatchObject(denied);
  });

  test(verifies("AUTH-17", "SAFE-06", "a session of another credential or tenant looks exactly like one that does not exist"), async () => {
    const session = await live.session();
    const done = await live.send("POST", "/v1/calls", { key: keys.agent, body: call(session, "shop.get") });
    const callId = String(done.json?.["callId"]);
    for (const key of [keys.rival, keys.stranger]) {
      const there = await live.send("POST", "/v1/calls", { key, body: call(session, "shop.get") });
      const nowhere = await live.send("POST", "/v1/calls", { key, body: call("ses_nowhere", "shop.get") });
      expect(there.status).toBe(404);
      expect(there.json?.["error"]).toEqual(nowhere.json?.["error"]);
      expect((await live.send("POST", `/v1/sessions/${session}/stop`, { key, body: { reason: "x" } })).status).toBe(404);
      expect((await live.send("GET", `/v1/calls/${callId}`, { key })).status).toBe(404);
      expect((await live.send("GET", `/v1/calls/${callId}/trail`, { key })).json?.["error"]).toEqual(
        (await live.send("GET", "/v1/calls/call_nowhere/trail", { key })).json?.["error"],
      );
    }
  });

  test("a caller sees the trail of its call without private values, an administrator with them", async () => {
    const done = await live.send("POST", "/v1/calls", { key: keys.agent, body: call(await live.session(), "shop.get") });
    const path = `/v1/calls/${String(done.json?.["callId"])}/trail`;
    const own = (await live.send("GET", path, { key: keys.agent })).json?.["entries"] as object[];
    expect(own.length).toBeGreaterThan(0);
    expect(own.some((entry) => "private" in entry)).toBe(false);
    expect((await live.send("GET", path, { key: keys.operator })).text).toContain('"private":{');
  });

  test("a stopped session refuses every later call", async () => {
    const session = await live.session();
    expect((await live.send("POST", `/v1/sessions/${session}/stop`, { key: keys.operator, body: { reason: "enough" } })).status).toBe(200);
    expect(await live.send("POST", "/v1/calls", { key: keys.agent, body: call(session, "shop.get") })).toMatchObject({
      status: 403,
      json: { error: { code: "SESSION_STOPPED" } },
    });
  });

  test("a broken policy is refused with every problem and the old one stays", async () => {
    const before = (await live.send("GET", "/v1/policy", { key: keys.operator })).json;
    expect(
      await live.send("POST", "/v1/policy/activate", { key: keys.operator, body: { policy: { rules: [{ id: "x" }] } } }),
    ).toMatchObject({ status: 422, json: { error: { code: "CONFIG_INVALID" } } });
    expect((await live.send("GET", "/v1/policy", { key: keys.operator })).json).toEqual(before);
  });
});

describe("requests from elsewhere", () => {
  test.each([["evil.example"], ["evil.example:7320"], ["127.0.0.1.evil.example"], ["localhost.evil.example"], ["[::2]"], ["10.0.0.1"]])(
    "refuses the host `%s`, as after DNS rebinding",
    async (host) => {
      expect(await live.send("GET", "/v1/policy", { key: keys.agent, headers: { host } })).toMatchObject({
        status: 400,
        json: { error: { code: "REQUEST_INVALID" } },
      });
    },
  );

  test.each([["localhost"], ["127.0.0.1:7320"], ["[::1]:9"], ["127.1.2.3"]])("serves the loopback host `%s`", async (host) => {
    expect((await live.send("GET", "/v1/policy", { key: keys.agent, headers: { host } })).status).toBe(200);
  });

  test.each([["/healthz"], ["/readyz"]])("tells a balancer that asks `%s` by address, or without a name", async (path) => {
    const { address } = live.gateway;
    expect(await raw(address as string, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(await raw(address as string, `GET ${path} HTTP/1.1\r\nhost: 10.1.2.3:7320\r\nconnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 200 /,
    );
    expect(await raw(address as string, "GET /openapi.json HTTP/1.1\r\nhost: 10.1.2.3:7320\r\nconnection: close\r\n\r\n")).toMatch(
      /^HTTP\/1.1 400 /,
    );
  });

  test("serves a configured host", async () => {
    const own = await startGateway({ hosts: ["Box.example"] });
    try {
      expect(
        (await own.send("GET", "/v1/policy", { key: keys.agent, headers: { host: "box.example:443", origin: "https://box.example:443" } }))
          .status,
      ).toBe(200);
    } finally {
      await own.close();
    }
  });

  test.each([
    [{ origin: "https://evil.example" }],
    [{ origin: "null" }],
    [{ origin: "http://localhost:1" }],
    [{ "sec-fetch-site": "cross-site" }],
  ])("refuses pages of other origins: %o", async (headers: Record<string, string>) => {
    const answered = await live.send("POST", "/v1/sessions", { key: keys.agent, body: { user: "a", roles: [] }, headers });
    expect(answered.status).toBe(400);
    expect(Object.keys(answered.headers).some((name) => name.startsWith("access-control"))).toBe(false);
  });

  test("serves a page of its own origin", async () => {
    const { host } = new URL(live.gateway.address as string);
    expect((await live.send("GET", "/v1/policy", { key: keys.agent, headers: { host, origin: `http://${host}` } })).status).toBe(200);
  });
});

describe("requests that are not right", () => {
  test.each([
    ["another type", { raw: "{}", headers: { "content-type": "text/plain" } }, 415],
    ["no JSON", { raw: "{" }, 400],
    ["a duplicate key", { raw: '{"user":"a","user":"b","roles":[]}' }, 400],
    ["a prototype key", { raw: '{"user":"a","roles":[],"attributes":{"__proto__":{"x":1}}}' }, 400],
    ["a list", { raw: "[]" }, 400],
    ["bytes that are not UTF-8", { raw: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400],
    ["an unknown member", { body: { user: "a", roles: [], admin: true } }, 400],
    ["deep nesting", { raw: `{"user":"a","roles":[],"attributes":${'{"a":'.repeat(100)}1${"}".repeat(100)}}` }, 400],
    ["a wrong type", { body: { user: 1, roles: "support" } }, 400],
  ])("refuses %s", async (_, sending, status) => {
    expect(await live.send("POST", "/v1/sessions", { key: keys.agent, ...sending })).toMatchObject({
      status,
      json: { error: { code: "REQUEST_INVALID" } },
    });
  });

  test("refuses a body over the bound, announced or not", async () => {
    const own = await startGateway({ limits: { bodyBytesMax: 1_000 } });
    try {
      expect((await own.send("POST", "/v1/sessions", { key: keys.agent, raw: `{"user":"${"a".repeat(2_000)}"}` })).status).toBe(413);
      const chunk = `${(1_500).toString(16)}\r\n${"a".repeat(1_500)}\r\n`;
      const got = await raw(
        own.gateway.address as string,
        `POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${keys.agent}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunk}`,
      );
      expect(got).toMatch(/^HTTP\/1.1 413 /);
    } finally {
      await own.close();
    }
  });

  test("answers headers over the bound and bytes that are no HTTP, then hangs up", async () => {
    expect(
      await raw(live.gateway.address as string, `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(20_000)}\r\n\r\n`),
    ).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(live.gateway.address as string, "\u0000\u0001nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  });

  test("does not wait for a request that never arrives whole", async () => {
    const own = await startGateway({ limits: { requestTimeoutMs: 50 } });
    try {
      expect(await raw(own.gateway.address as string, "POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n")).toMatch(
        /^HTTP\/1.1 408 /,
      );
    } finally {
      await own.close();
    }
  });

  test("names the nearest route and the possible methods", async () => {
    expect(await live.send("POST", "/v1/cals", { key: keys.agent })).toMatchObject({
      status: 404,
      json: { detail: expect.stringContaining("nearest: `POST /v1/calls`") as string },
    });
    expect(await live.send("DELETE", "/v1/calls/x", { key: keys.agent })).toMatchObject({ status: 405, headers: { allow: "GET" } });
    expect(await live.send("OPTIONS", "/v1/calls", { headers: { origin: "http://evil.example" } })).toMatchObject({ status: 400 });
    expect(await live.send("GET", "/v1/calls/..%2f..%2fetc", { key: keys.agent })).toMatchObject({ status: 404 });
  });
});

describe("faults of ours", () => {
  test("say nothing to the caller and the cause's class to the log", async () => {
    class VerySpecialError extends Error {}
    const own = await startGateway({ box: { outcome: () => Promise.reject(new VerySpecialError("secret sauce")) } });
    try {
      const answered = await own.send("GET", "/v1/calls/call_1", { key: keys.agent });
      expect(answered).toMatchObject({ status: 500, json: { error: { code: "INTERNAL" } } });
      expect(answered.text).not.toMatch(/secret sauce|VerySpecial|\.ts/);
      const line = own.lines.find((each) => each.event === "request-failed");
      expect(line).toMatchObject({ cause: "VerySpecialError", requestId: answered.headers["x-request-id"] });
      expect(JSON.stringify(own.lines)).not.toContain("secret sauce");
    } finally {
      await own.close();
    }
  });
});

describe("waiting", () => {
  test("an error that says when to come again says so in the header too, rounded up", async () => {
    const limited = toolCallError("RATE_LIMITED", "too many calls", { retryAfterMs: 1_200 });
    const own = await startGateway({ box: { outcome: () => Promise.reject(limited) } });
    try {
      expect(await own.send("GET", "/v1/calls/call_1", { key: keys.agent })).toMatchObject({
        status: 429,
        headers: { "retry-after": "2" },
      });
      expect((await own.send("GET", "/v1/nothing", { key: keys.agent })).headers["retry-after"]).toBeUndefined();
    } finally {
      await own.close();
    }
  });
});

describe("closing", () => {
  test("finishes what was accepted, refuses what comes later, and ends streams", async () => {
    const own = await startGateway();
    const session = await own.session();
    const events = own.send("GET", `/v1/events?session=${session}`, { key: keys.agent });
    await own.send("POST", "/v1/calls", { key: keys.agent, body: call(session, "shop.get") });
    const slow = own.send("POST", "/v1/calls", { key: keys.agent, body: call(session, "shop.slow") });
    await expect.poll(() => own.box.health().callsRunning).toBe(1);
    const closing = own.gateway.close();
    expect((await own.send("GET", "/healthz").catch(() => undefined))?.status).toBeUndefined();
    own.release();
    expect((await slow).json).toMatchObject({ outcome: { kind: "completed" } });
    await closing;
    expect((await events).text).toContain('"tool":"shop.get"');
    await own.close();
  });
});

describe("events", () => {
  test("a caller must name a session of its own", async () => {
    expect((await live.send("GET", "/v1/events", { key: keys.agent })).status).toBe(400);
    expect((await live.send("GET", `/v1/events?session=${await live.session()}`, { key: keys.rival })).status).toBe(404);
  });
});
