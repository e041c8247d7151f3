import type { Readable } from "node:stream";

const newline = 0x0a;

/**
 * The lines of a stream of UTF-8, without their ends. `undefined` stands for each that is longer than `bytesMax`: it comes as soon as that is known, and what
 * is left of the line is skipped and not kept.
 */
export async function* linesOf(input: Readable, bytesMax: number): AsyncGenerator<string | undefined> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const isSkipped = bytes > bytesMax;
      if (!isSkipped) yield bytes + end > bytesMax ? undefined : textOf(chunks, rest.subarray(0, end));
      chunks = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    const isSkipped = bytes > bytesMax;
    bytes += rest.length;
    if (bytes <= bytesMax) chunks.push(rest);
    else {
      chunks = [];
      if (!isSkipped) yield undefined;
    }
  }
  if (bytes > 0 && bytes <= bytesMax) yield textOf(chunks, Buffer.alloc(0));
}

function textOf(chunks: readonly Buffer[], last: Buffer): string {
  return (chunks.length === 0 ? last : Buffer.concat([...chunks, last])).toString("utf8");
}
