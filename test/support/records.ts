import { verifyLedger } from "../../src/ledger/verify.ts";
import type { Signalbox } from "../../src/call/box/box.ts";

/** Everything that a box has written to its ledger for anybody to read, as one text. */
export async function ledgerText(box: Signalbox): Promise<string> {
  return (await box.store.entries({ limit: 100_000 })).map((entry) => `${entry.kind} ${entry.callId ?? ""} ${entry.text}`).join("\n");
}

/** Whether the ledger of a box proves itself; its checkpoints are not asked for. */
export async function ledgerHolds(box: Signalbox): Promise<{ readonly ok: boolean; readonly problems: readonly unknown[] }> {
  const { ok, problems } = await verifyLedger(box.store, { publicKeys: [] });
  const others = problems.filter((problem) => problem.kind !== "unsigned");
  return { ok: ok || others.length === 0, problems: others };
}
