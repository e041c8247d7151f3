/** Real deaths inside the commit log: whatever was acknowledged is there afterwards, once, and the chain is whole. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { keyOf } from "../../src/store/contract-model.fixture.ts";
import { openSqliteReader, openSqliteStore } from "../../src/store/sqlite.ts";
import { expectWholeChain } from "../../src/store/store.contract.ts";

const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0, after: () => ({ cancel: () => undefined }) };
const folder = mkdtempSync(join(tmpdir(), "signalbox-kills-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const urlOf = (file: string): string => new URL(file, import.meta.url).href;

/** Five callers whose units fill the log quickly; each line is a unit that was acknowledged. The store is closed after `UNITS` of them. */
const childSource = `
  const { openSqliteStore } = await import(${JSON.stringify(urlOf("../../src/store/sqlite.ts"))});
  const clock = { now: () => 1, monotonic: () => 0, after: () => ({ cancel() {} }) };
  const store = await openSqliteStore({ path: process.argv[1], clock });
  const [life, units] = [process.argv[2], Number(process.argv[3])];
  let next = 0;
  const caller = async () => {
    while (next < units) {
      const key = life + "-" + (next += 1);
      await store.commit({
        operations: [
          { op: "put", key: { space: "thing", tenant: "acme", key }, body: "x".repeat(30_000), expect: "absent" },
          { op: "add", key: { space: "n", tenant: "acme", key: "all" }, delta: 1 },
        ],
        entries: [{ tenant: "acme", kind: "call-settled", atMs: 1, callId: key, body: {} }],
      });
      process.stdout.write(key + "\\n");
    }
  };
  await Promise.all([1, 2, 3, 4, 5].map(caller));
  await store.close();`;

/** Lets a process live until it dies; says what it acknowledged. */
async function life(path: string, kill: { readonly at: string; readonly after: number }, name: string, units: number): Promise<string[]> {
  const args = ["--import", urlOf("./log-kills.ts"), "--input-type=module", "--eval", childSource, path, name, String(units)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, KILL_AT: kill.at, KILL_AFTER: String(kill.after) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on("exit", (_code, signal) => resolve(signal)));
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) acknowledged.push(line);
  expect([kill.at, await ended]).toEqual([kill.at, "SIGKILL"]);
  return acknowledged;
}

async function expectAll(path: string, acknowledged: readonly string[]): Promise<void> {
  const reader = openSqliteReader({ path });
  const found = await reader.scan({ space: "thing", tenant: "acme", limit: 10_000 });
  const keys = new Set(found.map(({ key }) => key));
  expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
  expect(await reader.counters([keyOf("all", "n")])).toEqual([keys.size]);
  expect(new Set((await reader.entries({ limit: 10_000 })).map(({ callId }) => callId))).toEqual(keys);
  await expectWholeChain(reader);
  await reader.close();
}

const points = [
  { at: "before-frame", after: 10 },
  { at: "inside-frame", after: 0 },
  { at: "inside-frame", after: 25 },
  { at: "after-frame", after: 30 },
  { at: "inside-header", after: 0 },
  { at: "inside-header", after: 2 },
  { at: "after-header", after: 2 },
  { at: "inside-bring-in", after: 2 },
  { at: "after-bring-in", after: 2 },
  { at: "before-removal", after: 0 },
  { at: "after-removal", after: 0 },
] as const;

test.each(points)(
  "a process that dies $at, after $after passages, loses nothing acknowledged, nor does the next that dies while it starts",
  async (point) => {
    const path = join(folder, `${point.at}-${point.after}.db`);
    const acknowledged = await life(path, point, "first", 400);
    await expectAll(path, acknowledged);
    // The second life has something to bring in only where the first died with frames in its log.
    const second = point.at.endsWith("removal") ? { at: "before-removal", after: 0 } : { at: "inside-bring-in", after: 0 };
    acknowledged.push(...(await life(path, second, "second", 400)));
    await expectAll(path, acknowledged);
    const store = await openSqliteStore({ path, clock });
    expect(
      await store.commit({ operations: [], entries: [{ tenant: "acme", kind: "call-settled", atMs: 1, callId: "x", body: {} }] }),
    ).toMatchObject({
      kind: "committed",
    });
    expect(await store.check()).toEqual([]);
    await store.close();
  },
  60_000,
);
