import { expect, test } from "vitest";
import { manualClock, type ManualClock } from "../../test/support/manual-clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { draftOf, unitOf } from "./contract-model.fixture.ts";
import { PostgresGroup, type PostgresGroupOptions } from "./postgres-group.ts";
import type { Lease } from "./postgres-lease.ts";
import { zeroHead } from "./seal.ts";
import type { CommitResult } from "./store.ts";

const said = (name: string) => unitOf([], [draftOf(name)]);
/** Where a group's statement says how many entries it has; each unit of these tests has one. */
const entryCountPlace = 18;

/** A group writer on a database that answers when it is told to. */
function groupOnHold(): { readonly group: PostgresGroup; readonly sizes: number[]; readonly clock: ManualClock; answer(): void } {
  const clock = manualClock();
  const sizes: number[] = [];
  const answers: (() => void)[] = [];
  let lease: Lease = { writer: "writer_1", epoch: 1, seq: 0, head: zeroHead, fence: 1, flush: 0 };
  const connection = {
    query: (_text: string, values: readonly unknown[] = []) => {
      sizes.push(values[entryCountPlace] as number);
      return new Promise<readonly []>((resolve) => answers.push(() => resolve([])));
    },
  };
  const link = {
    standing: () => ({ connection, lease }),
    advance: (next: Lease) => void (lease = next),
  };
  const address = { connectionString: "", name: "nowhere", limits: defaultLimits };
  const options = { link, address, clock } as unknown as PostgresGroupOptions;
  return { group: new PostgresGroup(options), sizes, clock, answer: () => answers.shift()?.() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a lone unit is on its way before the event loop turns, with all that come at the same moment", async () => {
  const { group, sizes } = groupOnHold();
  for (const name of ["a", "b", "c"]) void Promise.resolve().then(() => group.commit(said(name)));
  await new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));
  expect(sizes).toEqual([3]);
});

test("where callers are many, what waits is on its way before anybody whose group was written goes on", async () => {
  const { group, sizes, answer } = groupOnHold();
  const first = group.commit(said("a"));
  await turn();
  for (let index = 0; index < 19; index += 1) void group.commit(said(`b-${index}`));
  let underWay: readonly number[] = [];
  const goesOn = first.then(() => void (underWay = [...sizes]));
  answer();
  await goesOn;
  expect(underWay).toEqual([1, 10]);
});

test("where callers are few, those whose group was written share the next one with what waits", async () => {
  const { group, sizes, answer } = groupOnHold();
  const first = group.commit(said("a")).then(() => group.commit(said("a")));
  await turn();
  const others = ["b", "c"].map((name) => group.commit(said(name)));
  answer();
  while (sizes.length < 2) await turn();
  expect(sizes).toEqual([1, 3]);
  answer();
  await Promise.all([first, ...others]);
});

test("many callers are written as two groups in turn, unless the database takes long whatever a group's size; few share one", async () => {
  for (const [callersCount, waitedMs, largest, smallest] of [
    [64, 0, 33, 20],
    [64, 10, 64, 64],
    [10, 0, 10, 10],
  ] as const) {
    const { group, sizes, answer, clock } = groupOnHold();
    const results: CommitResult[] = [];
    const caller = async (name: string): Promise<void> => {
      for (let call = 0; call < 12; call += 1) results.push(await group.commit(said(name)));
    };
    const all = Promise.all(Array.from({ length: callersCount }, (_, index) => caller(`c-${index}`)));
    let isOver = false;
    void all.then(() => (isOver = true));
    while (!isOver) {
      await turn();
      clock.jump(waitedMs);
      answer();
    }
    const steady = sizes.slice(4, -4);
    expect(Math.max(...steady)).toBeLessThanOrEqual(largest);
    expect(Math.min(...steady)).toBeGreaterThanOrEqual(smallest);
    expect(results).toHaveLength(callersCount * 12);
  }
});
