import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Batch, EntryDraft } from "./store.ts";

/** The statements of a group, prepared once. */
export interface SqliteStatements {
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  /** `batch` is given with the last entry of its batch. */
  writeEntry(seq: number, epoch: number, draft: EntryDraft, text: string, batch: Batch | undefined): void;
}

/** Prepares them. Columns are named, because a newer schema that still serves this program may have more. */
export function insertStatements(db: DatabaseSync): SqliteStatements {
  const putEntry = db.prepare(`insert into entries(id, epoch, tenant, kind, at_ms, call_id, session_id, run_id, text, sealed,
    batch_count, batch_root, batch_previous, batch_head) values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  return {
    begin: db.prepare("begin immediate"),
    commit: db.prepare("commit"),
    writeEntry(seq, epoch, draft, text, batch) {
      putEntry.run(
        seq,
        epoch,
        draft.tenant,
        draft.kind,
        draft.atMs,
        draft.callId ?? null,
        draft.sessionId ?? null,
        draft.runId ?? null,
        text,
        draft.sealed ?? null,
        batch?.count ?? null,
        batch?.root ?? null,
        batch?.previous ?? null,
        batch?.head ?? null,
      );
    },
  };
}
