import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { linesOf } from "./lines.ts";

async function read(chunks: readonly Buffer[], bytesMax: number): Promise<readonly (string | undefined)[]> {
  const lines: (string | undefined)[] = [];
  for await (const line of linesOf(Readable.from(chunks), bytesMax)) lines.push(line);
  return lines;
}

const text = fc.string({ unit: "grapheme", maxLength: 30 }).filter((line) => !line.includes("\n"));

test("lines are the same however the bytes come, and each that is too long is said once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 })), async (lines, cuts) => {
      const whole = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, whole.length]) {
        if (at < whole.length) chunks.push(whole.subarray(at, at + cut));
        at += cut;
      }
      if (at < whole.length) chunks.push(whole.subarray(at));
      const wanted = lines.map((line) => (Buffer.byteLength(line) > 20 ? undefined : line));
      expect(await read(chunks, 20)).toEqual(wanted);
    }),
  );
});

test("a line that never ends is said as soon as it is too long, and what ends without a newline is a line", async () => {
  const input = new Readable({ read: () => undefined });
  const lines = linesOf(input, 5);
  input.push("too long");
  expect(await lines.next()).toEqual({ done: false, value: undefined });
  input.push("er\nshort");
  input.push(null);
  expect([await lines.next(), await lines.next()]).toEqual([
    { done: false, value: "short" },
    { done: true, value: undefined },
  ]);
});
