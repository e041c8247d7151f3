import type { IncomingMessage, RequestListener } from "node:http";
import { text as readText } from "node:stream/consumers";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { systemClock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Connector, ExecutionResult, Failure } from "../domain/tool.ts";
import { attempt, resilienceOf, stepClock, toolOf } from "../resilience/resilience.fixture.ts";
import { closedPort, serve, watched } from "./connectors.fixture.ts";
import type { HttpOptions } from "./http-options.ts";
import { createRequestBuilder } from "./http-request.ts";
import { httpConnector } from "./http.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A connector to a server that answers as told, and what the server saw. */
async function connected(options: Partial<HttpOptions> & { readonly path?: string }, answer: RequestListener, limits = defaultLimits) {
  const seen: Seen[] = [];
  const server = await serve((request, response) => {
    void readText(request).then((body) => {
      seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body });
      answer(request, response);
    });
  });
  const { path = "/orders/{orderId}", ...rest } = options;
  const connector = httpConnector(
    { method: "POST", url: `${server.url}${path}`, allowPrivate: [server.host], ...rest },
    { clock: systemClock, limits },
  );
  closers.push(server.close, async () => connector.close?.());
  return { seen, server, connector };
}

function failureOf(result: ExecutionResult): Failure {
  if (result.kind !== "failure") throw new Error(`expected a failure, got ${JSON.stringify(result)}`);
  return result.failure;
}

const json =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));

const order: JsonObject = { orderId: "A-1" };

describe("the request", () => {
  it("fills path, query, headers and body from the arguments, and carries key and credential", async () => {
    const { seen, connector } = await connected(
      {
        query: { notify: { from: "notify" }, tag: { from: "tags" }, fixed: "yes & no" },
        headers: { "X-Team": { from: "team" } },
        auth: { secret: "secret://env/SHOP", scheme: { header: "X-Api-Key" } },
      },
      json({ done: true }),
    );
    const args = { orderId: "A 1%ü", notify: true, tags: ["a", "b&c"], team: "blue", amount: 12.5, note: { text: "x" } };
    expect(await connector.execute(args, watched().execution)).toEqual({ kind: "value", value: { done: true } });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: "POST",
      url: "/orders/A%201%25%C3%BC?notify=true&tag=a&tag=b%26c&fixed=yes+%26+no",
      body: JSON.stringify({ amount: 12.5, note: { text: "x" } }),
    });
    expect(seen[0]?.headers).toMatchObject({
      "idempotency-key": "key_1",
      "x-api-key": "value-of-SHOP",
      "x-team": "blue",
      "content-type": "application/json",
    });
  });

  it("sends neither body nor key with a GET, and a basic credential as such", async () => {
    const { seen, connector } = await connected({ method: "GET", auth: { secret: "secret://env/U", scheme: "basic" } }, json({}));
    await connector.execute({ ...order, ignored: 1 }, watched({ secret: async () => "ada:pw" }).execution);
    expect(seen[0]).toMatchObject({ url: "/orders/A-1", body: "" });
    expect(seen[0]?.headers).toMatchObject({ authorization: `Basic ${Buffer.from("ada:pw").toString("base64")}` });
    expect(seen[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  it("never lets an argument leave its path segment, its query parameter or its header (property)", () => {
    const build = createRequestBuilder({
      method: "POST",
      url: "https://api.example.com/v1/{a}/items/{b}.json",
      query: { q: { from: "q" } },
      headers: { "x-h": { from: "h" } },
    });
    const hostile = fc.oneof(
      fc.string({ unit: anyCodePoint, maxLength: 12 }),
      fc.constantFrom(
        "..",
        ".",
        "",
        "../../admin",
        "a/b",
        "a\\b",
        "%2e%2e",
        "%2f",
        "x?y=1",
        "x#y",
        "@evil.test",
        "a\r\nb: c",
        "\u0000",
        "..;",
        "．．",
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (a, b, q, h) => {
        const built = build({ a, b, q, h });
        if (built.kind === "refused") return;
        const { url, headers } = built.request;
        expect(url.origin).toBe("https://api.example.com");
        expect(url.hash).toBe("");
        expect(url.pathname.split("/").map((segment) => decodeURIComponent(segment))).toEqual(["", "v1", a, "items", `${b}.json`]);
        expect([...url.searchParams]).toEqual([["q", q.toWellFormed()]]);
        expect(headers["x-h"]).toBe(h);
        expect(h).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 150 },
    );
    expect(build({ a: "..", b: "b", q: "", h: "" }).kind).toBe("refused");
    expect(build({ a: "a/b", b: "b", q: "", h: "" }).kind).toBe("refused");
    expect(build({ a: "a", b: "b", q: "", h: "x\r\ny: z" }).kind).toBe("refused");
    expect(build({ a: "a", b: "b", q: "", h: "fine" }).kind).toBe("request");
  });

  it("reports all problems of its options together", () => {
    const make = (): Connector =>
      httpConnector(
        {
          method: "GET",
          url: "https://{host}/a",
          headers: { "bad name": "x", host: "evil", ok: "a\r\nb" },
          resultPointer: "x",
          allowPrivate: ["localhost"],
        },
        { clock: systemClock, limits: defaultLimits },
      );
    expect(make).toThrow(/argument in its host.*`bad name`.*`host` is set.*`ok` has line breaks.*pointer.*`host:port`/);
    expect(() => httpConnector({ method: "GET", url: "http://api.example.com/" }, { clock: systemClock, limits: defaultLimits })).toThrow(
      /without TLS/,
    );
    expect(() => httpConnector({ method: "GET", url: "https://10.0.0.1/" }, { clock: systemClock, limits: defaultLimits })).toThrow(
      /private/,
    );
  });

  it("fails without effect when its credential cannot be resolved, and says nothing of it", async () => {
    const { seen, connector } = await connected({ auth: { secret: "secret://env/X", scheme: "bearer" } }, json({}));
    for (const secret of [async () => Promise.reject(new Error("no s3cr3t")), async () => "line\r\nbreak"]) {
      const failure = failureOf(await connector.execute(order, watched({ secret }).execution));
      expect(failure).toMatchObject({ kind: "failed", effect: "none" });
      expect(failure.message).not.toMatch(/s3cr3t|line/);
    }
    expect(seen).toHaveLength(0);
  });
});

describe("the answer", () => {
  const rows: readonly (readonly [status: number, kind: string, effect: string, attempt: number])[] = [
    [400, "rejected", "none", 1],
    [401, "failed", "none", 1],
    [403, "rejected", "none", 1],
    [404, "rejected", "none", 1],
    [408, "timeout", "unknown", 1],
    [409, "rejected", "none", 1],
    [409, "unavailable", "unknown", 2],
    [422, "rejected", "none", 1],
    [425, "unavailable", "none", 1],
    [429, "rate-limited", "none", 1],
    [500, "unavailable", "unknown", 1],
    [501, "failed", "none", 1],
    [502, "unavailable", "unknown", 1],
    [503, "unavailable", "unknown", 1],
    [504, "timeout", "unknown", 1],
    [303, "failed", "unknown", 1],
    [307, "failed", "none", 1],
  ];
  it.each(rows)("of status %i to a write is %s with effect %s", async (status, kind, effect, attemptNumber) => {
    const { connector } = await connected({}, (_request, response) =>
      response.writeHead(status, { location: "/x", "retry-after": "3" }).end("upstream\u001b[31m!"),
    );
    const failure = failureOf(await connector.execute(order, watched({ attempt: attemptNumber }).execution));
    expect(failure).toMatchObject({ kind, effect, retryAfterMs: 3_000, detail: "upstream [31m!" });
    expect(failure.message).not.toContain("upstream");
    const read = failureOf(await connector.execute(order, watched({ attempt: attemptNumber, toolChanges: { tier: "read" } }).execution));
    expect(read.effect).toBe("none");
  });

  it("is JSON, text, bytes or nothing, by its type", async () => {
    const of = async (type: string | undefined, body: string | Buffer, status = 200) => {
      const { connector } = await connected({}, (_request, response) =>
        response.writeHead(status, type === undefined ? {} : { "content-type": type }).end(body),
      );
      return connector.execute(order, watched().execution);
    };
    expect(await of("application/problem+json", "[1]")).toEqual({ kind: "value", value: [1] });
    expect(await of("text/csv", "a,b")).toEqual({ kind: "value", value: "a,b" });
    expect(await of(undefined, "", 204)).toEqual({ kind: "value", value: null });
    expect(await of("image/png", Buffer.from([0xff, 0]))).toEqual({ kind: "value", value: { mediaType: "image/png", dataBase64: "/wA=" } });
    expect(failureOf(await of("application/json", "{oops"))).toMatchObject({ code: "RESULT_INVALID", effect: "applied" });
    expect(failureOf(await of("application/json", Buffer.from([0x22, 0xff, 0x22])))).toMatchObject({ code: "RESULT_INVALID" });
  });

  it("is cut off at its cap, also when it never ends or is compressed", async () => {
    const limits = { ...defaultLimits, resultBytesMax: 1_000, errorBodyBytesMax: 50 };
    const endless: RequestListener = (request, response) => {
      response.writeHead(request.url === "/orders/bad" ? 500 : 200, { "content-type": "text/plain" });
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(400)));
        if (!response.destroyed) response.once("drain", write);
      };
      write();
    };
    const { connector } = await connected({}, endless, limits);
    expect(failureOf(await connector.execute(order, watched().execution))).toMatchObject({ code: "RESULT_INVALID", effect: "applied" });
    const failure = failureOf(await connector.execute({ orderId: "bad" }, watched().execution));
    expect(failure).toMatchObject({ kind: "unavailable", detail: "x".repeat(50) });
    const zipped = await connected({}, (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x"));
    expect(failureOf(await zipped.connector.execute(order, watched().execution)).message).toMatch(/compressed/);
  });

  it("that says success around an error is flagged, or fails where the tool says so", async () => {
    for (const body of [{ error: "no stock" }, { success: false }, { ok: false, x: 1 }, { errors: [{}] }, { status: "failed" }]) {
      const warned = await connected({}, json(body));
      expect(await warned.connector.execute(order, watched().execution)).toMatchObject({
        kind: "value",
        value: body,
        warnings: [expect.stringMatching(/success/)],
      });
      const failed = await connected({ suspicious: "fail" }, json(body));
      expect(failureOf(await failed.connector.execute(order, watched().execution))).toMatchObject({ kind: "failed", effect: "unknown" });
    }
    for (const body of [{ error: null }, { errors: [] }, { success: true }, { items: [] }, []]) {
      const { connector } = await connected({ suspicious: "fail" }, json(body));
      expect(await connector.execute(order, watched().execution)).toEqual({ kind: "value", value: body });
    }
  });

  it("is the part that the result pointer names", async () => {
    const { connector } = await connected({ resultPointer: "/data/a~1b/0" }, json({ data: { "a/b": [7] } }));
    expect(await connector.execute(order, watched().execution)).toEqual({ kind: "value", value: 7 });
    const missing = await connected({ resultPointer: "/data/__proto__" }, json({ data: {} }));
    expect(failureOf(await missing.connector.execute(order, watched().execution)).code).toBe("RESULT_INVALID");
  });
});

describe("a lost exchange", () => {
  it("has no effect when the connection was refused", async () => {
    const port = await closedPort();
    const connector = httpConnector(
      { method: "POST", url: `http://127.0.0.1:${port}/`, allowPrivate: [`127.0.0.1:${port}`] },
      { clock: systemClock, limits: defaultLimits },
    );
    closers.push(async () => connector.close?.());
    const watch = watched();
    expect(failureOf(await connector.execute({}, watch.execution))).toMatchObject({ kind: "unavailable", effect: "none" });
    expect(watch.marks).toEqual(["unsent"]);
  });

  it("has an unknown effect for a write when the connection breaks after the request was sent, and none for a read", async () => {
    const { connector, seen } = await connected({}, (request) => request.socket.destroy());
    const watch = watched();
    expect(failureOf(await connector.execute(order, watch.execution))).toMatchObject({ kind: "unavailable", effect: "unknown" });
    expect(watch.marks).toEqual(["unsent", "sent"]);
    expect(failureOf(await connector.execute(order, watched({ toolChanges: { tier: "read" } }).execution)).effect).toBe("none");
    const half = await connected({}, (request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => request.socket.destroy());
    });
    expect(failureOf(await half.connector.execute(order, watched().execution)).effect).toBe("unknown");
    expect(seen).toHaveLength(2);
  });

  it("is never sent after its attempt was given up while it waited for a connection", async () => {
    const { connector, seen, server } = await connected({ path: "/" }, json({}));
    let release: () => void = () => {};
    const slow = httpConnector(
      { method: "POST", url: `http://slow.test:${server.port}/`, allowPrivate: [`slow.test:${server.port}`] },
      {
        clock: systemClock,
        limits: defaultLimits,
        lookup: () => new Promise((resolve) => (release = () => resolve([{ address: "127.0.0.1" }]))),
      },
    );
    closers.push(async () => slow.close?.());
    const clock = stepClock();
    const done = attempt(resilienceOf(clock), { tool: toolOf({ attempts: 1, attemptMs: 100 }), connector: slow });
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(200);
    expect(await done).toMatchObject({ effect: "none", result: { kind: "failure", failure: { kind: "timeout" } } });
    release();
    // Another exchange comes and goes, by which time the abandoned one would have arrived.
    for (let round = 0; round < 3; round += 1) await connector.execute({}, watched().execution);
    expect(seen).toHaveLength(3);
  });
});
