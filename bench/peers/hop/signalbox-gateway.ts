/**
 * Our gateway in front of the same upstream, with all it has: API key, 20 rules, labels, ledger, log lines. Given a path the store is a SQLite file and the
 * tool irreversible, so that intent and outcome are on disk before the answer; else it is memory and the tool a read.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { createIdSource } from "../../../src/base/ids.ts";
import { resolveLimits } from "../../../src/base/limits.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { createSignalbox } from "../../../src/call/box/signalbox.ts";
import type { McpReach } from "../../../src/connectors/mcp/options.ts";
import { mcpSource } from "../../../src/connectors/mcp/source.ts";
import { createApiKeys } from "../../../src/gateway/api-keys.ts";
import { createGateway } from "../../../src/gateway/gateway.ts";
import { sharedVerifier } from "../../../src/gateway/ledger-verifier.ts";
import { createJsonLogger } from "../../../src/gateway/log.ts";
import { createMcpFace } from "../../../src/gateway/mcp/face.ts";
import { caller, otherTools, standardOptions, standardTool } from "../../standard-call.ts";

const [port = "0", upstream = "", path] = process.argv.slice(2);
const options = standardOptions(standardTool("read"));
const { limits } = resolveLimits(options.limits);
const source = mcpSource(
  { name: "order", reach: reachOf(upstream) },
  { clock: systemClock, random: systemRandom, limits, environment: {} },
);
const box = await createSignalbox({
  ...options,
  tools: otherTools(),
  sources: [{ source, tier: path === undefined ? "read" : "irreversible", admit: "all" }],
  // Nobody here asks for what cannot be undone, which the flow rules would have a person answer; they trace and record, and do not stop it.
  ...(path !== undefined && { store: `sqlite:${path}`, keys: `${path}.keys`, flow: { mode: "observe" } }),
});
const credential = {
  id: "agent",
  tenant: caller.tenant,
  actsFor: caller.roles,
  approves: [],
  administers: false,
  words: "claimed",
  authenticatedAtMs: undefined,
} as const;
const gateway = createGateway({
  box,
  keys: createApiKeys([{ credential, key: "bench-key-0000000000000000000" }], { limits, clock: systemClock }),
  listen: { host: "127.0.0.1", port: Number(port) },
  hosts: [],
  limits,
  clock: systemClock,
  ids: createIdSource(systemClock, systemRandom),
  logger: createJsonLogger({ write: () => undefined, clock: systemClock, limits }),
  verifier: sharedVerifier(() => Promise.resolve({ ok: true })),
  version: "0.0.0",
  mcp: createMcpFace({
    box,
    users: new Map([["agent", caller]]),
    stateKey: new Uint8Array(32),
    limits,
    clock: systemClock,
    version: "0.0.0",
    onFault: (cause) => console.error(cause),
  }),
});
await gateway.start();

/** An upstream is the address of a server, or a program of Node that speaks over its standard streams. */
function reachOf(given: string): McpReach {
  if (!given.startsWith("http:")) return { kind: "stdio", command: [process.execPath, given] };
  return { kind: "http", url: given, allowPrivate: [new URL(given).host] };
}
