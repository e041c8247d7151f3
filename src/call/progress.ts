import type { CallState } from "./runtime.ts";

/**
 * Passes on what a tool says while it works, or nothing where nobody listens. These words carry what a result carries: they are searched for secrets, and the
 * first waits until the intent of the call is on disk, since what stands there, the tool and its source, is their label. The intent of a write is there by now;
 * a read has only claimed, so it is waited for, and of what is said meanwhile the newest message is kept. A call that has ended says nothing any more.
 */
export function progressOf(state: CallState): ((message: string) => void) | undefined {
  const { onProgress, runtime, registered } = state;
  if (onProgress === undefined) return undefined;
  let isOnDisk = registered?.tool.tier !== "read";
  let waiting: string | undefined;
  const tell = (message: string): void => {
    if (state.execution === undefined) onProgress(runtime.redactText(message));
  };
  const untilOnDisk = async (): Promise<void> => {
    try {
      // Units are written in their order: when an empty one is on disk, the intent before it is.
      await runtime.store.commit({ operations: [], entries: [] });
    } catch {
      // The call finds out for itself that nothing can be written; until it ends it says nothing.
      return;
    }
    isOnDisk = true;
    tell(waiting as string);
  };
  return (message) => {
    if (isOnDisk) return tell(message);
    const isWaitedFor = waiting !== undefined;
    waiting = message;
    if (!isWaitedFor) void untilOnDisk();
  };
}
