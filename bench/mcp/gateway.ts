/** The gateway under test: the whole of it, with API key, journey, memory store, ledger entries and log lines, in front of the same upstream. */
import { systemClock } from "../../src/base/clock.ts";
import { createIdSource } from "../../src/base/ids.ts";
import { resolveLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import { mcpSource } from "../../src/connectors/mcp/source.ts";
import { createApiKeys } from "../../src/gateway/api-keys.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { sharedVerifier } from "../../src/gateway/ledger-verifier.ts";
import { createJsonLogger } from "../../src/gateway/log.ts";
import { createMcpFace } from "../../src/gateway/mcp/face.ts";
import { caller, otherTools, standardOptions, standardTool } from "../standard-call.ts";
import { report } from "./child.ts";

const host = `127.0.0.1:${process.argv[2] ?? ""}`;
const options = standardOptions(standardTool("read"));
const { limits } = resolveLimits(options.limits);
const parts = { clock: systemClock, random: systemRandom, limits, environment: {} };
const source = mcpSource({ name: "order", reach: { kind: "http", url: `http://${host}/mcp`, allowPrivate: [host] } }, parts);
const box = await createSignalbox({ ...options, tools: otherTools(), sources: [{ source, tier: "read", admit: "all" }] });
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
  listen: { host: "127.0.0.1", port: 0 },
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
report(Number(new URL(gateway.address as string).port));
