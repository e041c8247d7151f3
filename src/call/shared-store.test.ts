import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shop, shopBox } from "../../test/support/box.ts";
import { whileTimePasses } from "../../test/support/shared-world.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { openKeyFile } from "../ledger/key-file.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { startTestServer, type TestServer } from "../store/postgres.fixture.ts";
import { createSignalbox } from "./box/signalbox.ts";

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "signalbox-shared-"));
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test("two boxes on one database share keys, approvals and sessions, and one ledger that verifies", async () => {
  const store = (await server.newDatabase()) as `postgres://${string}`;
  const keys = join(folder, "keys");
  const made = shop();
  const first = await shopBox({ store, keys, shop: made });
  const second = await shopBox({ store, keys, shop: made, clock: first.clock });
  const small = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, key: "k" };
  const answers = await whileTimePasses(first, Promise.all([first.turn.call(small), second.turn.call(small)]));
  expect(made.refunds).toHaveLength(1);
  expect(answers.map(({ outcome }) => outcome.kind)).toEqual(["completed", "completed"]);
  expect(answers[0]?.callId).toBe(answers[1]?.callId);

  const asked = await first.turn.call({ tool: "order.refund", arguments: { orderId: "A-2", amount: 80 } });
  const { answer } = await second.box.approvals.decide(approvalIdOf(asked), { approve: true, by: "eve" }, lead);
  expect(answer?.outcome.kind).toBe("completed");
  expect(made.refunds).toHaveLength(2);

  await first.box.stopSession(first.session.id, "acme", "over");
  const same = await second.box.resume(first.session.id, { ...lead, id: "library" });
  expect(codeOf(await same.turn().call({ tool: "order.get", arguments: { orderId: "A-1" } }))).toBe("SESSION_STOPPED");
  await Promise.all([first.box.checkpoint(), second.box.checkpoint()]);
  const keyring = await openKeyFile({ path: keys, clock: systemClock, random: systemRandom });
  expect(await verifyLedger(second.box.store, { publicKeys: keyring.publicKeys })).toMatchObject({ ok: true, unsignedTail: 0 });
  expect(new Set((await second.box.store.writers()).map(({ writer }) => writer)).size).toBe(2);
  await first.box.close();
  await second.box.close();
});

test("a box that starts beside a live one leaves that one's running calls alone", async () => {
  const store = (await server.newDatabase()) as `postgres://${string}`;
  const keys = join(folder, "keys-2");
  const made = shop();
  made.script = ["hang"];
  const first = await shopBox({ store, keys, shop: made });
  const hanging = first.turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 20 }, key: "k" });
  hanging.catch(() => undefined);
  while (made.script.length > 0) await first.box.store.writers();
  const second = await shopBox({ store, keys, shop: made, clock: first.clock });
  expect(await second.box.recover()).toMatchObject({ resumed: 0, unknown: 0 });
  expect(made.refunds).toHaveLength(0);
  await second.box.close();
  await first.clock.advance(60_000);
  await hanging;
  await first.box.close();
});

test("a shared store needs keys that are shared too", async () => {
  await expect(createSignalbox({ store: "postgres://nobody@127.0.0.1:1/none" })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("`keys`") as string,
  });
});
