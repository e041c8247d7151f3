import { systemClock } from "../../src/base/clock.ts";
import { createIdSource } from "../../src/base/ids.ts";
import { resolveLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { functionConnector } from "../../src/connectors/function.ts";
import { httpConnector } from "../../src/connectors/http.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import type { Connector, RegisteredTool } from "../../src/domain/tool.ts";
import { createApiKeys } from "../../src/gateway/api-keys.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { createJsonLogger } from "../../src/gateway/log.ts";
import { sharedVerifier } from "../../src/gateway/ledger-verifier.ts";
import { openKeyFile } from "../../src/ledger/key-file.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { completeTool } from "../../src/registry/complete.ts";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { agentKey, leadKey } from "./credentials.ts";
import { closeDirect, directPost } from "./direct-post.ts";

/**
 * A real gateway over SQLite, or over PostgreSQL where `STORE_URL` says so, as a process to be killed. `KILL_AT` names a point of the journey at which it kills itself, after `KILL_AFTER`
 * passages: around the durable commits of each kind of entry, and around the connector. Nothing in `src/` knows of this. What is wrong inside is
 * told on standard error, one line each. SIGTERM stops it in order.
 */
const { STORE_PATH = "", STORE_URL = "", ANCHOR_PATH = "", COUNTER_URL = "", KILL_AT = "", KILL_AFTER = "0" } = process.env;

let passages = 0;
function pass(point: string): void {
  if (point !== KILL_AT) return;
  passages += 1;
  if (passages > Number(KILL_AFTER)) process.kill(process.pid, "SIGKILL");
}

function watched(store: Store): Store {
  return {
    ...store,
    async commit(unit) {
      const kinds = new Set(unit.entries.map((entry) => entry.kind));
      for (const kind of kinds) pass(`before-${kind}`);
      const result = await store.commit(unit);
      for (const kind of kinds) pass(`after-${kind}`);
      return result;
    },
  };
}

function bracketed(connector: Connector): Connector {
  return {
    kind: connector.kind,
    async execute(args, execution) {
      pass("before-execute");
      const result = await connector.execute(args, execution);
      pass("after-execute");
      return result;
    },
    close: async () => await connector.close?.(),
  };
}

/** Short waits, so that what a kill leaves open is settled within the test; bounds of volume out of the way. */
const changedLimits = {
  attemptTimeoutMs: 1_000,
  // A shared database that starts again takes its time, which counts too.
  executeDeadlineMs: STORE_URL === "" ? 2_500 : 5_000,
  retryBaseMs: 20,
  reconcileSettleMs: 300,
  rateCallsPerMinute: 1_000_000,
  rateBurstCalls: 1_000_000,
  sessionCallsMax: 1_000_000,
  sessionExecutionMsMax: 1_000_000_000,
  approvalsPendingMax: 10_000,
  approvalAsksPerMinuteMax: 100_000,
  deferralsPendingMax: 10_000,
  // Where others want the processors too, everything is late: no handler is to blame, and no call is turned away.
  loopBlockedMs: 60_000,
  loopDelayMs: 60_000,
  checkpointEntriesMax: 200,
  upkeepIntervalMs: STORE_URL === "" ? 400 : 300,
  writerLeaseMs: 2_000,
};
const { limits } = resolveLimits(changedLimits);
const parts = { clock: systemClock, limits };
const allowPrivate = [new URL(COUNTER_URL).host];

function effectTool(name: string, idempotency: "key" | "lookup" | "none", connector: Connector): RegisteredTool {
  return {
    tool: completeTool(
      {
        name,
        tier: "irreversible",
        description: `Has an effect (${name}).`,
        inputSchema: { type: "object", properties: { order: { type: "string" } }, required: ["order"] },
        idempotency,
        lookupTool: idempotency === "lookup" ? "effect.find" : undefined,
      },
      limits,
    ),
    connector: bracketed(connector),
  };
}

/** A tool as a function of this process. Its request leaves at once: in the same turn of the event loop as the gate, when that does not wait. */
function direct(path: string): Connector {
  return functionConnector((args, { key, signal }) =>
    directPost({ url: `${COUNTER_URL}${path}`, key, body: args, signal, onSent: () => pass("after-send") }),
  );
}

const effects: readonly RegisteredTool[] = [
  effectTool("effect.keyed", "key", httpConnector({ method: "POST", url: `${COUNTER_URL}/keyed`, allowPrivate }, parts)),
  effectTool("effect.looked", "lookup", httpConnector({ method: "POST", url: `${COUNTER_URL}/looked`, allowPrivate }, parts)),
  effectTool("effect.opaque", "none", direct("/opaque")),
];

const find: RegisteredTool = {
  tool: completeTool(
    {
      name: "effect.find",
      tier: "read",
      description: "Look up what became of a key.",
      inputSchema: { type: "object", properties: { key: { type: "string" } }, required: ["key"] },
    },
    limits,
  ),
  connector: httpConnector({ method: "GET", url: `${COUNTER_URL}/lookup/{key}`, allowPrivate }, parts),
};

const store: Store =
  STORE_URL === ""
    ? await openSqliteStore({ path: STORE_PATH, clock: systemClock })
    : await openPostgresStore({ connectionString: STORE_URL, clock: systemClock, random: systemRandom, limits });
const keyring = await openKeyFile({ path: `${STORE_PATH}.keys`, clock: systemClock, random: systemRandom });
const box = await createSignalbox({
  store: watched(store),
  keys: keyring,
  limits: changedLimits,
  anchors: [{ kind: "file", path: ANCHOR_PATH }],
  tools: [...effects, find],
  policy: {
    roles: { tester: ["effect.*"] },
    rules: [
      { id: "later", on: effects.map(({ tool }) => tool.name), when: 'args.order.startsWith("later-")', effect: "defer", for: "1s" },
      { id: "no-questions", on: "effect.*", when: '!args.order.matches("^(later-)?(ask|plan)-")', effect: "allow", waives: "tier" },
    ],
  },
  onTrouble: ({ kind, where, note }) => void process.stderr.write(`${kind} in ${where}: ${note}\n`),
});
const credential = { tenant: "t", administers: false, words: "attested" as const, authenticatedAtMs: undefined };
const gateway = createGateway({
  box,
  keys: createApiKeys(
    [
      { credential: { ...credential, id: "agent", actsFor: ["*"], approves: [] }, key: agentKey },
      { credential: { ...credential, id: "lead", actsFor: [], approves: ["approver"] }, key: leadKey },
    ],
    parts,
  ),
  listen: { host: "127.0.0.1", port: 0 },
  hosts: [],
  limits,
  clock: systemClock,
  ids: createIdSource(systemClock, systemRandom),
  logger: createJsonLogger({ write: () => undefined, ...parts }),
  verifier: sharedVerifier(
    async () => ({ ...(await verifyLedger(box.store, { publicKeys: keyring.publicKeys })) }) as unknown as JsonObject,
  ),
  version: "test",
});

// It ends with whoever started it, and for the rest by itself: a process that lingers after SIGTERM is a fault.
process.stdin.on("end", () => process.exit(1)).resume();
process.once("SIGTERM", () => {
  const stop = async (): Promise<void> => {
    await gateway.close();
    await box.close();
    closeDirect();
    process.stdin.destroy();
  };
  void stop();
});
await gateway.start();
process.stdout.write(`${JSON.stringify({ address: gateway.address })}\n`);
