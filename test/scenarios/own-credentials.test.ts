import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { codeOf } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-own-"));
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  rmSync(folder, { recursive: true, force: true });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A server on loopback that answers with what `answer` makes of a request. */
async function server(answer: (request: IncomingMessage, body: string) => unknown): Promise<string> {
  const http = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(answer(request, body)));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => http.close(resolve)));
  return `127.0.0.1:${(http.address() as AddressInfo).port}`;
}

function connect(user: string, secret: string): void {
  mkdirSync(join(folder, "mail", "acme"), { recursive: true });
  writeFileSync(join(folder, "mail", "acme", user), secret, { mode: 0o600 });
}

test(
  verifies("AUTH-05", "a configured source acts with the exchanged credential of each user, which nothing else ever shows"),
  async () => {
    const seen: string[] = [];
    // An upstream that is careless with what it is sent: it gives the credential back in its answer.
    const mail = await server((request) => {
      seen.push(String(request.headers.authorization));
      return { sent: true, echo: request.headers.authorization };
    });
    const identity = await server((_, body) => ({
      access_token: `token-for-${new URLSearchParams(body).get("subject_token")}`,
      token_type: "Bearer",
      expires_in: 600,
    }));
    connect("ada", "ada-refresh-1");
    connect("bob", "bob-refresh-1");
    const path = join(folder, "signalbox.yaml");
    writeFileSync(
      path,
      `version: 1
store: sqlite:${join(folder, "box.db")}
sources:
  mail:
    http:
      url: http://${mail}
      allowPrivate: ["${mail}"]
      runsAs: user
      auth:
        secret: secret://file${folder}/mail/{tenant}/{user}
        connectAt: https://portal.example/mail
        exchange: { url: "http://${identity}/token", audience: mail, allowPrivate: ["${identity}"] }
      tools:
        send: { method: POST, path: /send, tier: irreversible, description: Send a mail., input: { type: object, properties: { text: { type: string } } } }
policy:
  roles: { writer: [mail.*] }
  rules: [{ id: waived, on: mail.send, when: 'args.text != "ask"', effect: allow, waives: tier }]
`,
    );
    const box = await createSignalbox({ config: path, flow: { mode: "observe" } });
    const send = async (user: string, text = "hello") => {
      const session = await box.session({ tenant: "acme", user, roles: ["writer"] });
      return await session.turn().call({ tool: "mail.send", arguments: { text } });
    };
    const done = await Promise.all([send("ada"), send("bob")]);
    expect(done.map(({ outcome }) => outcome.kind)).toEqual(["completed", "completed"]);
    expect(seen.toSorted()).toEqual(["Bearer token-for-ada-refresh-1", "Bearer token-for-bob-refresh-1"]);
    expect(JSON.stringify(done)).not.toContain("refresh-1");

    // Nobody is asked, and nothing claimed, for a user who is not connected.
    const missing = await send("eve", "ask");
    expect(codeOf(missing)).toBe("CREDENTIAL_MISSING");
    expect(missing.outcome).toMatchObject({
      error: { message: expect.stringContaining("connect it at https://portal.example/mail") as string },
    });
    expect(await box.approvals.list({ tenant: "acme", limit: 10 })).toEqual([]);
    const trail = await box.trail({ tenant: "acme", limit: 1_000 });
    expect(trail.filter(({ entry }) => entry.callId === missing.callId).map(({ entry }) => entry.kind)).toEqual(["call-denied"]);
    expect(JSON.stringify(trail)).not.toContain("refresh-1");
    connect("eve", "eve-refresh-1");
    expect((await send("eve")).outcome.kind).toBe("completed");
    await box.close();
    for (const file of ["box.db", "box.db-wal"])
      expect((await readFile(join(folder, file)).catch(() => Buffer.alloc(0))).includes("refresh-1")).toBe(false);
  },
);

test(
  verifies(
    "AUTH-05",
    "a configured MCP server is listed as the service and called as each user, who is told to connect where they have not",
  ),
  async () => {
    const calls: string[] = [];
    const results: Readonly<Record<string, object>> = {
      "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, resultType: "complete" },
      "tools/list": {
        tools: [{ name: "send", description: "Send a mail.", inputSchema: { type: "object", properties: { text: { type: "string" } } } }],
      },
      "tools/call": { content: [{ type: "text", text: "sent" }] },
    };
    const host = await server((request, body) => {
      const { id, method } = JSON.parse(body) as { readonly id: number; readonly method: string };
      calls.push(`${method} ${request.headers.authorization ?? "nobody"}`);
      return { jsonrpc: "2.0", id, result: results[method] ?? {} };
    });
    connect("ada", "ada-secret-2");
    connect("bob", "bob-secret-2");
    connect("lister", "lister-secret-2");
    const path = join(folder, "mcp.yaml");
    writeFileSync(
      path,
      `version: 1
store: sqlite:${join(folder, "mcp.db")}
sources:
  post:
    mcp:
      url: http://${host}/mcp
      allowPrivate: ["${host}"]
      runsAs: user
      auth: { secret: "secret://file${folder}/mail/{tenant}/{user}", connectAt: "https://portal.example/post" }
      listAuth: secret://file${folder}/mail/acme/lister
      tier: reversible
      admit: all
policy:
  roles: { writer: [post.*] }
`,
    );
    const box = await createSignalbox({ config: path, flow: { mode: "observe" } });
    const send = async (user: string) =>
      await (await box.session({ tenant: "acme", user, roles: ["writer"] })).turn().call({ tool: "post.send", arguments: { text: user } });
    expect((await Promise.all([send("ada"), send("bob")])).map(({ outcome }) => outcome.kind)).toEqual(["completed", "completed"]);
    expect(calls.filter((each) => each.startsWith("tools/call")).toSorted()).toEqual([
      "tools/call Bearer ada-secret-2",
      "tools/call Bearer bob-secret-2",
    ]);
    expect(calls.filter((each) => each.startsWith("server/discover"))).toEqual(["server/discover Bearer lister-secret-2"]);
    const missing = await send("nobody");
    expect(missing.outcome).toMatchObject({
      error: { code: "CREDENTIAL_MISSING", message: expect.stringContaining("connect it at https://portal.example/post") as string },
    });
    const [tool] = box.tools().filter(({ name }) => name === "post.send");
    expect(tool?.runsAs).toBe("user");
    await box.close();
  },
);
