import { defaultLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { memoryKeyring } from "../../src/ledger/keyring.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import type { Store } from "../../src/store/store.ts";
import { shopPolicy } from "./box.ts";
import { manualClock, type ManualClock } from "./manual-clock.ts";

/** What two processes share: a store that says that it is shared, without the database. */
export interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly keys: ReturnType<typeof memoryKeyring>;
  readonly policy: unknown;
}

/** Everybody may do everything. */
export const openPolicy = { ...shopPolicy, rules: [{ id: "all", on: "order.*", when: "true", effect: "allow", waives: "tier" }] };

/** A world of its own. */
export function world(policy: unknown = openPolicy): World {
  const clock = manualClock();
  const memory = createMemoryStore({ clock, random: systemRandom });
  // A process recalls nothing here: what it takes for new, the gate must find out.
  const store: Store = { ...memory, kind: "postgres", survivesRestart: true, recalls: () => false, close: () => Promise.resolve() };
  return { clock, store, keys: memoryKeyring(systemRandom), policy };
}

/** A store as one process sees it, which can fall silent: nothing that it asks or writes gets through until it wakes. */
export function sleeper(store: Store): { readonly store: Store; sleep(): void; wake(): void } {
  let awake: PromiseWithResolvers<void> | undefined;
  const when = async <Value>(work: () => Value | Promise<Value>): Promise<Value> => {
    if (awake !== undefined) await awake.promise;
    return await work();
  };
  return {
    store: {
      ...store,
      read: (keys) => when(() => store.read(keys)),
      due: (query) => when(() => store.due(query)),
      commit: (unit) => when(() => store.commit(unit)),
      entries: (query) => when(() => store.entries(query)),
    },
    sleep: () => void (awake = Promise.withResolvers()),
    wake() {
      awake?.resolve();
      awake = undefined;
    },
  };
}

/** The clock of boxes on a real database goes on, a poll at a time and no faster than the database answers. */
export async function whileTimePasses<Value>(
  { clock, box }: { readonly clock: ManualClock; readonly box: Signalbox },
  work: Promise<Value>,
): Promise<Value> {
  const ended = work.then(() => true);
  while (!(await Promise.race([ended, clock.advance(defaultLimits.joinPollMs).then(() => false)]))) await box.store.writers();
  return await work;
}
