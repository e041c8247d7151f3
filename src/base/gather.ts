/**
 * Work of the same kind that comes up in one turn of the event loop, done in a row at its end. Each request that a socket brings would otherwise make its
 * whole way between two system calls, and find the processor's caches full of what the kernel and the parsers left there; in a row, the second finds its
 * code and data where the first has put them. Whoever is alone waits for the end of the turn, which is as long as what else came in with it.
 */

/** Does a task at the end of this turn of the event loop, in the order in which they came. Tasks must not throw; of one that does, the others do not suffer. */
export type Gather = (task: () => void) => void;

/** Makes one. At most `tasksMax` are done in one turn, so that what the network brings meanwhile is not kept waiting by a long row of them. */
export function createGather(tasksMax: number): Gather {
  let waiting: (() => void)[] = [];
  function run(): void {
    const tasks = waiting.length <= tasksMax ? waiting : waiting.slice(0, tasksMax);
    waiting = tasks === waiting ? [] : waiting.slice(tasksMax);
    if (waiting.length > 0) setImmediate(run);
    let doneCount = 0;
    try {
      for (const task of tasks) {
        doneCount += 1;
        task();
      }
    } finally {
      // Only where one has thrown is anything left.
      for (const task of tasks.slice(doneCount)) gather(task);
    }
  }
  function gather(task: () => void): void {
    waiting.push(task);
    if (waiting.length === 1) setImmediate(run);
  }
  return gather;
}
