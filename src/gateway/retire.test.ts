import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { systemClock } from "../base/clock.ts";
import { loadConfig } from "../config/load.ts";
import { startTestServer, type TestServer } from "../store/postgres.fixture.ts";
import { serveConfig, type Serving } from "./serve.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-retire-"));
const path = join(folder, "signalbox.yaml");
const agentKey = "agent-key-000000000000000000";
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A gateway of a configuration; what it logs is kept. */
async function serve(text: string, log: string[] = []): Promise<Serving> {
  await writeFile(path, text);
  const loaded = await loadConfig({ path, text }, { environment: {}, readFile: () => Promise.reject(new Error("no other file")) });
  if ("problems" in loaded) throw new Error(JSON.stringify(loaded.problems));
  return await serveConfig(loaded.config, {
    path,
    environment: { AGENT_KEY: agentKey },
    version: "0.0.0",
    writeLog: (line) => void log.push(line),
  });
}

async function configuration(drainNoticeMs: number): Promise<string> {
  const store = new URL(await server.newDatabase());
  // A configuration holds no password.
  vi.stubEnv("PGPASSWORD", store.password);
  store.password = "";
  return [
    "version: 1",
    `store: ${store.href}`,
    "listen: 127.0.0.1:0",
    `keys: ${join(folder, "keys")}`,
    `credentials: { agent: { secret: secret://env/AGENT_KEY, tenant: acme, actsFor: [support] } }`,
    `limits: { drainNoticeMs: ${drainNoticeMs} }`,
  ].join("\n");
}

test(
  verifies("OPS-03", "a gateway on a shared store that stops says so first, takes calls for `drainNoticeMs`, and closes then"),
  async () => {
    const serving = await serve(await configuration(1_500));
    expect((await fetch(`${serving.address}/readyz`)).status).toBe(200);
    const startedAt = systemClock.monotonic();
    const closing = serving.close();
    const ready = await fetch(`${serving.address}/readyz`);
    expect([ready.status, ready.headers.get("connection")]).toEqual([503, "close"]);
    const opened = await fetch(`${serving.address}/v1/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${agentKey}`, "content-type": "application/json" },
      body: JSON.stringify({ user: "ada", roles: ["support"] }),
    });
    expect([opened.status, opened.headers.get("connection")]).toEqual([201, "close"]);
    await closing;
    expect(systemClock.monotonic() - startedAt).toBeGreaterThanOrEqual(1_490);
    await expect(fetch(`${serving.address}/readyz`)).rejects.toThrow();
  },
);
