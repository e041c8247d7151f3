import type { Row, RowKey } from "./store.ts";

type Read = (keys: readonly RowKey[]) => Promise<readonly (Row | undefined)[]>;

interface Waiting {
  readonly keys: readonly RowKey[];
  readonly resolve: (rows: readonly (Row | undefined)[]) => void;
  readonly reject: (problem: unknown) => void;
}

/**
 * Reads that are asked for in the same turn of the event loop go to the database as one, of at most `keysMax` keys beyond those of its last reader.
 * Each is still read after it was asked for. One that fails fails for all who share it, as the connection's trouble would for each alone.
 */
export function sharedReads(read: Read, keysMax: number): Read {
  let queue: Waiting[] = [];
  let queuedCount = 0;
  const send = (): void => {
    const group = queue;
    queue = [];
    queuedCount = 0;
    if (group.length > 0) void answer(read, group);
  };
  return (keys) =>
    new Promise((resolve, reject) => {
      queue.push({ keys, resolve, reject });
      queuedCount += keys.length;
      if (queuedCount >= keysMax) send();
      else if (queue.length === 1) setImmediate(send);
    });
}

async function answer(read: Read, group: readonly Waiting[]): Promise<void> {
  try {
    const rows = await read(group.flatMap(({ keys }) => keys));
    let from = 0;
    for (const { keys, resolve } of group) resolve(rows.slice(from, (from += keys.length)));
  } catch (problem) {
    for (const { reject } of group) reject(problem);
  }
}
