/**
 * The log of changes. A group writes what it changed as one row of the table `changes`, beside its entries: two places in the file that every commit
 * touches, instead of a place for every row, counter and index. What stands there is durable; it is brought into its own tables later, many groups at
 * once, in the order of the tables, and what was changed several times meanwhile only once. Until then this process reads it from memory, other
 * processes and the next start read it from the log. Changes hold whole rows and values, so that bringing one in twice changes nothing.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Json } from "../domain/json.ts";
import { rowId } from "./row-key.ts";
import type { RowKey } from "./store.ts";

/** A row as a group left it. Version 0: deleted. */
export interface ChangedRow {
  readonly key: RowKey;
  readonly version: number;
  readonly text: string;
  readonly dueMs: number | undefined;
}

/** A counter as a group left it. With `dueMs` undefined it keeps the one it has. */
export interface ChangedCounter {
  readonly key: RowKey;
  readonly value: number;
  readonly dueMs: number | undefined;
}

/** What changes leave behind, by row id. */
export interface Changes {
  readonly rows: ReadonlyMap<string, ChangedRow>;
  readonly counters: ReadonlyMap<string, ChangedCounter>;
}

type RowTuple = readonly [space: string, tenant: string, key: string, version: number, body: Json, dueMs: number | null];
type CounterTuple = readonly [space: string, tenant: string, key: string, value: number, dueMs: number | null];

/** The text of one row of the log. Bodies stand in it as they are, since they are JSON. */
export function changesText(changes: Changes): string {
  let text = '{"rows":[';
  let separator = "";
  for (const { key, version, text: body, dueMs } of changes.rows.values()) {
    text += `${separator}[${keyText(key)},${version},${version === 0 ? "null" : body},${dueMs ?? "null"}]`;
    separator = ",";
  }
  text += '],"counters":[';
  separator = "";
  for (const { key, value, dueMs } of changes.counters.values()) {
    text += `${separator}[${keyText(key)},${value},${dueMs ?? "null"}]`;
    separator = ",";
  }
  return `${text}]}`;
}

function keyText(key: RowKey): string {
  return `${JSON.stringify(key.space)},${JSON.stringify(key.tenant)},${JSON.stringify(key.key)}`;
}

/** Every change that stands in the log, the latest of each row and counter. */
export function readChanges(db: DatabaseSync): Changes {
  const rows = new Map<string, ChangedRow>();
  const counters = new Map<string, ChangedCounter>();
  for (const record of db.prepare("select body from changes order by id").all()) {
    const logged = JSON.parse(String(record["body"])) as { readonly rows: readonly RowTuple[]; readonly counters: readonly CounterTuple[] };
    for (const [space, tenant, key, version, body, dueMs] of logged.rows) {
      const rowKey = { space, tenant, key };
      rows.set(rowId(rowKey), { key: rowKey, version, text: version === 0 ? "" : JSON.stringify(body), dueMs: dueMs ?? undefined });
    }
    for (const [space, tenant, key, value, dueMs] of logged.counters) {
      const rowKey = { space, tenant, key };
      counters.set(rowId(rowKey), keepingDue({ key: rowKey, value, dueMs: dueMs ?? undefined }, counters.get(rowId(rowKey))));
    }
  }
  return { rows, counters };
}

function keepingDue(counter: ChangedCounter, before: ChangedCounter | undefined): ChangedCounter {
  return counter.dueMs === undefined && before?.dueMs !== undefined ? { ...counter, dueMs: before.dueMs } : counter;
}

/** What a log is held to. */
export interface ChangeLogBounds {
  /** With so many changes and entries waiting it is time to bring them in. */
  readonly heldMax: number;
  /** Changes or entries brought in by one transaction. */
  readonly sliceMax: number;
}

/** A round of bringing in: what waited when it began, in the order of the tables. */
interface Round {
  readonly rows: readonly (readonly [string, ChangedRow])[];
  readonly counters: readonly (readonly [string, ChangedCounter])[];
  readonly throughId: number;
  rowIndex: number;
  counterIndex: number;
}

/** The log of one open file, on the connection that writes. */
export class ChangeLog implements Changes {
  readonly rows = new Map<string, ChangedRow>();
  readonly counters = new Map<string, ChangedCounter>();
  readonly #bounds: ChangeLogBounds;
  readonly #statements: Statements;
  #lastId = 0;
  #entriesCount = 0;
  #round: Round | undefined;

  constructor(db: DatabaseSync, bounds: ChangeLogBounds) {
    this.#bounds = bounds;
    this.#statements = prepare(db);
  }

  /** Writes the changes of a group into the log; call inside its transaction. */
  write(changes: Changes): void {
    if (changes.rows.size > 0 || changes.counters.size > 0) this.#statements.log.run(this.#lastId + 1, changesText(changes));
  }

  /** The transaction of `write` holds. */
  written(changes: Changes, entriesCount: number): void {
    if (changes.rows.size > 0 || changes.counters.size > 0) this.#lastId += 1;
    for (const [id, row] of changes.rows) this.rows.set(id, row);
    for (const [id, counter] of changes.counters) this.counters.set(id, keepingDue(counter, this.counters.get(id)));
    this.#entriesCount += entriesCount;
  }

  /** Whether so much waits that it should be brought in, or a round is under way. */
  get isFull(): boolean {
    return this.#round !== undefined || this.rows.size + this.counters.size + this.#entriesCount >= this.#bounds.heldMax;
  }

  get isEmpty(): boolean {
    return this.rows.size === 0 && this.counters.size === 0 && this.#entriesCount === 0 && this.#round === undefined;
  }

  /** Brings in one slice, in a transaction of its own. Throws SQLite's error, and then everything still waits. */
  bringIn(): void {
    const round = (this.#round ??= this.#begin());
    const { sliceMax } = this.#bounds;
    const rows = round.rows.slice(round.rowIndex, round.rowIndex + sliceMax).filter(([id, row]) => this.rows.get(id) === row);
    const counters = round.counters
      .slice(round.counterIndex, round.counterIndex + sliceMax)
      .filter(([id, one]) => this.counters.get(id) === one);
    const isLast = round.rowIndex + sliceMax >= round.rows.length && round.counterIndex + sliceMax >= round.counters.length;
    let leftCount = this.#entriesCount;
    this.#transaction(() => {
      for (const [, row] of rows) this.#writeRow(row);
      for (const [, counter] of counters) this.#writeCounter(counter);
      leftCount = this.#refer(sliceMax);
      if (isLast) this.#statements.clear.run(round.throughId);
    });
    for (const [id] of rows) this.rows.delete(id);
    for (const [id] of counters) this.counters.delete(id);
    this.#entriesCount = leftCount;
    round.rowIndex += sliceMax;
    round.counterIndex += sliceMax;
    if (isLast && leftCount === 0) this.#round = undefined;
  }

  /** Brings in everything that waits. */
  bringInAll(): void {
    while (!this.isEmpty) this.bringIn();
  }

  #begin(): Round {
    const byId = (left: readonly [string, unknown], right: readonly [string, unknown]): number => (left[0] < right[0] ? -1 : 1);
    return {
      rows: [...this.rows].sort(byId),
      counters: [...this.counters].sort(byId),
      throughId: this.#lastId,
      rowIndex: 0,
      counterIndex: 0,
    };
  }

  /** Makes the next entries findable by call and session; says how many still wait. */
  #refer(entriesMax: number): number {
    if (this.#entriesCount === 0) return 0;
    const { referredThrough, refer, referCalls, referSessions } = this.#statements;
    const fromId = Number(referredThrough.get()?.["id"]);
    const throughId = fromId + Math.min(entriesMax, this.#entriesCount);
    referCalls.run(fromId, throughId);
    referSessions.run(fromId, throughId);
    refer.run(String(throughId));
    return this.#entriesCount - (throughId - fromId);
  }

  #writeRow({ key, version, text, dueMs }: ChangedRow): void {
    if (version === 0) this.#statements.deleteRow.run(key.space, key.tenant, key.key);
    else this.#statements.putRow.run(key.space, key.tenant, key.key, version, text, dueMs ?? null);
  }

  #writeCounter({ key, value, dueMs }: ChangedCounter): void {
    this.#statements.putCounter.run(key.space, key.tenant, key.key, value, dueMs ?? null);
  }

  #transaction(work: () => void): void {
    const { begin, commit, rollback } = this.#statements;
    begin.run();
    try {
      work();
      commit.run();
    } catch (cause) {
      rollback();
      throw cause;
    }
  }

  /** Takes up what an earlier process left waiting. `lastSeq` is that of the last entry. */
  takeUp(changes: Changes, lastId: number, lastSeq: number): void {
    for (const [id, row] of changes.rows) this.rows.set(id, row);
    for (const [id, counter] of changes.counters) this.counters.set(id, counter);
    this.#lastId = lastId;
    this.#entriesCount = Math.max(0, lastSeq - Number(this.#statements.referredThrough.get()?.["id"]));
  }
}

interface Statements {
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: () => void;
  readonly log: StatementSync;
  readonly clear: StatementSync;
  readonly putRow: StatementSync;
  readonly deleteRow: StatementSync;
  readonly putCounter: StatementSync;
  readonly referredThrough: StatementSync;
  readonly refer: StatementSync;
  readonly referCalls: StatementSync;
  readonly referSessions: StatementSync;
}

// Columns are named, because a newer schema that still serves this program may have more.
function prepare(db: DatabaseSync): Statements {
  return {
    begin: db.prepare("begin immediate"),
    commit: db.prepare("commit"),
    rollback: () => {
      if (db.isTransaction) db.exec("rollback");
    },
    log: db.prepare("insert into changes(id, body) values(?, ?)"),
    clear: db.prepare("delete from changes where id <= ?"),
    putRow: db.prepare(`insert into rows(space, tenant, key, version, body, due_ms) values(?, ?, ?, ?, ?, ?)
      on conflict do update set version = excluded.version, body = excluded.body, due_ms = excluded.due_ms`),
    deleteRow: db.prepare("delete from rows where space = ? and tenant = ? and key = ?"),
    putCounter: db.prepare(`insert into counters(space, tenant, key, value, due_ms) values(?, ?, ?, ?, ?)
      on conflict do update set value = excluded.value, due_ms = coalesce(excluded.due_ms, due_ms)`),
    referredThrough: db.prepare("select cast(value as integer) as id from meta where name = 'referred-through'"),
    refer: db.prepare("update meta set value = ? where name = 'referred-through'"),
    referCalls: db.prepare(
      "insert or ignore into entry_calls(call_id, id) select call_id, id from entries where id > ? and id <= ? and call_id is not null order by 1, 2",
    ),
    referSessions: db.prepare(
      "insert or ignore into entry_sessions(session_id, id) select session_id, id from entries where id > ? and id <= ? and session_id is not null order by 1, 2",
    ),
  };
}
