/** Row `memory-flat`: heap after a million governed calls on the memory store over the heap after 200,000. Needs `--expose-gc`. */
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { atMost, isQuick, print } from "../measure.ts";
import { caller, expectResult, modelMessage, standardOptions, standardTool } from "../standard-call.ts";

const [firstCount, lastCount] = isQuick ? [50_000, 250_000] : [200_000, 1_000_000];
const { gc } = globalThis;
if (gc === undefined) throw new Error("run with --expose-gc");

const box = await createSignalbox(standardOptions(standardTool("read")));
const session = await box.session(caller);

async function heapAfter(fromIndex: number, untilIndex: number): Promise<{ readonly heapBytes: number; readonly residentBytes: number }> {
  for (let index = fromIndex; index < untilIndex; index += 1) {
    const answers = await session.turn().answer("openai-chat", modelMessage(index));
    if (index % 10_000 === 0) expectResult(answers);
  }
  gc?.();
  gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + external, residentBytes: rss };
}

const first = await heapAfter(0, firstCount);
const last = await heapAfter(firstCount, lastCount);
await box.close();
const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
print({
  rows: [
    atMost(
      "memory-flat",
      last.heapBytes / first.heapBytes,
      `× at ${firstCount} calls`,
      1.1,
      `heap ${megabytes(first.heapBytes)}, then ${megabytes(last.heapBytes)} at ${lastCount}; resident ${megabytes(first.residentBytes)}, then ${megabytes(last.residentBytes)}`,
    ),
  ],
  notMeasured: [
    ...(isQuick ? ["memory-flat: quick, 250,000 calls instead of a million"] : []),
    "memory-flat: many sessions and principals, durable stores",
  ],
});
