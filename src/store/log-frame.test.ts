import fc from "fast-check";
import { expect, test } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { decodeFrame, frameAt, FrameEncoder, saltBytes, type ChangedCounter, type ChangedRow, type FrameContent } from "./log-frame.ts";
import { rowId } from "./row-key.ts";

const text = fc.oneof(fc.string(), fc.string({ unit: anyCodePoint }));
const when = fc.integer({ min: 0, max: 2 ** 45 });
const key = fc.record({ space: fc.constantFrom("key", "approval"), tenant: fc.constantFrom("", "acme"), key: text });
const row: fc.Arbitrary<ChangedRow> = fc.record({
  key,
  version: fc.nat(),
  text: fc.json(),
  dueMs: fc.option(when, { nil: undefined }),
});
const counter: fc.Arbitrary<ChangedCounter> = fc.record({
  key,
  value: fc.maxSafeNat(),
  dueMs: fc.oneof(when, fc.constantFrom("none" as const, undefined)),
});
const entry = fc.record({
  tenant: text,
  kind: text,
  atMs: when,
  callId: fc.option(text, { nil: undefined }),
  sessionId: fc.option(text, { nil: undefined }),
  runId: fc.option(text, { nil: undefined }),
  sealed: fc.option(fc.uint8Array(), { nil: undefined }),
  text,
});

/** Frames with texts of every alphabet, so that a length counted in the wrong unit shows. */
const content: fc.Arbitrary<FrameContent> = fc
  .record({
    entries: fc.array(entry, { maxLength: 5 }),
    rows: fc.array(row, { maxLength: 5 }),
    counters: fc.array(counter, { maxLength: 5 }),
  })
  .map(({ entries, rows, counters }) => ({
    epoch: 3,
    firstSeq: 17,
    drafts: entries.map(({ text: _text, ...draft }) => draft),
    texts: entries.map((one) => one.text),
    rows: new Map(rows.map((one) => [rowId(one.key), one])),
    counters: new Map(counters.map((one) => [rowId(one.key), one])),
  }));

const salt = Buffer.from("0123456789abcdef", "hex");

test("a frame gives back what it was made of, wherever it lies", () => {
  const encoder = new FrameEncoder();
  fc.assert(
    fc.property(content, fc.nat(2 ** 30), fc.nat(100), (made, number, start) => {
      const bytes = Buffer.concat([Buffer.alloc(start, 7), encoder.encode(number, salt, made), Buffer.alloc(20, 9)]);
      const place = frameAt(bytes, start);
      expect(place).toMatchObject({ number, start });
      expect(bytes.subarray(start, start + saltBytes)).toEqual(salt);
      expect(decodeFrame(bytes, place as NonNullable<typeof place>)).toEqual({
        ...made,
        number,
        rows: [...made.rows.values()],
        counters: [...made.counters.values()],
      });
    }),
  );
});

test("a frame of which any bit is turned or any end is missing is none", () => {
  const encoder = new FrameEncoder();
  fc.assert(
    fc.property(content, fc.nat(), fc.integer({ min: 0, max: 7 }), (made, place, bit) => {
      const whole = Buffer.from(encoder.encode(1, salt, made));
      const at = saltBytes + (place % (whole.length - saltBytes));
      const turned = Buffer.from(whole);
      turned[at] = (turned[at] as number) ^ (1 << bit);
      expect(frameAt(turned, 0)).toBeUndefined();
      expect(frameAt(whole.subarray(0, at), 0)).toBeUndefined();
    }),
  );
});
