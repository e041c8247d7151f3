import { median } from "./measure.ts";

/** Calls per second of callers that each make the next call when their last one is answered. */
export async function perSecond(
  callersCount: number,
  callsCount: number,
  run: (index: number, callerIndex: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startedMs = performance.now();
  const one = async (callerIndex: number): Promise<void> => {
    while (next < callsCount) await run(next++, callerIndex);
  };
  await Promise.all(Array.from({ length: callersCount }, (_, index) => one(index)));
  return (callsCount / (performance.now() - startedMs)) * 1_000;
}

/** Median time in milliseconds of calls of one caller. */
export async function medianMs(callsCount: number, run: (index: number) => unknown): Promise<number> {
  const samples: number[] = [];
  for (let index = 0; index < callsCount; index += 1) {
    const startedMs = performance.now();
    await run(index);
    samples.push(performance.now() - startedMs);
  }
  return median(samples);
}
