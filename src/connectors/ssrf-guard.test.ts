import { afterEach, describe, expect, it } from "vitest";
import fc from "fast-check";
import { verifies } from "../../test/verifies.ts";
import { systemClock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import type { ExecutionResult } from "../domain/tool.ts";
import { serve, serveDns, watched, type LocalDns, type LocalServer } from "./connectors.fixture.ts";
import { refuseAddress, refuseUrl } from "./egress.ts";
import type { HttpOptions } from "./http-options.ts";
import { httpConnector } from "./http.ts";
import type { Lookup } from "./ssrf-guard.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function server(listener: Parameters<typeof serve>[0]): Promise<LocalServer> {
  const started = await serve(listener);
  closers.push(started.close);
  return started;
}

async function dns(answer: Parameters<typeof serveDns>[0]): Promise<LocalDns> {
  const started = await serveDns(answer);
  closers.push(started.close);
  return started;
}

async function get(options: Omit<HttpOptions, "method">, lookup?: Lookup): Promise<ExecutionResult> {
  const connector = httpConnector({ method: "GET", ...options }, { clock: systemClock, limits: defaultLimits, lookup });
  try {
    return await connector.execute({}, watched({ toolChanges: { tier: "read" } }).execution);
  } finally {
    await connector.close?.();
  }
}

function messageOf(result: ExecutionResult): string {
  return result.kind === "failure" ? result.failure.message : "(it answered)";
}

describe("addresses", () => {
  it(verifies("SAFE-04", "refuses loopback, private, link-local, carrier, multicast, reserved and embedded addresses"), () => {
    const refused = [
      "127.0.0.1",
      "127.255.255.254",
      "0.0.0.0",
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "100.64.0.1",
      "169.254.169.254",
      "224.0.0.1",
      "255.255.255.255",
      "198.18.0.1",
      "192.0.2.1",
      "::1",
      "::",
      "fe80::1",
      "fc00::1",
      "fd00:ec2::254",
      "ff02::1",
      "::ffff:127.0.0.1",
      "::ffff:8.8.8.8",
      "::ffff:a9fe:a9fe",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "2001:db8::1",
      "::7f00:1",
      "fec0::1",
      "fe80::1%eth0",
      "not an address",
      "",
    ];
    expect(refused.filter((address) => refuseAddress(address) === undefined)).toEqual([]);
    const allowed = ["8.8.8.8", "172.32.0.1", "172.15.255.255", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::200e"];
    expect(allowed.filter((address) => refuseAddress(address) !== undefined)).toEqual([]);
  });

  it("refuses every spelling of a loopback address in a URL", () => {
    const spellings = [
      "127.0.0.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.1",
      "0x7f.1",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[0:0:0:0:0:ffff:7f00:1]",
      "①②⑦.0.0.1",
    ];
    for (const spelling of spellings) {
      const url = new URL(`https://${spelling}/`);
      const host = url.hostname.replace(/^\[|\]$/g, "");
      expect(refuseUrl(url, { hosts: [host], allowPrivate: [] }), spelling).toMatch(/private, local or reserved/);
    }
  });

  it("refuses other schemes, user names, undeclared hosts and plain http", () => {
    const policy = { hosts: ["api.example.com", "*.cdn.example.com"], allowPrivate: [] };
    const refused = (url: string) => refuseUrl(new URL(url), policy);
    expect(refused("https://api.example.com/a")).toBeUndefined();
    expect(refused("https://API.example.com./a")).toBeUndefined();
    expect(refused("https://a.cdn.example.com/")).toBeUndefined();
    expect(refused("https://cdn.example.com/")).toMatch(/not among the hosts/);
    expect(refused("https://api.example.com.evil.test/")).toMatch(/not among the hosts/);
    expect(refused("https://api.example.com@evil.test/")).toMatch(/user name/);
    expect(refused("http://api.example.com/")).toMatch(/without TLS/);
    for (const scheme of ["file:///etc/passwd", "gopher://api.example.com/", "ftp://api.example.com/", "data:text/plain,x"]) {
      expect(refused(scheme)).toMatch(/scheme/);
    }
  });

  it("never accepts an address that is not public, whatever a resolver answers (property)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { minLength: 1, maxLength: 3 }), async (addresses) => {
        const isBad = addresses.some((address) => refuseAddress(address) !== undefined);
        fc.pre(isBad);
        const result = await get({ url: "https://api.example.com/" }, async () => addresses.map((address) => ({ address })));
        expect(messageOf(result)).toMatch(/private, local or reserved/);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the guard against a real resolver", () => {
  it(
    verifies("SAFE-04", "connects to the address it checked: an answer that changes afterwards (rebinding) is never asked for"),
    async () => {
      const target = await server((_request, response) => response.end("reached"));
      const resolver = await dns((query) => (query === 1 ? ["127.0.0.1"] : ["169.254.169.254"]));
      const options = { url: `http://rebind.test:${target.port}/`, allowPrivate: [`rebind.test:${target.port}`] };
      expect(await get(options, resolver.lookup)).toEqual({ kind: "value", value: "reached" });
      expect(resolver.queries()).toBe(1);
      expect(messageOf(await get(options, resolver.lookup))).toMatch(/169\.254\.169\.254` is private/);
      expect(resolver.queries()).toBe(2);
    },
  );

  it("refuses a name that leads to a private address, also when only one of several does, without connecting", async () => {
    let connections = 0;
    const target = await server((_request, response) => response.end("reached"));
    target.server.on("connection", () => (connections += 1));
    const resolver = await dns(() => ["93.184.215.14", "127.0.0.1"]);
    const result = await get({ url: `https://mixed.test:${target.port}/` }, resolver.lookup);
    expect(result).toMatchObject({ kind: "failure", failure: { kind: "rejected", effect: "none" } });
    expect(messageOf(result)).toMatch(/127\.0\.0\.1` is private/);
    expect(connections).toBe(0);
  });

  it("tries the next checked address when the first does not answer", async () => {
    const target = await server((_request, response) => response.end("reached"));
    const options = { url: `http://two.test:${target.port}/`, allowPrivate: [`two.test:${target.port}`] };
    expect(await get(options, async () => [{ address: "127.0.0.9" }, { address: "127.0.0.1" }])).toEqual({
      kind: "value",
      value: "reached",
    });
  });
});

describe("a resolver that answers with very many addresses", () => {
  it("is considered up to the limit", async () => {
    const target = await server((_request, response) => response.end("reached"));
    const limits = { ...defaultLimits, dnsAddressesMax: 2 };
    const options = { method: "GET", url: `http://many.test:${target.port}/`, allowPrivate: [`many.test:${target.port}`] } as const;
    const ask = async (addresses: readonly string[]): Promise<ExecutionResult> => {
      const connector = httpConnector(options, {
        clock: systemClock,
        limits,
        lookup: async () => addresses.map((address) => ({ address })),
      });
      closers.push(async () => connector.close?.());
      return connector.execute({}, watched({ toolChanges: { tier: "read" } }).execution);
    };
    expect(await ask(["127.0.0.9", "127.0.0.1", "127.0.0.8"])).toEqual({ kind: "value", value: "reached" });
    expect(await ask(["127.0.0.9", "127.0.0.8", "127.0.0.1"])).toMatchObject({ failure: { kind: "unavailable", effect: "none" } });
  });
});

describe("redirects", () => {
  it(verifies("SAFE-04", "SAFE-11", "checks every hop: metadata, undeclared hosts, other schemes and user names are refused"), async () => {
    const targets = [
      "http://169.254.169.254/latest/meta-data/",
      "https://evil.test/",
      "file:///etc/passwd",
      "//user@127.0.0.1/",
      "http://[::1]:80/",
      "http://",
    ];
    for (const target of targets) {
      const start = await server((_request, response) => response.writeHead(302, { location: target }).end());
      const result = await get({ url: `${start.url}/`, allowPrivate: [start.host] });
      expect(messageOf(result), target).toMatch(/may not go there/);
    }
  });

  it("sends no credential and no header of the template to another origin", async () => {
    const seen: (typeof headers)[] = [];
    let headers: Record<string, unknown> = {};
    const second = await server((request, response) => {
      headers = request.headers;
      seen.push(headers);
      response.end("done");
    });
    const first = await server((request, response) => {
      seen.push(request.headers);
      response.writeHead(307, { location: `${second.url}/there` }).end();
    });
    const result = await get({
      url: `${first.url}/here`,
      allowPrivate: [first.host, second.host],
      headers: { "x-team": "blue" },
      auth: { secret: "secret://env/TOKEN", scheme: "bearer" },
    });
    expect(result).toEqual({ kind: "value", value: "done" });
    expect(seen[0]).toMatchObject({ authorization: "Bearer value-of-TOKEN", "x-team": "blue" });
    expect(seen[1]).not.toHaveProperty("authorization");
    expect(seen[1]).not.toHaveProperty("x-team");
  });

  it("follows a bounded number, and none for a write", async () => {
    let hops = 0;
    const loop = await server((_request, response) => {
      hops += 1;
      response.writeHead(302, { location: "/again" }).end();
    });
    expect(messageOf(await get({ url: `${loop.url}/`, allowPrivate: [loop.host] }))).toMatch(/more than 5 redirects/);
    expect(hops).toBe(defaultLimits.redirectsMax + 1);
    const post = httpConnector(
      { method: "POST", url: `${loop.url}/`, allowPrivate: [loop.host] },
      { clock: systemClock, limits: defaultLimits },
    );
    closers.push(async () => post.close?.());
    const result = await post.execute({}, watched().execution);
    expect(result).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    expect(hops).toBe(defaultLimits.redirectsMax + 2);
  });
});
