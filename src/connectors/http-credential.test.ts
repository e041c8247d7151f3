import { afterEach, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { Clock } from "../base/clock.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Execution, ExecutionResult } from "../domain/tool.ts";
import { tool } from "../registry/define.ts";
import { closedPort, serve, watched, type LocalServer } from "./connectors.fixture.ts";
import type { HttpAuth } from "./http-options.ts";
import { httpConnector } from "./http.ts";

const servers: LocalServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const mail = "secret://file/secrets/mail/{tenant}/{user}";
const principal = (user: string, tenant = "acme"): Execution["principal"] => ({ tenant, user, roles: [], attributes: {} });

interface Asked {
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

/** A token endpoint that gives out numbered tokens, or says what it is told to say. */
async function tokenEndpoint(say: { status?: number; body?: unknown; lives?: number | undefined } = {}) {
  const asked: Asked[] = [];
  const server = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked.push({ authorization: request.headers.authorization, form: new URLSearchParams(Buffer.concat(chunks).toString()) });
      const token = { access_token: `token-${asked.length}`, token_type: "Bearer", issued_token_type: "x", expires_in: say.lives ?? 300 };
      response.writeHead(say.status ?? 200, { "content-type": "application/json" });
      response.end(JSON.stringify(say.body ?? token));
    });
  });
  servers.push(server);
  return { asked, server, say };
}

/** An upstream that notes the credentials it is sent, and accepts those that `accepts` says. */
async function upstream(accepts: (authorization: string) => boolean = () => true) {
  const seen: string[] = [];
  const server = await serve((request, response) => {
    seen.push(String(request.headers.authorization));
    response.writeHead(accepts(String(request.headers.authorization)) ? 200 : 401, { "content-type": "application/json" });
    response.end("{}");
  });
  servers.push(server);
  return { seen, server };
}

async function setUp(exchange?: Awaited<ReturnType<typeof tokenEndpoint>>, limits: Limits = defaultLimits) {
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => ({ cancel: () => {} }) };
  const secrets = new Map([
    ["secret://file/secrets/mail/acme/ada", "ada-own"],
    ["secret://file/secrets/mail/acme/bob", "bob-own"],
    ["secret://file/secrets/mail/other/ada", "other-ada-own"],
    ["secret://env/CLIENT", "box:s3cret"],
  ]);
  const up = await upstream();
  const host = exchange?.server.host ?? "";
  const auth: HttpAuth = {
    secret: mail,
    scheme: "bearer",
    connectAt: "https://portal.example/connect",
    ...(exchange !== undefined && {
      exchange: {
        url: `${exchange.server.url}/token`,
        client: "secret://env/CLIENT",
        audience: "mail",
        scope: "read",
        allowPrivate: [host],
      },
    }),
  };
  const options = { method: "GET", url: `${up.server.url}/inbox`, allowPrivate: [up.server.host], auth } as const;
  const connector = httpConnector(options, { clock, limits });
  const concealed: string[] = [];
  const secret = async (reference: string): Promise<string> => secrets.get(reference) ?? Promise.reject(new Error(`no ${reference}`));
  const call = async (who: Execution["principal"]): Promise<ExecutionResult> =>
    await connector.execute({}, watched({ principal: who, secret, conceal: (value) => void concealed.push(value) }).execution);
  return { connector, call, secrets, seen: up.seen, concealed, secret, options, advance: (byMs: number) => void (nowMs += byMs) };
}

const failureOf = (result: ExecutionResult): unknown => (result.kind === "failure" ? result.failure : undefined);

describe("credentials of the user behind a call", () => {
  it(verifies("AUTH-05", "are each user's own, and never another's"), async () => {
    const { call, seen, connector } = await setUp();
    for (const who of [principal("ada"), principal("bob"), principal("ada", "other")]) expect((await call(who)).kind).toBe("value");
    expect(seen).toEqual(["Bearer ada-own", "Bearer bob-own", "Bearer other-ada-own"]);
    expect(connector.actsAs).toBe("user");
    await connector.close?.();
  });

  it(verifies("AUTH-05", "that are missing are said before anything is sent, with what the user has to do"), async () => {
    const { call, seen, connector, secret } = await setUp();
    const words =
      "acts with the user's own account at `local`, and their connection to it is missing; ask them to connect it at https://portal.example/connect";
    const asked = watched({ principal: principal("eve") }).execution;
    expect(await connector.lacks?.({ ...asked, tool: asked.tool, principal: asked.principal, secret })).toContain(
      words.replace("local", asked.tool.source),
    );
    expect(await connector.lacks?.({ tool: asked.tool, principal: principal("ada"), secret })).toBeUndefined();
    expect(failureOf(await call(principal("eve")))).toMatchObject({ kind: "rejected", code: "CREDENTIAL_MISSING", effect: "none" });
    expect(failureOf(await call(principal("..")))).toMatchObject({ code: "CREDENTIAL_MISSING" });
    expect(seen).toEqual([]);
    await connector.close?.();
  });

  it(verifies("AUTH-05", "are exchanged where the source says so, once for all who ask, and used until they expire"), async () => {
    const endpoint = await tokenEndpoint();
    const { call, seen, concealed, advance, connector } = await setUp(endpoint);
    await Promise.all([call(principal("ada")), call(principal("ada"))]);
    expect(seen).toEqual(["Bearer token-1", "Bearer token-1"]);
    expect(endpoint.asked).toHaveLength(1);
    expect(endpoint.asked[0]?.authorization).toBe(`Basic ${Buffer.from("box:s3cret").toString("base64")}`);
    expect(Object.fromEntries(endpoint.asked[0]?.form ?? [])).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: "ada-own",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
      audience: "mail",
      scope: "read",
    });
    expect(concealed).toContain("token-1");
    await call(principal("bob"));
    await call(principal("ada", "other"));
    expect(seen.slice(2)).toEqual(["Bearer token-2", "Bearer token-3"]);
    advance(300_000 - defaultLimits.tokenLeewayMs - 1);
    await call(principal("ada"));
    advance(1);
    await call(principal("ada"));
    expect(seen.slice(4)).toEqual(["Bearer token-1", "Bearer token-4"]);
    await connector.close?.();
  });

  it("are exchanged anew when the user's secret changed or the upstream refused the token, and not kept past the limits", async () => {
    const endpoint = await tokenEndpoint({ lives: 1_000_000 });
    const { call, seen, secrets, advance, connector } = await setUp(endpoint, { ...defaultLimits, tokensKeptMax: 1 });
    await call(principal("ada"));
    secrets.set("secret://file/secrets/mail/acme/ada", "ada-new");
    await call(principal("ada"));
    expect(endpoint.asked[1]?.form.get("subject_token")).toBe("ada-new");
    advance(defaultLimits.tokenLifeMsMax);
    await call(principal("ada"));
    // One is kept, so the second user's drives the first user's out.
    await call(principal("bob"));
    await call(principal("ada"));
    expect(seen).toEqual(["Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-4", "Bearer token-5"]);
    secrets.delete("secret://file/secrets/mail/acme/ada");
    expect(failureOf(await call(principal("ada")))).toMatchObject({ code: "CREDENTIAL_MISSING" });
    await connector.close?.();

    const picky = await upstream((authorization) => authorization === "Bearer token-7");
    const again = await setUp(endpoint);
    const other = httpConnector({ ...again.options, url: picky.server.url, allowPrivate: [picky.server.host] });
    const asked = watched({ principal: principal("bob"), secret: again.secret }).execution;
    expect((await other.execute({}, asked)).kind).toBe("failure");
    expect((await other.execute({}, asked)).kind).toBe("value");
    expect(picky.seen).toEqual(["Bearer token-6", "Bearer token-7"]);
    await other.close?.();
  });

  it("that cannot be exchanged say who has to mend it, and never what the endpoint said", async () => {
    const words = (status: number, body: unknown): { status: number; body: unknown } => ({ status, body });
    for (const [say, expected] of [
      [words(400, { error: "invalid_grant", error_description: "ada-own is old" }), { kind: "rejected", code: "CREDENTIAL_MISSING" }],
      [words(400, { error: "invalid_request" }), { kind: "rejected", code: "CREDENTIAL_MISSING" }],
      [words(400, { error: "invalid_target" }), { kind: "failed" }],
      [words(401, { error: "invalid_client" }), { kind: "failed" }],
      [words(200, { access_token: "a b", token_type: "Bearer" }), { kind: "failed" }],
      [words(200, { access_token: "x".repeat(defaultLimits.tokenCharsMax + 1), token_type: "Bearer" }), { kind: "failed" }],
      [words(200, { access_token: "token", token_type: "DPoP" }), { kind: "failed" }],
      [words(200, "nothing"), { kind: "failed" }],
      [words(503, {}), { kind: "unavailable" }],
    ] as const) {
      const { call, seen, connector } = await setUp(await tokenEndpoint({ ...say }));
      const failure = failureOf(await call(principal("ada"))) as { readonly message: string };
      expect(failure).toMatchObject({ ...expected, effect: "none" });
      expect(failure.message).not.toContain("ada-own");
      expect(seen).toEqual([]);
      await connector.close?.();
    }
  });

  it("whose endpoint does not answer within tokenExchangeMs leave the call undone", async () => {
    const silent = await serve(() => {});
    servers.push(silent);
    const { call, connector } = await setUp({ asked: [], server: silent, say: {} }, { ...defaultLimits, tokenExchangeMs: 50 });
    expect(failureOf(await call(principal("ada")))).toMatchObject({ kind: "unavailable", effect: "none" });
    await connector.close?.();
  });

  it("whose endpoint is gone leave the call undone, to be made later", async () => {
    const port = await closedPort();
    const { options, secret } = await setUp();
    const exchange = { url: `http://127.0.0.1:${port}/`, allowPrivate: [`127.0.0.1:${port}`] };
    const connector = httpConnector({ ...options, auth: { ...options.auth, exchange } });
    const result = await connector.execute({}, watched({ principal: principal("ada"), secret }).execution);
    expect(failureOf(result)).toMatchObject({ kind: "unavailable", effect: "none" });
    await connector.close?.();
  });

  it("are refused as options where they would be everybody's", async () => {
    const { options } = await setUp();
    const make = (auth: HttpAuth) => () => httpConnector({ ...options, auth });
    expect(make({ secret: "secret://env/T_{user}", scheme: "bearer" })).toThrow(/a secret of each user lies in a file/);
    const exchange = { url: "http://idp.example/token" };
    expect(make({ secret: "secret://env/T", scheme: "bearer", exchange })).toThrow(/only a secret of each user is exchanged/);
    expect(make({ secret: mail, scheme: "bearer", exchange })).toThrow(/the token endpoint `http:\/\/idp.example\/token` cannot be asked/);
  });

  it(verifies("AUTH-05", "and those of a service are stated by the tool that sends them, or it is not registered"), async () => {
    const { connector, options } = await setUp();
    const inbox =
      (runsAs: "user" | "service" | undefined, sends = connector) =>
      () =>
        tool({
          name: "mail.inbox",
          tier: "read",
          description: "Read the inbox.",
          input: { type: "object", properties: {} },
          connector: sends,
          ...(runsAs !== undefined && { runsAs }),
        });
    expect(inbox("user")).not.toThrow();
    expect(inbox(undefined)).toThrow('its connector sends a credential of the user, so add `runsAs: "user"`');
    expect(inbox("service")).toThrow("`runsAs` is `service`, but its connector sends a credential of the user");
    const service = httpConnector({ ...options, auth: { secret: "secret://env/T", scheme: "bearer" } });
    expect(inbox(undefined, service)).toThrow('add `runsAs: "service"`');
    await connector.close?.();
  });
});
