import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { loadConfig } from "../../src/config/load.ts";
import { renderProblems } from "../../src/config/problem.ts";
import { serveConfig, type Serving } from "../../src/gateway/serve.ts";
import { deskClient, type StepOutcome } from "./desk-client.ts";
import { mcpServersOf } from "./mcp-clients.ts";
import { createPrinter } from "./printer.ts";
import { openShop } from "./shop-database.ts";
import { startShop } from "./shop-service.ts";

/**
 * The support desk: a shop with a database and an HTTP service of its own, two MCP servers from npm, a Signalbox gateway in front of them, and one recorded
 * conversation played through the gateway over HTTP. Afterwards everything stays up to be tried by hand; `--once` ends instead. Exits with 1 when the story does not go
 * as told. `DESK_PORT`, `SHOP_PORT` and `DESK_STATE` put gateway, shop and state elsewhere than where signalbox.yaml says; port 0 is a free one.
 */
interface Step {
  readonly said: string;
  readonly story: string;
  readonly response: unknown;
  readonly expect: readonly StepOutcome["kind"][];
  readonly then?: "approve" | "reject" | "reconcile";
}

const folder = import.meta.dirname;
const steps = JSON.parse(readFileSync(join(folder, "conversation.json"), "utf8")) as readonly Step[];
const once = process.argv.includes("--once");
const secret = (): string => randomBytes(24).toString("hex");
const keys = { DESK_AGENT_KEY: secret(), DESK_LEAD_KEY: secret(), DESK_AUDITOR_KEY: secret(), SHOP_TOKEN: secret() };
const print = createPrinter(process.stdout);

const state = process.env["DESK_STATE"] ?? join(folder, ".signalbox");
rmSync(state, { recursive: true, force: true });
mkdirSync(state, { recursive: true });
const database = openShop();
const shopPort = process.env["SHOP_PORT"] ?? "7321";
const shop = await startShop(database, { port: Number(shopPort), token: keys.SHOP_TOKEN }).catch(
  stopWith(`port ${shopPort} of the example's shop is taken; end what listens there and start again`),
);
const desk = await startDesk().catch((error: unknown) => stopWith(error instanceof Error ? error.message : "the gateway did not start")());
const client = deskClient({ url: desk.address, agentKey: keys.DESK_AGENT_KEY, leadKey: keys.DESK_LEAD_KEY });
const stopWatching = desk.box.observe(print.event);

print.opening(desk.address, desk.box.tools().length);
let isAsTold = true;
const session = await client.openSession();
for (const [index, step] of steps.entries()) {
  print.step(index + 1, step.story, step.said);
  const outcomes = await client.turn(session, { id: `turn-${index + 1}`, said: step.said }, step.response);
  const kinds = outcomes.map((outcome) => outcome.kind);
  isAsTold &&= kinds.join() === step.expect.join();
  for (const outcome of outcomes) print.answer(outcome);
  if (step.then !== undefined) isAsTold &&= await goOn(step.then, outcomes[0]);
}
isAsTold &&= database.refunds().length === 1 && database.pickups().length === 1 && database.mails().length === 0;
isAsTold &&= readFileSync(join(state, "memory.jsonl"), "utf8").includes("mornings only");
print.books(database);
const verified = await client.verifyLedger(keys.DESK_AUDITOR_KEY);
print.ledger(verified);
isAsTold &&= verified.ok;
stopWatching();

if (!isAsTold) print.wrong();
if (once) await stop(isAsTold ? 0 : 1);
print.next(desk.address, keys, session);
const agentKey = keys.DESK_AGENT_KEY;
print.mcpServers(mcpServersOf({ address: desk.address, agentKey, folder: join(state, "stdio"), configuration: configuration(), keys }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop(isAsTold ? 0 : 1));

/** signalbox.yaml for this shop, this Node.js, and this folder from wherever it is read. */
function configuration(): string {
  return readFileSync(join(folder, "signalbox.yaml"), "utf8")
    .replaceAll("127.0.0.1:7321", new URL(shop.url).host)
    .replaceAll("[node, ../../", `[${JSON.stringify(process.execPath)}, ${join(folder, "../..")}/`)
    .replaceAll("./handbook", join(folder, "handbook"));
}

/** The gateway of that configuration. */
async function startDesk(): Promise<Serving> {
  const path = join(folder, "signalbox.yaml");
  const text = configuration().replaceAll("./.signalbox", state);
  const port = process.env["DESK_PORT"];
  const environment = { ...keys, ...(port !== undefined && { SIGNALBOX_LISTEN: `127.0.0.1:${port}` }) };
  const loaded = await loadConfig({ path, text }, { environment, readFile: (file) => Promise.reject(new Error(`${file} is not needed`)) });
  if ("problems" in loaded) throw new Error(renderProblems(loaded.problems, loaded.texts));
  return await serveConfig(loaded.config, { path, environment, version: packageJson.version, writeLog: () => undefined });
}

/** What a person does about a call that waits or is unknown. Returns whether it went as told. */
async function goOn(then: NonNullable<Step["then"]>, outcome: StepOutcome | undefined): Promise<boolean> {
  if (then === "reconcile") {
    print.person("asks again: the runtime looks it up instead of sending it again");
    const answer = await client.reconcile(session, outcome);
    print.answer(answer);
    return answer.kind === "completed";
  }
  if (outcome?.approvalId === undefined) return false;
  const isYes = then === "approve";
  print.person(isYes ? "team-lead approves" : "team-lead says no: it was refunded a minute ago");
  const answer = await client.decide(outcome.approvalId, isYes, isYes ? undefined : "it was refunded a minute ago");
  print.answer(answer);
  return isYes ? answer.kind === "completed" : answer.kind === "denied";
}

async function stop(code: number): Promise<never> {
  await desk.close();
  await shop.close();
  database.close();
  process.exit(code);
}

function stopWith(message: string): () => never {
  return () => {
    process.stderr.write(`${message}\n`);
    process.exit(1);
  };
}
