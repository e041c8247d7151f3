/**
 * Schema 2: what groups changed stands in the commit log beside the file, no longer in a table of it. What the table still holds goes where it belongs.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Json } from "../domain/json.ts";

type RowTuple = readonly [space: string, tenant: string, key: string, version: number, body: Json, dueMs: number | null];
type CounterTuple = readonly [space: string, tenant: string, key: string, value: number, dueMs: number | null];

/** Brings in the changes that a file of schema 1 holds: whole rows and values, so that the order of groups is all that counts. */
export function bringInChanges(db: DatabaseSync): void {
  const putRow = db.prepare(`insert into rows(space, tenant, key, version, body, due_ms) values(?, ?, ?, ?, ?, ?)
    on conflict do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms`);
  const deleteRow = db.prepare("delete from rows where space = ? and tenant = ? and key = ?");
  const putCounter = db.prepare(`insert into counters(space, tenant, key, value, due_ms) values(?, ?, ?, ?, ?)
    on conflict do update set value = excluded.value, due_ms = coalesce(excluded.due_ms, due_ms)`);
  for (const record of db.prepare("select body from changes order by id").all()) {
    const changes = JSON.parse(String(record["body"])) as {
      readonly rows: readonly RowTuple[];
      readonly counters: readonly CounterTuple[];
    };
    for (const [space, tenant, key, version, body, dueMs] of changes.rows) {
      if (version === 0) deleteRow.run(space, tenant, key);
      else putRow.run(space, tenant, key, version, JSON.stringify(body), dueMs);
    }
    for (const counter of changes.counters) putCounter.run(...counter);
  }
}

/** The rest of the step. */
export const schema2 = `
  insert or ignore into entry_calls(call_id, id)
    select call_id, id from entries where id > (select coalesce(max(cast(value as integer)), 0) from meta where name = 'referred-through') and call_id is not null;
  insert or ignore into entry_sessions(session_id, id)
    select session_id, id from entries where id > (select coalesce(max(cast(value as integer)), 0) from meta where name = 'referred-through') and session_id is not null;
  delete from meta where name = 'referred-through';
  drop table changes;`;
