import { letterKey, letterOf } from "../dead-letters.ts";
import { readOnlyStates, turnReadOnly } from "../read-only.ts";
import type { Row } from "../../store/store.ts";
import type { Runtime } from "../runtime.ts";

const reason = "as many calls are unknown as dead letters may be open; look into them, then lift this";

/**
 * Keeps the queue of each tenant that got letters within `deadLettersMax`. The oldest of which nothing has to be known go first: they stay in the ledger. Unknown
 * calls cannot be forgotten; where they alone are as many, the tenant is limited to reads until somebody has looked, since further writes would only add to them.
 */
export async function boundLetters(runtime: Runtime): Promise<void> {
  const tenants = [...runtime.letterTenants];
  runtime.letterTenants.clear();
  for (const tenant of tenants) {
    try {
      await boundTenant(runtime, tenant);
    } catch (cause) {
      runtime.letterTenants.add(tenant);
      throw cause;
    }
  }
}

async function boundTenant(runtime: Runtime, tenant: string): Promise<void> {
  const { deadLettersMax } = runtime.limits;
  const rows = await allRows(runtime, tenant);
  const forgettable = rows
    .filter((row) => letterOf(row).kind !== "unknown")
    .toSorted((one, other) => letterOf(one).sinceMs - letterOf(other).sinceMs);
  const tooMany = forgettable.slice(0, Math.max(0, rows.length - deadLettersMax));
  // One by one: somebody may be working on one of them.
  for (const { key, version } of tooMany)
    await runtime.store.commit({ operations: [{ op: "delete", key: letterKey(tenant, key), expect: version }], entries: [] });
  if (rows.length - forgettable.length < deadLettersMax) return;
  const states = await readOnlyStates(runtime.store, tenant);
  if (states.some(({ scope }) => scope.kind === "tenant")) return;
  await turnReadOnly(runtime, { scope: { kind: "tenant", tenant }, isOn: true, reason, by: "dead-letters" });
}

async function allRows(runtime: Runtime, tenant: string): Promise<readonly Row[]> {
  const found: Row[] = [];
  const limit = runtime.limits.pageRowsMax;
  for (;;) {
    const after = found.at(-1)?.key;
    const rows = await runtime.store.scan({ space: "dead-letter", tenant, ...(after !== undefined && { after }), limit });
    found.push(...rows);
    if (rows.length < limit) return found;
  }
}
