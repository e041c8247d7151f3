import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { systemClock } from "../base/clock.ts";
import { tool } from "../registry/define.ts";
import { createMemoryStore } from "../store/memory.ts";
import { openSqliteReader } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import type { Signalbox } from "./box/box.ts";
import { createSignalbox } from "./box/signalbox.ts";

/** A store whose durable units wait until they are let through. */
function slowDisk(): { readonly store: Store; readonly write: () => void } {
  const inner = createMemoryStore({ clock: systemClock });
  let write = (): void => undefined;
  const written = new Promise<void>((resolve) => (write = resolve));
  const store = new Proxy(inner, {
    get(target, name) {
      if (name !== "commit") return Reflect.get(target, name, target) as unknown;
      const commit: Store["commit"] = async (unit) => {
        if (unit.operations.length === 0 && unit.entries.length === 0) await written;
        return await target.commit(unit);
      };
      return commit;
    },
  });
  return { store, write };
}

interface Working {
  readonly box: Signalbox;
  readonly told: string[];
  /** Says something, as the tool. */
  readonly say: (message: string) => Promise<void>;
  readonly finish: () => Promise<unknown>;
}

/** A call under way whose tool says what a test wants. */
async function working(store: Store | string, tier: "read" | "reversible"): Promise<Working> {
  let begun = (): void => undefined;
  let end = (): void => undefined;
  let progress: (message: string) => void = () => undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  const ended = new Promise<void>((resolve) => (end = resolve));
  const work = tool({
    name: "shop.work",
    tier,
    description: "Works.",
    input: { type: "object" },
    run: async (_args, execution) => {
      ({ progress } = execution);
      begun();
      await ended;
      return "done";
    },
  });
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    store: store as Store,
    policy: { roles: { user: ["shop.*"] } },
    tools: [work],
  });
  const session = await box.session({ tenant: "acme", user: "ada", roles: ["user"] });
  const told: string[] = [];
  const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "shop.work", arguments: {} } };
  const answers = session.turn().answers("mcp", request, { onProgress: (message) => told.push(message) });
  await started;
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    box,
    told,
    async say(message) {
      progress(message);
      await settled();
    },
    async finish() {
      end();
      const outcome = (await answers)[0]?.outcome.kind;
      await settled();
      return outcome;
    },
  };
}

describe("what a tool says while it works", () => {
  it(verifies("CONN-04", "leaves a read only once its intent is on disk, the newest message of the wait first"), async () => {
    const { store, write } = slowDisk();
    const { box, told, say, finish } = await working(store, "read");
    await say("one");
    await say("two");
    expect(told).toEqual([]);
    write();
    await say("three");
    expect(told).toEqual(["three"]);
    await say("four");
    expect([await finish(), told]).toEqual(["completed", ["three", "four"]]);
    await box.close();
  });

  it("leaves a write at once, whose intent is on disk already", async () => {
    const { store } = slowDisk();
    const { box, told, say, finish } = await working(store, "reversible");
    await say("one");
    expect(told).toEqual(["one"]);
    await finish();
    await box.close();
  });

  it("never leaves after the call has ended", async () => {
    const { store, write } = slowDisk();
    const { box, told, say, finish } = await working(store, "read");
    await say("one");
    await finish();
    write();
    await say("late");
    expect(told).toEqual([]);
    await box.close();
  });

  it("leaves when the ledger on SQLite can be read to name the call", async () => {
    const folder = await mkdtemp(join(tmpdir(), "progress-"));
    const path = join(folder, "box.db");
    const { box, told, say, finish } = await working(`sqlite:${path}`, "read");
    while (told.length === 0) await say("working");
    const reader = openSqliteReader({ path });
    expect((await reader.entries({ tenant: "acme", limit: 10 })).map(({ kind }) => kind)).toContain("call-intended");
    await reader.close();
    await finish();
    await box.close();
    await rm(folder, { recursive: true });
  });
});
