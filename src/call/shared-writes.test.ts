import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { CacheOrigin } from "../resilience/read-cache.ts";
import { createSharedWrites, touches, type HeardWrites, type TouchedReads } from "./shared-writes.ts";

const holdsMs = 800;
const origins: readonly CacheOrigin[] = ["acme", "other"].flatMap((tenant) =>
  ["order.get", "order.owner", "file.owner"].map((tool) => ({ tenant, tool, source: tool.split(".")[0] as string })),
);
const touched: fc.Arbitrary<TouchedReads> = fc.oneof(
  fc.record({ tenant: fc.constantFrom("acme", "other"), source: fc.constantFrom("order", "file") }),
  fc.record({ tenant: fc.constantFrom("acme", "other"), tools: fc.subarray(["order.*", "file.owner", "*.get"], { minLength: 1 }) }),
  fc.record({ tenant: fc.constantFrom("acme", "other") }),
);

function listener(): { readonly writes: ReturnType<typeof createSharedWrites>; readonly kept: Set<CacheOrigin> } {
  const kept = new Set<CacheOrigin>();
  const forget = (isTouched: (origin: CacheOrigin) => boolean): void => {
    for (const origin of kept) if (isTouched(origin)) kept.delete(origin);
  };
  return { kept, writes: createSharedWrites({ forget, holdsMs, toldMax: 2 }) };
}

const silent = { forget: () => undefined, holdsMs, toldMax: 2 };

test(
  verifies(
    "AUTH-04",
    "nothing that another process may have changed is kept once that process was heard, however much it wrote (property)",
  ),
  () => {
    const round = fc.record({
      first: fc.array(touched, { maxLength: 6 }),
      second: fc.array(touched, { maxLength: 6 }),
      isHeard: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 6 }), (rounds) => {
        const { writes, kept } = listener();
        const others = [createSharedWrites(silent), createSharedWrites(silent)] as const;
        let unheard: TouchedReads[] = [];
        for (const { first, second, isHeard } of rounds) {
          for (const origin of origins) kept.add(origin);
          for (const each of first) others[0].note(each);
          for (const each of second) others[1].note(each);
          unheard.push(...first, ...second);
          if (!isHeard) continue;
          const said = others.map((other, index): HeardWrites => ({ process: `p${index}`, writes: other.news() }));
          writes.hear(said, { isWhole: true, nowMonotonicMs: 0 });
          const stale = [...kept].filter((origin) => unheard.some((each) => touches(each, origin)));
          expect(stale).toEqual([]);
          // Few enough to be told one by one: what nobody touched stays.
          const isFew =
            new Set([...first, ...second].map((each) => JSON.stringify(each))).size <= 2 && unheard.length === first.length + second.length;
          if (isFew) expect(kept.size).toBe(origins.filter((origin) => !unheard.some((each) => touches(each, origin))).length);
          unheard = [];
        }
      }),
    );
  },
);

test("what is kept may be relied on only while all others were heard a moment ago, and all of them tell", () => {
  const { writes } = listener();
  const other = createSharedWrites(silent).news();
  expect(writes.isCurrent(0)).toBe(false);
  writes.hear([{ process: "p", writes: other }], { isWhole: true, nowMonotonicMs: 1_000 });
  expect([writes.isCurrent(1_000), writes.isCurrent(1_000 + holdsMs - 1), writes.isCurrent(1_000 + holdsMs)]).toEqual([true, true, false]);
  writes.hear([{ process: "p", writes: other }], { isWhole: false, nowMonotonicMs: 1_000 });
  expect(writes.isCurrent(1_000)).toBe(false);
  writes.hear(
    [
      { process: "p", writes: other },
      { process: "older", writes: undefined },
    ],
    { isWhole: true, nowMonotonicMs: 1_000 },
  );
  expect(writes.isCurrent(1_000)).toBe(false);
});

test("what a newer program says in another form counts as touching everything", () => {
  const { writes, kept } = listener();
  for (const origin of origins) kept.add(origin);
  writes.hear([{ process: "p", writes: { count: 1, missing: 0, latest: { "no list": 1 } } }], { isWhole: true, nowMonotonicMs: 0 });
  expect(kept.size).toBe(0);
});
