import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shop, shopBox } from "../../test/support/box.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { openKeyFile } from "../ledger/key-file.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { systemRandom } from "../base/random.ts";
import { restoreSqlite } from "../store/restore.ts";

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "signalbox-restore-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

test(
  verifies("OPS-07", "a restore opens a new epoch: old sessions are over, pending approvals run nothing, and the chain shows it"),
  async () => {
    const clock = manualClock();
    const place = folder();
    const path = join(place, "box.db");
    const made = shop();
    const first = await shopBox({ store: `sqlite:${path}`, shop: made, clock });
    const asked = await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } });
    await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, key: "k" });
    await first.box.store.backup(join(place, "backup.db"));
    await first.turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
    await first.box.close();
    restoreSqlite({ from: join(place, "backup.db"), to: path, overwrite: true, clock });

    const second = await shopBox({ store: `sqlite:${path}`, shop: made, clock });
    const old = await second.box.resume(first.session.id, { ...lead, id: "library" });
    expect(codeOf(await old.turn().call({ tool: "order.get", arguments: { orderId: "A-1" } }))).toBe("SESSION_STOPPED");
    const { answer } = await second.box.approvals.decide(approvalIdOf(asked), { approve: true, by: "eve" }, lead);
    expect(codeOf(answer)).toBe("SESSION_STOPPED");
    expect(made.refunds).toHaveLength(1);
    expect((await second.turn.call({ tool: "order.get", arguments: { orderId: "A-1" } })).outcome.kind).toBe("completed");
    await second.box.checkpoint();
    const keyring = await openKeyFile({ path: `${path}.keys`, clock, random: systemRandom });
    const verified = await verifyLedger(second.box.store, { publicKeys: keyring.publicKeys });
    expect(verified).toMatchObject({ ok: true });
    expect((await second.box.store.entries({ kind: "ledger-restored", limit: 5 })).map(({ epoch }) => epoch)).toEqual([2]);
    await second.box.close();
  },
);
