/** Row `ledger-flat`: p50 of a durable call on a store whose ledger holds a million entries of real shape, over the same on an empty one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { EntryDraft, Unit } from "../../src/store/store.ts";
import { callName, openDurableBox, type DurableBox } from "../durable-call.ts";
import { atMost, isQuick, median, print } from "../measure.ts";

const entriesCount = isQuick ? 100_000 : 1_000_000;
const roundsCount = 16;
const callsCount = 200;
const folder = mkdtempSync(join(tmpdir(), "signalbox-bench-"));

/** Entries of one real call, to be written again under other ids. */
async function pattern(path: string): Promise<readonly EntryDraft[]> {
  const units: Unit[] = [];
  const durable = await openDurableBox(path, 1, (unit) => units.push(unit));
  await durable.call(1, 0);
  await durable.box.close();
  return units.flatMap((unit) => unit.entries).filter((draft) => draft.callId !== undefined);
}

async function fill(path: string, drafts: readonly EntryDraft[]): Promise<void> {
  const store = await openSqliteStore({ path, clock: systemClock });
  const shapes = drafts.map(({ tenant, kind, atMs, body, sealed }) => ({ tenant, kind, atMs, body, sealed }));
  const perUnit = 500;
  for (let from = 0; from < entriesCount; from += perUnit) {
    const entries = Array.from({ length: perUnit }, (_, index) => {
      const call = Math.floor((from + index) / shapes.length);
      return {
        ...(shapes[index % shapes.length] as (typeof shapes)[number]),
        callId: callName(call),
        sessionId: `ses_${callName(Math.floor(call / 100))}`,
      };
    });
    await store.commit({ operations: [], entries });
  }
  await store.close();
}

async function p50(durable: DurableBox, from: number): Promise<number> {
  const samples: number[] = [];
  for (let index = 0; index < callsCount; index += 1) {
    const startedMs = performance.now();
    await durable.call(from + index, 0);
    samples.push(performance.now() - startedMs);
  }
  return median(samples);
}

try {
  const path = join(folder, "long.db");
  await fill(path, await pattern(join(folder, "pattern.db")));
  const long = await openDurableBox(path, 1);
  const empty = await openDurableBox(join(folder, "empty.db"), 1);
  const ratios: number[] = [];
  const [longs, empties]: [number[], number[]] = [[], []];
  for (let round = 0; round < roundsCount; round += 1) {
    const base = round * callsCount;
    const [emptyMs, longMs] = [await p50(empty, base), await p50(long, base)];
    if (round === 0) continue;
    longs.push(longMs);
    empties.push(emptyMs);
    ratios.push(longMs / emptyMs);
  }
  await long.box.close();
  await empty.box.close();
  print({
    rows: [
      atMost(
        "ledger-flat",
        median(ratios),
        "× empty",
        1.2,
        `${median(longs).toFixed(3)} ms after ${entriesCount} entries, ${median(empties).toFixed(3)} ms empty`,
      ),
    ],
    notMeasured: [
      ...(isQuick ? ["ledger-flat: quick, 100,000 entries instead of a million"] : []),
      "ledger-flat: 10 million entries; trails and verification of a long ledger",
    ],
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
