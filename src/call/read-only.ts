import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { readOnlyTurned } from "../ledger/switch-entries.ts";
import type { Operation, Row, RowKey, Store } from "../store/store.ts";

/** What the read-only switch limits: everything, a tenant, or one session. */
export type ReadOnlyScope =
  | { readonly kind: "all" }
  | { readonly kind: "tenant"; readonly tenant: string }
  | { readonly kind: "session"; readonly tenant: string; readonly sessionId: string };

/** A switch that is on. */
export interface ReadOnlyState {
  readonly scope: ReadOnlyScope;
  readonly reason: string;
  readonly by: string;
  readonly sinceMs: number;
}

/** One turn of the switch. */
export interface ReadOnlyChange {
  readonly scope: ReadOnlyScope;
  readonly isOn: boolean;
  /** For people and the ledger; the model is not told. */
  readonly reason: string;
  readonly by: string;
}

const space = "read-only";

/** Rows of the switches that concern a session: everything, its tenant, itself and the sessions above it. */
export function switchKeys(tenant: string, sessionIds: readonly string[]): readonly RowKey[] {
  return [
    { space, tenant: "", key: "all" },
    { space, tenant, key: "tenant" },
    ...sessionIds.map((id) => ({ space, tenant, key: `session/${id}` })),
  ];
}

function keyOf(scope: ReadOnlyScope): RowKey {
  switch (scope.kind) {
    case "all":
      return { space, tenant: "", key: "all" };
    case "tenant":
      return { space, tenant: scope.tenant, key: "tenant" };
    case "session":
      return { space, tenant: scope.tenant, key: `session/${scope.sessionId}` };
  }
}

/** Whether a switch's row says that it is on. */
export function isSwitchedOn(row: Row | undefined): boolean {
  return (row?.body as { readonly isOn?: boolean } | undefined)?.isOn === true;
}

/** That no switch was turned since the session looked: part of every gate of what is no read. */
export function switchExpectations(
  keys: readonly RowKey[],
  rows: readonly (Row | undefined)[],
): readonly Extract<Operation, { readonly op: "expect" }>[] {
  return keys.map((key, index) => ({ op: "expect", key, version: rows[index]?.version ?? "absent" }));
}

/** Turns a switch and says so in the ledger. What has passed the gate already goes on; nothing but reads passes it from here on. */
export async function turnReadOnly(parts: { readonly store: Store; readonly clock: Clock }, change: ReadOnlyChange): Promise<void> {
  const { scope, isOn, reason, by } = change;
  const key = keyOf(scope);
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const [row] = await parts.store.read([key]);
    const atMs = parts.clock.now();
    const place = { tenant: key.tenant, ...(scope.kind === "session" && { sessionId: scope.sessionId }), atMs };
    const result = await parts.store.commit({
      operations: [{ op: "put", key, body: { isOn, reason, by, atMs }, expect: row?.version ?? "absent" }],
      entries: [readOnlyTurned({ place, scope: scope.kind, isOn, reason, by })],
    });
    if (result.kind === "committed") return;
  }
  throw toolCallError("INTERNAL", "the switch could not be turned: its record keeps changing; try again");
}

/** The switches that are on for a tenant: for everything, for it, for its sessions. */
export async function readOnlyStates(store: Store, tenant: string): Promise<readonly ReadOnlyState[]> {
  const [all] = await store.read([{ space, tenant: "", key: "all" }]);
  const rows = await store.scan({ space, tenant, limit: fixedBounds.readOnlyStatesMax });
  return [...(all === undefined ? [] : [all]), ...rows].filter(isSwitchedOn).map((row) => {
    const { reason, by, atMs } = row.body as unknown as { readonly reason: string; readonly by: string; readonly atMs: number };
    return { scope: scopeOfRow(row), reason, by, sinceMs: atMs };
  });
}

function scopeOfRow({ tenant, key }: Row): ReadOnlyScope {
  if (tenant === "") return { kind: "all" };
  return key === "tenant" ? { kind: "tenant", tenant } : { kind: "session", tenant, sessionId: key.slice("session/".length) };
}
