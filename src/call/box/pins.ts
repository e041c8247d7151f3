import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import { toolAdmitted, toolQuarantined, toolWithdrawn } from "../../ledger/pin-entries.ts";
import type { EntryDraft, Row, RowKey, Store } from "../../store/store.ts";

/** One definition that was seen, as it came, and its digest. */
export interface SeenDefinition {
  readonly digest: string;
  readonly definition: JsonObject;
}

/** What is kept of a tool of a source: the definition that a person or a policy admitted, and the one that waits. */
export interface PinBody {
  readonly admitted: (SeenDefinition & { readonly by: string; readonly atMs: number }) | null;
  readonly waiting: (SeenDefinition & { readonly sinceMs: number }) | null;
  /** The source no longer offers it. */
  readonly isWithdrawn: boolean;
}

/** A pin with the version of its row. */
export interface Pin {
  readonly body: PinBody;
  readonly version: number | "absent";
}

/** Which tool a pin is of. */
export interface PinKey {
  /** As the registry names it: `source.tool`. */
  readonly tool: string;
  readonly source: string;
}

/** Pins in the store, so that what was reviewed once is known on every replica and after a restart. Each change is a ledger entry in the same unit. */
export interface Pins {
  readAll(keys: readonly PinKey[]): Promise<readonly Pin[]>;
  /** Every tool of a source that ever had a pin, with its pin. */
  ofSource(source: string): Promise<readonly { readonly tool: string; readonly pin: Pin }[]>;
  /** False when somebody else changed it meanwhile. */
  admit(key: PinKey, pin: Pin, admitted: SeenDefinition & { readonly by: string }): Promise<boolean>;
  quarantine(key: PinKey, pin: Pin, waiting: SeenDefinition): Promise<boolean>;
  withdraw(key: PinKey, pin: Pin): Promise<boolean>;
  /** The admitted definition is offered again, as it was. */
  restore(key: PinKey, pin: Pin): Promise<boolean>;
}

const space = "pin";
const absent: Pin = { body: { admitted: null, waiting: null, isWithdrawn: false }, version: "absent" };

/** Pins over a store. */
export function createPins({ store, now }: { readonly store: Store; readonly now: () => number }): Pins {
  async function put(key: PinKey, pin: Pin, change: { readonly body: PinBody; readonly entries: readonly EntryDraft[] }): Promise<boolean> {
    const body = change.body as unknown as Json;
    const result = await store.commit({
      operations: [{ op: "put", key: rowKey(key.tool), body, expect: pin.version }],
      entries: change.entries,
    });
    return result.kind === "committed";
  }
  const factsOf = (
    key: PinKey,
    digest: string,
  ): {
    readonly place: { readonly tenant: ""; readonly atMs: number };
    readonly tool: string;
    readonly source: string;
    readonly digest: string;
  } => ({
    place: { tenant: "", atMs: now() },
    ...key,
    digest,
  });
  return {
    async readAll(keys) {
      const rows = await store.read(keys.map(({ tool }) => rowKey(tool)));
      return rows.map((row) => (row === undefined ? absent : pinOf(row)));
    },
    async ofSource(source) {
      const prefix = `${source}.`;
      const found: { tool: string; pin: Pin }[] = [];
      for (let after: string | undefined; ;) {
        const rows = await store.scan({ space, tenant: "", prefix, limit: fixedBounds.scanRowsMax, ...(after !== undefined && { after }) });
        found.push(...rows.map((row) => ({ tool: row.key, pin: pinOf(row) })));
        if (rows.length < fixedBounds.scanRowsMax) return found;
        after = rows[rows.length - 1]?.key;
      }
    },
    admit(key, pin, { digest, definition, by }) {
      const previous = pin.body.admitted?.digest;
      const body: PinBody = { admitted: { digest, definition, by, atMs: now() }, waiting: null, isWithdrawn: false };
      return put(key, pin, { body, entries: [toolAdmitted({ ...factsOf(key, digest), previous, by })] });
    },
    quarantine(key, pin, { digest, definition }) {
      const previous = pin.body.admitted?.digest;
      const body: PinBody = { ...pin.body, waiting: { digest, definition, sinceMs: now() }, isWithdrawn: false };
      return put(key, pin, { body, entries: [toolQuarantined({ ...factsOf(key, digest), previous })] });
    },
    withdraw(key, pin) {
      const digest = pin.body.waiting?.digest ?? pin.body.admitted?.digest ?? "";
      return put(key, pin, { body: { ...pin.body, waiting: null, isWithdrawn: true }, entries: [toolWithdrawn(factsOf(key, digest))] });
    },
    restore(key, pin) {
      const { admitted } = pin.body;
      const entries =
        admitted === null ? [] : [toolAdmitted({ ...factsOf(key, admitted.digest), previous: admitted.digest, by: admitted.by })];
      return put(key, pin, { body: { admitted, waiting: null, isWithdrawn: false }, entries });
    },
  };
}

function rowKey(tool: string): RowKey {
  return { space, tenant: "", key: tool };
}

function pinOf(row: Row): Pin {
  return { body: row.body as unknown as PinBody, version: row.version };
}
