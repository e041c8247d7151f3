import type { Readable } from "node:stream";

const newline = 0x0a;

/** The lines of a stream of UTF-8, without their ends; `undefined` stands for each that is longer than `bytesMax`, which is skipped and not kept. */
export async function* linesOf(input: Readable, bytesMax: number): AsyncGenerator<string | undefined> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      yield bytes + end > bytesMax ? undefined : textOf(chunks, rest.subarray(0, end));
      chunks = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    bytes += rest.length;
    if (bytes > bytesMax) chunks = [];
    else if (rest.length > 0) chunks.push(rest);
  }
  if (bytes > 0) yield bytes > bytesMax ? undefined : textOf(chunks, Buffer.alloc(0));
}

function textOf(chunks: readonly Buffer[], last: Buffer): string {
  return (chunks.length === 0 ? last : Buffer.concat([...chunks, last])).toString("utf8");
}
