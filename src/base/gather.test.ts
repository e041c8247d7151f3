import { describe, expect, test } from "vitest";
import { createGather } from "./gather.ts";
import { defaultLimits } from "./limits.ts";

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("gathered tasks", () => {
  test("are done in a row in the order in which they came, at the end of the turn and not before", async () => {
    const gather = createGather(10);
    const done: string[] = [];
    for (const name of ["a", "b", "c"]) gather(() => done.push(name));
    await Promise.resolve();
    expect(done).toEqual([]);
    await endOfTurn();
    expect(done).toEqual(["a", "b", "c"]);
  });

  test("go on before anything that they made ready: a row is not interrupted", async () => {
    const gather = createGather(10);
    const seen: string[] = [];
    for (const name of ["a", "b"]) gather(() => void Promise.resolve(seen.push(name)).then(() => seen.push(`after ${name}`)));
    await endOfTurn();
    expect(seen).toEqual(["a", "b", "after a", "after b"]);
  });

  test("are at most `gatheredTasksMax` in one turn; the others follow in the next, none lost and none overtaken", async () => {
    const { gatheredTasksMax: max } = defaultLimits;
    const gather = createGather(max);
    const done: number[] = [];
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
    for (const index of upTo(2 * max + 1)) gather(() => done.push(index));
    await endOfTurn();
    expect(done).toEqual(upTo(max));
    gather(() => done.push(2 * max + 1));
    await endOfTurn();
    expect(done).toEqual(upTo(2 * max));
    await endOfTurn();
    expect(done).toEqual(upTo(2 * max + 2));
  });

  test("may add others, which are done in a later turn", async () => {
    const gather = createGather(10);
    const done: string[] = [];
    gather(() => {
      done.push("first");
      gather(() => done.push("second"));
    });
    await endOfTurn();
    expect(done).toEqual(["first"]);
    await endOfTurn();
    expect(done).toEqual(["first", "second"]);
  });

  test("are done although one before them throws", async () => {
    const thrown: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (cause) => thrown.push(cause));
    try {
      const gather = createGather(10);
      const done: string[] = [];
      gather(() => {
        throw new Error("a task's own fault");
      });
      gather(() => done.push("next"));
      await expect.poll(() => done).toEqual(["next"]);
      expect(thrown).toMatchObject([{ message: "a task's own fault" }]);
    } finally {
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
  });
});
