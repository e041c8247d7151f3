import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProcess, type RunningProcess } from "../crash/processes.ts";
import { verifies } from "../verifies.ts";
import { ask, configuration, createSlot, policy, presentProgram, type Reply, type SeenEffect, type Slot } from "./installation.ts";
import { takeOlderProgram, type OlderProgram } from "./older-program.ts";
import { freePorts } from "./program.ts";

let older: OlderProgram;
let folder: string;
let counter: RunningProcess;
let counterHost: string;
let slot: Slot;
beforeAll(async () => {
  older = takeOlderProgram();
  folder = await mkdtemp(join(tmpdir(), "signalbox-update-"));
  counter = startProcess("counter-service.ts", {});
  counterHost = `127.0.0.1:${String((await counter.firstLine)?.["port"])}`;
  const [port = 0] = await freePorts(1);
  const store = `sqlite:${join(folder, "store.db")}`;
  const configPath = join(folder, "signalbox.yaml");
  await writeFile(configPath, configuration({ store, counterHost, rules: JSON.stringify(policy) }));
  slot = createSlot(port, { configPath, store });
});
afterAll(async () => {
  await slot.process?.end();
  counter.signal("SIGKILL");
  await counter.exited;
  await rm(folder, { recursive: true, force: true });
  older.remove();
});

async function call(session: string, order: string): Promise<Reply> {
  return await ask(slot.address, "agent", "/v1/calls", { session, tool: "effect.keyed", arguments: { order }, key: order });
}

function kindOf({ body }: Reply): string | undefined {
  return (body["outcome"] as { readonly kind?: string } | undefined)?.kind;
}

async function effectsOf(order: string): Promise<number> {
  const { effects } = (await (await fetch(`http://${counterHost}/report`)).json()) as { readonly effects: readonly SeenEffect[] };
  return effects.filter((each) => each.order === order).length;
}

/**
 * Makes calls, asks a person, and is killed while a call is under way; then the other program opens the same file: it has taken in the log that the first left
 * beside it, replays, answers for the person, and finishes the call that was under way.
 */
async function killAndGoOn(name: string, from: string, to: string): Promise<void> {
  await slot.start(from);
  const session = String((await ask(slot.address, "agent", "/v1/sessions", { user: "ada", roles: ["tester"] })).body["id"]);
  const made = await call(session, `${name}-made`);
  expect(kindOf(made)).toBe("completed");
  const asked = await call(session, `ask-${name}`);
  const { approvalId } = (asked.body["outcome"] as { readonly waiting: { readonly approvalId: string } }).waiting;
  const broken = call(session, `slow-${name}`).catch(() => undefined);
  await expect.poll(() => effectsOf(`slow-${name}`), { interval: 10, timeout: 20_000 }).toBe(1);
  await slot.process?.end();
  await broken;

  await slot.start(to);
  expect((await call(session, `${name}-made`)).body).toMatchObject({ callId: made.body["callId"], outcome: { kind: "completed" } });
  await expect.poll(async () => kindOf(await call(session, `slow-${name}`)), { timeout: 30_000 }).toBe("completed");
  expect((await ask(slot.address, "lead", `/v1/approvals/${approvalId}/answer`, { approve: true })).status).toBe(200);
  const told = async (): Promise<unknown> => kindOf(await ask(slot.address, "agent", `/v1/calls/${String(asked.body["callId"])}`));
  await expect.poll(told, { timeout: 30_000 }).toBe("completed");
  for (const order of [`${name}-made`, `ask-${name}`, `slow-${name}`]) expect(await effectsOf(order)).toBe(1);
  expect((await ask(slot.address, "operator", "/v1/ledger/verify")).body).toMatchObject({ ok: true });
  slot.process?.signal("SIGTERM");
  expect(await slot.process?.exited).toEqual({ code: 0, signal: null });
}

test(
  verifies("OPS-07", "a file on which the older program was killed is taken over by the present one, and nothing is lost or done twice"),
  () => killAndGoOn("update", older.path, presentProgram),
);

test(verifies("OPS-07", "and the other way round, when an update has to be taken back"), () =>
  killAndGoOn("rollback", presentProgram, older.path),
);
