import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../../test/verifies.ts";
import { createHeardRates, type HeardCounts, type SharedRates } from "./heard-rates.ts";
import { createOwnCounts } from "./own-counts.ts";

/** A limit that says what was taken, and one that remembers what it was charged. */
function ledgers() {
  let taken = new Map<string, number>();
  const charged = new Map<string, number>();
  const here: SharedRates = {
    tools: {
      takenSince: () => {
        const since = taken;
        taken = new Map();
        return since;
      },
      charge: () => undefined,
    },
  };
  const there: SharedRates = {
    tools: { takenSince: () => new Map(), charge: (key, count) => void charged.set(key, (charged.get(key) ?? 0) + count) },
  };
  return { here, there, charged, take: (key: string) => void taken.set(key, (taken.get(key) ?? 0) + 1) };
}

const keepMs = 1_000_000;

test(
  verifies(
    "EXEC-03",
    "what another process let through is charged once and whole, whatever a channel loses and however late a row is read",
  ),
  () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), key: fc.constantFrom("a", "b", "__proto__") }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("change" as const, "whole" as const), isLost: fc.boolean() }) },
      fc.record({ kind: fc.constant("row" as const) }),
      fc.record({ kind: fc.constant("read" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { here, there, charged, take } = ledgers();
        const counts = createOwnCounts(here, { keysMax: 10, keepMs });
        const heard = createHeardRates(there, { processesMax: 5 });
        heard.begun();
        const made = new Map<string, number>();
        let turn = 0;
        let row: HeardCounts | undefined;
        const whole = (): HeardCounts => ({ process: "p", turn, isWhole: true, rates: counts.all() });
        const gather = (isLost: boolean): void => {
          const rates = counts.since(0);
          if (rates === undefined) return;
          turn += 1;
          if (!isLost) heard.hear({ process: "p", turn, isWhole: false, rates }, 0);
        };
        for (const each of steps) {
          if (each.kind === "take") {
            take(each.key);
            made.set(each.key, (made.get(each.key) ?? 0) + 1);
          } else if (each.kind === "change") gather(each.isLost);
          else if (each.kind === "whole" && !each.isLost) heard.hear(whole(), 0);
          else if (each.kind === "row") {
            gather(true);
            row = whole();
          } else if (row !== undefined) heard.hear(row, 0);
          for (const [key, count] of charged) expect(count).toBeLessThanOrEqual(made.get(key) ?? 0);
        }
        gather(true);
        heard.hear(whole(), 0);
        expect(Object.fromEntries(charged)).toEqual(Object.fromEntries(made));
      }),
    );
  },
);

test("what was let through before this process was there is not charged, what comes after is", () => {
  const { there, charged } = ledgers();
  const heard = createHeardRates(there, { processesMax: 5 });
  heard.hear({ process: "old", turn: 4, isWhole: false, rates: { tools: { a: 7 } } }, 0);
  heard.hear({ process: "old", turn: 4, isWhole: true, rates: { tools: { a: 9 } } }, 0);
  expect(charged.size).toBe(0);
  heard.begun();
  heard.hear({ process: "old", turn: 5, isWhole: false, rates: { tools: { a: 1 } } }, 0);
  heard.hear({ process: "new", turn: 1, isWhole: false, rates: { tools: { a: 2 } } }, 0);
  heard.hear({ process: "other", turn: 3, isWhole: true, rates: { tools: { a: 4 } } }, 0);
  expect(charged.get("a")).toBe(7);
});

test("a process of an older program, which knows no turns, is heard through its row", () => {
  const { there, charged } = ledgers();
  const heard = createHeardRates(there, { processesMax: 5 });
  heard.begun();
  for (const count of [2, 2, 5, 1]) heard.hear({ process: "p", turn: undefined, isWhole: true, rates: { tools: { a: count } } }, 0);
  // The last is a key that was not used for a while.
  expect(charged.get("a")).toBe(6);
});

test("keeps count of at most `pulseProcessesMax` processes, and forgets silent ones", () => {
  const { there, charged } = ledgers();
  const heard = createHeardRates(there, { processesMax: 2 });
  heard.begun();
  const say = (process: string, atMs: number): void =>
    heard.hear({ process, turn: 1, isWhole: true, rates: { tools: { [process]: 1 } } }, atMs);
  say("one", 0);
  say("two", 10);
  say("three", 20);
  expect([...charged.keys()]).toEqual(["one", "two"]);
  heard.forget(5);
  say("three", 20);
  expect([...charged.keys()]).toEqual(["one", "two", "three"]);
});

test("tells at most `pulseKeysMax` keys, the latest used, and none that was long not used", () => {
  const { here, take } = ledgers();
  const counts = createOwnCounts(here, { keysMax: 2, keepMs: 100 });
  for (const key of ["a", "b", "c", "a"]) {
    take(key);
    counts.since(0);
  }
  expect(counts.all()).toEqual({ tools: { c: 1, a: 2 } });
  take("c");
  counts.since(101);
  expect(counts.all()).toEqual({ tools: { c: 1 } });
});
