import type { Store } from "./store.ts";

/** Whether other processes may be working on the same store, so that what this one keeps in memory may be out of date. */
export function isShared({ kind }: Pick<Store, "kind">): boolean {
  return kind === "postgres";
}
