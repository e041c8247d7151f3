import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { asyncProperty, assert as check, infiniteStream, nat, record } from "fast-check";
import { expect, test } from "vitest";
import { approvalIdOf, lead, shopBox, shopPolicy } from "../../../test/support/box.ts";
import { manualClock, settled } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { defaultLimits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import type { NoticePort } from "../../domain/notice.ts";
import type { SourceStart, ToolSource } from "../../domain/tool-source.ts";
import { tool } from "../../registry/define.ts";
import { createMemoryStore } from "../../store/memory.ts";
import type { Store } from "../../store/store.ts";
import { createSignalbox } from "./signalbox.ts";

/** A store as processes share it, without a checkpoint at its end, each of whose answers takes as many turns of the event loop as it is told; it remembers what came too late. */
function slowStore(inner: Store, turns: () => number): { readonly store: Store; readonly late: string[] } {
  const late: string[] = [];
  let isClosed = false;
  const slowly =
    <Given extends readonly unknown[], Answer>(name: string, work: (...given: Given) => Promise<Answer> | Answer) =>
    async (...given: Given): Promise<Answer> => {
      for (let left = turns(); left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve));
      if (isClosed) late.push(name);
      return await work(...given);
    };
  const store: Store = {
    ...inner,
    kind: "postgres",
    read: slowly("read", (keys) => inner.read(keys)),
    scan: slowly("scan", (range) => inner.scan(range)),
    due: slowly("due", (query) => inner.due(query)),
    counters: slowly("counters", (keys) => inner.counters(keys)),
    commit: slowly("commit", (unit) => inner.commit(unit)),
    entries: slowly("entries", (query) => inner.entries(query)),
    batches: slowly("batches", (query) => inner.batches(query)),
    writers: slowly("writers", () => inner.writers()),
    purge: slowly("purge", (query) => inner.purge(query)),
    close: async () => {
      isClosed = true;
      await inner.close();
    },
  };
  return { store, late };
}

/** A source that lists its tools anew whenever it is told to. */
function listingSource(): ToolSource & { list(): void } {
  let start: SourceStart | undefined;
  let count = 0;
  const list = async (): Promise<void> => {
    count += 1;
    const definition = { name: "read", description: `Reads document ${count}.`, inputSchema: { type: "object" } };
    const connector = { kind: "fake", execute: () => Promise.resolve({ kind: "value", value: "text" } as const) };
    await start?.onListing({ tools: [{ ...definition, title: undefined, outputSchema: undefined, definition, connector }], problems: [] });
  };
  return {
    name: "docs",
    start: (parts) => void (start = parts),
    settled: list,
    state: () => ({ kind: "ready", note: "connected" }),
    list: () => void list().catch((cause: unknown) => start?.onTrouble("the listing was not taken", cause)),
    close: () => Promise.resolve(),
  };
}

/** A receiver that answers when an attempt is broken off, or after some turns. */
function slowPort(turns: () => number): NoticePort {
  return {
    name: "hook",
    async deliver(_, { signal }) {
      for (let left = turns(); left > 0 && !signal.aborted; left -= 1) await new Promise((resolve) => setImmediate(resolve));
      return signal.aborted ? { kind: "failed", isFinal: false, problem: "broken off" } : { kind: "delivered" };
    },
  };
}

test(
  verifies(
    "EXEC-12",
    "a box that closes at any moment leaves nothing behind that comes to its store too late, and reports no fault for it",
  ),
  async () => {
    // Often just as a pulse, every 100 ms, or a sweep, every 200 ms, has begun.
    const runMs = nat(10).map((count) => 50 * count);
    const moment = record({ turns: infiniteStream(nat(30)), runMs, listings: nat(2), afterMs: nat(50) });
    await check(
      asyncProperty(moment, async ({ turns, runMs, listings, afterMs }) => {
        const nextTurns = (): number => (turns.next() as IteratorYieldResult<number>).value;
        const clock = manualClock();
        const { store, late } = slowStore(createMemoryStore({ clock, random: systemRandom }), nextTurns);
        const troubles: string[] = [];
        const source = listingSource();
        const { box, turn } = await shopBox({
          clock,
          store,
          policy: shopPolicy,
          sources: [{ source }],
          notify: slowPort(nextTurns),
          limits: { upkeepIntervalMs: 200, pulseMs: 100 },
          onTrouble: ({ kind, where, note }) => {
            if (kind === "fault" || note.includes("not taken")) troubles.push(`${where}: ${note}`);
          },
        });
        await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
        const running = turn.call({ tool: "order.refund", arguments: { orderId: "A-2", amount: 20 } });
        await clock.advance(runMs);
        for (let left = listings; left > 0; left -= 1) source.list();
        const closing = box.close();
        await clock.advance(afterMs);
        await closing;
        await running;
        await clock.advance(1_000);
        expect({ late, troubles }).toEqual({ late: [], troubles: [] });
      }),
      { numRuns: 40 },
    );
  },
);

test("whoever closes a box that is closing waits for the same end", async () => {
  const { box, turn, shop, clock } = await shopBox();
  shop.script = ["hang"];
  const running = turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } });
  await settled();
  const ended: string[] = [];
  const first = box.close().then(() => ended.push("first"));
  const second = box.close().then(() => ended.push("second"));
  await clock.advance(defaultLimits.drainMs - 1);
  expect(ended).toEqual([]);
  await clock.advance(1);
  await Promise.all([first, second]);
  await clock.advance(defaultLimits.replyDeadlineMs);
  expect((await running).outcome.kind).not.toBe("completed");
});

test(verifies("EXEC-12", "a call that is approved as its box closes is left to the next process"), async () => {
  const { clock, store } = watchedStore();
  const reading = Promise.withResolvers<void>();
  let isHeld = false;
  const held: Store = {
    ...store,
    async read(keys) {
      if (isHeld && keys.some(({ space }) => space === "parked")) await reading.promise;
      return await store.read(keys);
    },
  };
  const { box, turn, shop } = await shopBox({ clock, store: held });
  const id = approvalIdOf(await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  shop.script = ["hang"];
  const running = turn.call({ tool: "order.refund", arguments: { orderId: "A-2", amount: 20 } });
  await settled();
  isHeld = true;
  const deciding = box.approvals.decide(id, { approve: true, by: "eve" }, lead);
  await settled();
  const closing = box.close();
  reading.resolve();
  expect(await deciding).toMatchObject({ approval: { state: "approved" }, answer: undefined });
  expect(shop.refunds).toEqual([]);
  await clock.advance(defaultLimits.drainMs);
  await closing;
  await clock.advance(defaultLimits.replyDeadlineMs);
  await running;
});

test("what never closes holds a box no longer than `closeMs`", async () => {
  const { clock, store, closed } = watchedStore();
  const deaf = tool({ name: "a.deaf", tier: "read", description: "Says nothing.", input: { type: "object" }, run: () => "done" });
  const never = { ...deaf, connector: { ...deaf.connector, close: () => new Promise<void>(() => undefined) } };
  const { box } = await shopBox({ clock, store, tools: [never] });
  const closing = box.close();
  await settled();
  await clock.advance(fixedBounds.closeMs - 1);
  expect(closed).toEqual([]);
  await clock.advance(1);
  await closing;
  expect(closed).toEqual(["closed"]);
});

test("a last checkpoint that cannot be written is told to whoever closes, and the store is closed all the same", async () => {
  const { clock, store, closed } = watchedStore();
  const { box, turn } = await shopBox({
    clock,
    store: { ...store, survivesRestart: true, writers: () => Promise.reject(new Error("no disk")) },
  });
  await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  await expect(box.close()).rejects.toThrow();
  expect(closed).toEqual(["closed"]);
});

function watchedStore(): { readonly clock: ReturnType<typeof manualClock>; readonly store: Store; readonly closed: string[] } {
  const clock = manualClock();
  const inner = createMemoryStore({ clock, random: systemRandom });
  const closed: string[] = [];
  const close = async (): Promise<void> => {
    await inner.close();
    closed.push("closed");
  };
  return { clock, store: { ...inner, close }, closed };
}

test("a box that cannot start goes on with nothing, and closes what it has opened", async () => {
  const { clock, store, closed } = watchedStore();
  const asked: string[] = [];
  const refusing: Store = {
    ...store,
    due: ({ space }) => {
      asked.push(space);
      return Promise.reject(new Error("no disk"));
    },
  };
  await expect(shopBox({ clock, store: refusing })).rejects.toThrow("no disk");
  expect(closed).toEqual(["closed"]);
  await clock.advance(10 * defaultLimits.upkeepIntervalMs);
  expect(asked).toEqual(["key"]);
});

test("a box that cannot be put together gives its file back", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-closing-"));
  const path = join(folder, "box.db");
  // There is no policy in a new store to go on with.
  await expect(createSignalbox({ store: `sqlite:${path}`, keepsPolicy: true })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(existsSync(`${path}-lock.pid`)).toBe(false);
  await rm(folder, { recursive: true });
});

test(
  verifies("CALL-10", "a program with nothing else to do is answered at the deadline and closes, whatever its tools do"),
  async () => {
    const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
    import { createSignalbox } from ${module("./signalbox.ts")};
    import { tool } from ${module("../../registry/define.ts")};
    const hang = tool({ name: "a.hang", tier: "read", description: "Hangs.", input: { type: "object" }, run: () => new Promise(() => undefined) });
    const box = await createSignalbox({ tools: [hang], policy: { roles: { all: ["a.*"] } }, limits: { replyDeadlineMs: 50, drainMs: 50 } });
    const session = await box.session({ tenant: "acme", user: "ada", roles: ["all"] });
    console.log((await session.turn().call({ tool: "a.hang", arguments: {} })).outcome.kind);
    await box.close();
    console.log("closed");
  `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("close", resolve));
    expect(await text(child.stdout)).toBe("pending\nclosed\n");
    expect(await ended).toBe(0);
  },
  60_000,
);
