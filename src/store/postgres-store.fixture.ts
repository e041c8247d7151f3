/** What tests of the PostgreSQL store share. */
import { systemClock } from "../base/clock.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import { draftOf, keyOf, unitOf } from "./contract-model.fixture.ts";
import { openPostgresStore, type PostgresStore } from "./postgres.ts";
import { expectWholeChain } from "./store.contract.ts";
import type { EntryQuery, Unit } from "./store.ts";

/** Opens a store with some limits changed. */
export async function open(connectionString: string, limits: Partial<Limits> = {}): Promise<PostgresStore> {
  return await openPostgresStore({ connectionString, clock: systemClock, random: systemRandom, limits: { ...defaultLimits, ...limits } });
}

/** A unit that claims a key and says so in the ledger. */
export function putUnit(key: string): Unit {
  return unitOf([{ op: "put", key: keyOf(key), body: key, expect: "absent" }], [draftOf("call-settled", { callId: key })]);
}

/** Checks the chain of every writer by itself. */
export async function expectWholeChains(store: PostgresStore): Promise<void> {
  const heads = await store.writers();
  for (const writer of new Set(heads.map((head) => head.writer))) {
    await expectWholeChain({
      ...store,
      writers: async () => heads.filter((head) => head.writer === writer),
      entries: async (query: EntryQuery) => store.entries({ ...query, writer }),
    });
  }
}
