/**
 * Row `added-p95`: what a caller waits longer for a 50 ms HTTP tool, at the 95th percentile, 64 callers, SQLite, over the same requests made directly.
 * The upstream is a process of its own on loopback.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { defaultLimits } from "../../src/base/limits.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { httpConnector } from "../../src/connectors/http.ts";
import { atMost, isQuick, median, print, quantile } from "../measure.ts";
import { argumentsText, caller, expectResult, modelMessage, result, standardOptions, standardTool } from "../standard-call.ts";
import type { BoxSession } from "../../src/call/box/box-session.ts";

const callersCount = 64;
const roundsCount = isQuick ? 4 : 8;
const callsCount = 1_280;
const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));

const upstream = spawn(process.execPath, [new URL("../floors/upstream.ts", import.meta.url).pathname, JSON.stringify(result)], {
  stdio: ["ignore", "pipe", "inherit"],
});
const port = await new Promise<number>((resolve) => upstream.stdout.once("data", (data: Buffer) => resolve(Number(String(data).trim()))));
const origin = `http://127.0.0.1:${port}`;

/** FLOOR: the same request and the same reading of its answer, with nothing around it. */
async function direct(pool: Pool, index: number): Promise<void> {
  const { body } = await pool.request({
    method: "POST",
    path: "/refunds",
    headers: { "content-type": "application/json", "idempotency-key": String(index) },
    body: argumentsText(index),
  });
  await body.json();
}

async function latencies(run: (index: number, callerIndex: number) => Promise<void>): Promise<readonly number[]> {
  const samples: number[] = [];
  let next = 0;
  const one = async (callerIndex: number): Promise<void> => {
    while (next < callsCount) {
      const index = next++;
      const startedMs = performance.now();
      await run(index, callerIndex);
      samples.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: callersCount }, (_, index) => one(index)));
  return samples;
}

const connector = httpConnector(
  { method: "POST", url: `${origin}/refunds`, allowPrivate: [`127.0.0.1:${port}`] },
  { clock: systemClock, limits: defaultLimits },
);
const called = { tool: standardTool("irreversible").tool, connector };
const box = await createSignalbox({ ...standardOptions(called), store: `sqlite:${join(folder, "store.db")}` });
const pool = new Pool(origin, { connections: callersCount });
try {
  const sessions: BoxSession[] = [];
  for (let index = 0; index < callersCount; index += 1) sessions.push(await box.session(caller));
  const added: number[] = [];
  const [directs, governed]: [number[], number[]] = [[], []];
  for (let round = 0; round < roundsCount; round += 1) {
    const floor = quantile(await latencies((index) => direct(pool, index)), 0.95);
    const base = round * callsCount;
    const call = quantile(
      await latencies(async (index, callerIndex) =>
        expectResult(await (sessions[callerIndex] as BoxSession).turn().answer("openai-chat", modelMessage(base + index))),
      ),
      0.95,
    );
    // The first round opens connections.
    if (round === 0) continue;
    directs.push(floor);
    governed.push(call);
    added.push(call - floor);
  }
  print({
    rows: [
      atMost(
        "added-p95",
        median(added),
        "ms",
        10,
        `governed ${median(governed).toFixed(1)} ms, direct ${median(directs).toFixed(1)} ms; rounds ${added.map((ms) => ms.toFixed(1)).join(" ")}`,
      ),
    ],
    notMeasured: ["added-p95: TLS, name resolution, an upstream on another machine, retries"],
  });
} finally {
  await box.close();
  await pool.close();
  upstream.kill();
  rmSync(folder, { recursive: true, force: true });
}
