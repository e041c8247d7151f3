import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { readNews, writeNews } from "./process-news.ts";

const charsMax = defaultLimits.channelMessageCharsMax;
const counts = fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.integer({ min: 1 })));
const atMs = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const news = fc.record({
  process: fc.string(),
  turn: fc.nat(),
  isWhole: fc.boolean(),
  rates: counts,
  breakers: fc.dictionary(fc.string(), fc.record({ atMs, untilMs: atMs })),
});

test("what is written is read again", () => {
  fc.assert(
    fc.property(news, (said) => {
      expect(readNews(writeNews(said), charsMax)).toEqual(said);
    }),
  );
  expect(writeNews({ process: "p", turn: 3, isWhole: true, rates: { tools: { a: 2 } }, breakers: {} })).toBe(
    '{"process":"p","turn":3,"isWhole":true,"rates":{"tools":{"a":2}},"breakers":{}}',
  );
});

test("anything else is no news, and never throws", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(readNews(text, charsMax)).toBeUndefined();
    }),
  );
  const said = { process: "p", turn: 1, isWhole: true, rates: { tools: { a: 1 } }, breakers: { b: { atMs: 1, untilMs: 2 } } };
  expect(readNews(JSON.stringify(said), charsMax)).toEqual(said);
  const others = [
    null,
    [],
    7,
    { ...said, process: 1 },
    { ...said, turn: "1" },
    { ...said, isWhole: undefined },
    { ...said, rates: [] },
    { ...said, rates: { tools: 1 } },
    // What would give a limit back, or break the arithmetic.
    ...[-1, 0, 0.5, "1", null].map((count) => ({ ...said, rates: { tools: { a: count } } })),
    { ...said, breakers: { b: { atMs: 1 } } },
    { ...said, breakers: { b: null } },
  ];
  for (const other of others) expect([other, readNews(JSON.stringify(other), charsMax)]).toEqual([other, undefined]);
});

test("more than `channelMessageCharsMax` is not looked at", () => {
  const text = writeNews({ process: "p", turn: 1, isWhole: true, rates: {}, breakers: {} });
  expect(readNews(text, text.length)).toBeDefined();
  expect(readNews(text, text.length - 1)).toBeUndefined();
});
