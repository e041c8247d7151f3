import { expect, test } from "vitest";
import { shopBox, shopPolicy } from "../../../test/support/box.ts";
import { manualClock, settled } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import { createMemoryStore } from "../../store/memory.ts";
import type { Store } from "../../store/store.ts";

/** A store that answers what is asked of due rows when it is let, and refuses everything once it is closed. */
function heldStore(inner: Store): { readonly store: Store; readonly told: string[]; hold(): void; letGo(): void } {
  let gate: PromiseWithResolvers<void> | undefined;
  let isClosed = false;
  const told: string[] = [];
  const open = async <Value>(what: string, work: () => Promise<Value>): Promise<Value> => {
    told.push(what);
    await gate?.promise;
    if (isClosed) throw new Error("the store is closed");
    return await work();
  };
  const store: Store = {
    ...inner,
    due: (query) => open(`due ${query.space}`, () => inner.due(query)),
    purge: (query) => open(`purge ${query.space}`, () => inner.purge(query)),
    close: () => {
      told.push("close");
      isClosed = true;
      return inner.close();
    },
  };
  return { store, told, hold: () => (gate = Promise.withResolvers()), letGo: () => gate?.resolve() };
}

test(
  verifies("EXEC-12", "a box that closes lets its upkeep come to an end, begins no more of it, and closes the store after it"),
  async () => {
    const clock = manualClock();
    const { store, told, hold, letGo } = heldStore(createMemoryStore({ clock, random: systemRandom }));
    const troubles: string[] = [];
    const { box } = await shopBox({ clock, store, policy: shopPolicy, onTrouble: ({ note }) => troubles.push(note) });
    told.length = 0;
    hold();
    await clock.advance(defaultLimits.upkeepIntervalMs);
    expect(told).toEqual(["due key"]);

    const closing = box.close();
    await settled();
    expect(told).toEqual(["due key"]);
    letGo();
    await closing;
    expect(told.filter((what) => !what.startsWith("due"))).toEqual(["close"]);
    expect(troubles).toEqual([]);
  },
);

test(verifies("EXEC-12", "an upkeep that hangs keeps a box from closing no longer than `drainMs`"), async () => {
  const clock = manualClock();
  const { store, told, hold } = heldStore(createMemoryStore({ clock, random: systemRandom }));
  const { box } = await shopBox({ clock, store, policy: shopPolicy });
  hold();
  await clock.advance(defaultLimits.upkeepIntervalMs);
  const closing = box.close();
  await settled();
  expect(told.at(-1)).toBe("due key");
  await clock.advance(defaultLimits.drainMs);
  await closing;
  expect(told.at(-1)).toBe("close");
});
