import { systemClock } from "../src/base/clock.ts";
import type { Signalbox } from "../src/call/box/box.ts";
import type { Tier } from "../src/domain/tool.ts";
import { createSignalbox } from "../src/call/box/signalbox.ts";
import { entryText } from "../src/store/seal.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import type { Operation, Store, Unit } from "../src/store/store.ts";
import type { RawCall, RawWrite } from "./floors/sqlite.ts";
import { caller, expectResult, modelMessage, standardOptions, standardTool } from "./standard-call.ts";
import type { BoxSession } from "../src/call/box/box-session.ts";

/** A box on a SQLite file whose standard tool is irreversible, waived by a rule, and takes an idempotency key. */
export interface DurableBox {
  readonly box: Signalbox;
  readonly sessions: readonly BoxSession[];
  /** One call in the session of a caller; rejects unless the tool's result came back. */
  call(index: number, sessionIndex: number): Promise<void>;
}

/** Opens it with a session for each caller. `watch` may look at every unit that is committed. */
export async function openDurableBox(
  path: string,
  sessionsCount: number,
  watch?: (unit: Unit) => void,
  run?: () => unknown,
): Promise<DurableBox> {
  const store = await openSqliteStore({ path, clock: systemClock });
  return openDurableBoxOn(
    watch === undefined ? store : watched(store, watch),
    `${path}.keys`,
    sessionsCount,
    run === undefined ? {} : { run },
  );
}

/**
 * Opens it on a store that is open, with its keys in a file. The box closes the store. `run` answers instead of the standard result, `tier` says what kind of
 * tool it is instead.
 */
export async function openDurableBoxOn(
  store: Store,
  keys: string,
  sessionsCount: number,
  { run, tier = "irreversible" }: { readonly run?: () => unknown; readonly tier?: Tier } = {},
): Promise<DurableBox> {
  const box = await createSignalbox({ ...standardOptions(standardTool(tier, run)), store, keys });
  const sessions: BoxSession[] = [];
  for (let index = 0; index < sessionsCount; index += 1) sessions.push(await box.session(caller));
  return {
    box,
    sessions,
    async call(index, sessionIndex) {
      expectResult(await (sessions[sessionIndex] as BoxSession).turn().answer("openai-chat", modelMessage(index)));
    },
  };
}

function watched(store: Store, watch: (unit: Unit) => void): Store {
  return {
    ...store,
    commit(unit) {
      watch(unit);
      return store.commit(unit);
    },
  };
}

/** The rows that one call really writes, taken from a call: what the floors write must be what the product writes. */
export async function captureRows(path: string): Promise<RawCall> {
  const units: Unit[] = [];
  let isOn = false;
  const durable = await openDurableBox(path, 1, (unit) => {
    if (isOn) units.push(unit);
  });
  await durable.call(1, 0);
  isOn = true;
  await durable.call(2, 0);
  isOn = false;
  await durable.box.close();
  const [gate, settle] = units;
  if (gate === undefined || settle === undefined || units.length !== 2) throw new Error(`a call makes two units, found ${units.length}`);
  const callId = gate.entries[0]?.callId ?? "";
  const versions = new Map<string, number>();
  const names = { callId, sessionId: gate.entries[0]?.sessionId ?? "", versions };
  return { gate: writesOf(gate, names), settle: writesOf(settle, names) };
}

interface Names {
  readonly callId: string;
  readonly sessionId: string;
  readonly versions: Map<string, number>;
}

function writesOf(unit: Unit, names: Names): RawWrite[] {
  const writes = unit.operations.flatMap((operation) => rowWrite(operation, names));
  for (const draft of unit.entries) {
    const text = entryText({ writer: names.callId, epoch: 1, seq: 1_000_000 }, draft);
    writes.push({ kind: "entry", entry: draft.kind, text, sealed: draft.sealed ?? new Uint8Array() });
  }
  return writes;
}

function rowWrite(operation: Operation, { callId, sessionId, versions }: Names): RawWrite[] {
  const { space, key } = operation.key;
  // Keys that hold a digest differ from call to call as well; the call's name stands for its beginning.
  const called = space === "meaning" ? `${key.slice(0, -64)}#${key.slice(-64 + callId.length)}` : key.replace(callId, "#");
  const name = called.replace(sessionId, "@");
  const id = `${space}/${name}`;
  switch (operation.op) {
    case "expect":
      return [];
    case "delete":
      return [{ kind: "delete", space, key: name }];
    case "add":
      return [{ kind: "counter", space, key: name, delta: operation.delta }];
    case "put": {
      const version = (versions.get(id) ?? 0) + 1;
      versions.set(id, version);
      return [{ kind: "row", space, key: name, version, body: JSON.stringify(operation.body), dueMs: operation.dueMs ?? null }];
    }
  }
}

/** A number as long as a call's id, so that keys have the length of real ones. */
export function callName(index: number): string {
  return `call_${String(index).padStart(26, "0")}`;
}

/** Bytes of a unit as one text. */
export function bytesOf(writes: readonly RawWrite[]): string {
  return writes
    .map((write) =>
      write.kind === "entry"
        ? `${write.text}${"x".repeat(write.sealed.length)}${write.entry}${callName(0)}${callName(0)}`
        : JSON.stringify(write),
    )
    .join("");
}
