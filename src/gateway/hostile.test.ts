import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keys, startGateway, type TestGateway } from "./gateway.fixture.ts";
import { routes } from "./routes.ts";
import { isGuarded } from "./route.ts";

let live: TestGateway;
let session: string;
beforeAll(async () => {
  live = await startGateway({
    limits: { sessionDenialsMax: 1_000_000, sessionCallsMax: 1_000_000, rateCallsPerMinute: 1_000_000, rateBurstCalls: 1_000_000 },
  });
  session = await live.session();
});
afterAll(() => live.close());

// A stream of events does not end by itself, and verification is the ledger's own subject.
const asked = routes.filter((route) => isGuarded(route) && route.id !== "streamEvents");
const keyFor = (access: readonly string[]): string =>
  access.includes("caller") ? keys.agent : access.includes("approver") ? keys.lead : keys.operator;
const pathOf = (path: string): string => path.replace("/sessions/{id}", `/sessions/${session}`).replaceAll("{id}", "thing_1");

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
const json = fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text));
const members = [
  "session",
  "tool",
  "arguments",
  "key",
  "callId",
  "turn",
  "form",
  "response",
  "user",
  "roles",
  "attributes",
  "approve",
  "reason",
  "policy",
];
const likely = fc
  .dictionary(
    fc.constantFrom(...members),
    fc.oneof(
      fc.constant("SESSION"),
      fc.constantFrom("shop.get", "__proto__", "toString", "anthropic", "openai-chat", "gemini", "mcp", "openai-responses", "plain", ""),
      fc.boolean(),
      fc.jsonValue({ maxDepth: 4 }),
    ),
    { maxKeys: 14 },
  )
  .map((object) => Buffer.from(JSON.stringify(object).replaceAll('"SESSION"', JSON.stringify(session))));

test("whatever is sent to whichever route is answered, and never with a fault of ours", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...asked), fc.oneof(bytes, json, likely), fc.webQueryParameters(), async (route, body, query) => {
      const answered = await live.send(route.method, `${pathOf(route.path)}${query === "" ? "" : `?${query}`}`, {
        key: keyFor(route.access as readonly string[]),
        ...(route.method === "POST" && { raw: body }),
      });
      if (answered.status >= 500) throw new Error(`${route.id}: ${answered.status} ${answered.text}`);
      expect(answered.json).toBeDefined();
      if (answered.status >= 400)
        expect(answered.json).toMatchObject({
          error: { code: expect.any(String) as string, message: expect.not.stringMatching(/[\n\r]/) as string },
          requestId: answered.headers["x-request-id"],
        });
    }),
    { numRuns: 250 },
  );
  expect(live.lines.filter((line) => line.event === "request-failed")).toEqual([]);
});

test("whatever path is asked for gets a route or a problem", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"), fc.webPath(), async (method, path) => {
      const { status } = await live.send(method, `/${path}`.replaceAll("//", "/"), { key: keys.operator });
      expect([200, 400, 401, 403, 404, 405, 415]).toContain(status);
    }),
    { numRuns: 100 },
  );
});

test("whatever stands in a header is answered with names of the right form", async () => {
  const visible = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(visible, visible, visible, async (requestId, traceparent, key) => {
      const headers = { "x-request-id": requestId, traceparent, "idempotency-key": key };
      const answered = await live.send("POST", "/v1/calls", {
        key: keys.agent,
        headers,
        body: { session, tool: "shop.get", arguments: { id: "1" } },
      });
      expect([200, 400, 409]).toContain(answered.status);
      expect(answered.headers["x-request-id"]).toMatch(/^[A-Za-z0-9._:-]{1,128}$/);
    }),
    { numRuns: 100 },
  );
});
