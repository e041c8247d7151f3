import { existsSync } from "node:fs";
import { toolCallError } from "../errors/tool-call-error.ts";
import { createPurge, type PurgeParts } from "./sqlite-purge.ts";
import type { Store } from "./store.ts";

/** What maintenance works on. */
export interface MaintenanceOptions extends PurgeParts {
  readonly writer: string;
}

/** The store's slow chores. */
export type Maintenance = Pick<Store, "dropEntries" | "purge" | "backup"> & { check(): Promise<readonly string[]> };

/** What reads or changes much goes to the worker. */
export function createMaintenance({ writer, queries, group, intake, offload }: MaintenanceOptions): Maintenance {
  async function allInTables(): Promise<void> {
    await group.settled();
    await intake.whole();
  }

  return {
    async dropEntries({ writer: dropped, epoch, throughSeq }) {
      if (dropped !== writer) return 0;
      await allInTables();
      let count = 0;
      for (;;) {
        const gone = await offload.run({ kind: "drop", epoch, throughSeq });
        if (gone === 0) return count;
        count += gone;
      }
    },
    purge: createPurge({ queries, group, intake, offload }),
    async backup(path) {
      if (existsSync(path)) throw toolCallError("REQUEST_INVALID", `\`${path}\` exists already; name a new file for the backup`);
      await allInTables();
      await offload.run({ kind: "backup", path });
    },
    check: () => offload.run({ kind: "check" }),
  };
}
