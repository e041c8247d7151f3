/**
 * Row `mcp-cpu`: CPU of the gateway's process for one `tools/call` of 2026-07-28 over HTTP to an upstream server over HTTP, memory store, over that of a
 * raw proxy between the same client and the same upstream. Client, upstream, floor and gateway are processes of their own.
 */
import { Pool } from "undici";
import { startChild, type Child } from "../mcp/child.ts";
import { atMost, isQuick, median, print } from "../measure.ts";
import { argumentsText } from "../standard-call.ts";

const callersCount = 16;
const roundsCount = isQuick ? 4 : 9;
const callsCount = isQuick ? 1_000 : 4_000;

const texts = Array.from({ length: 256 }, (_, index) => argumentsText(index));
const meta = '{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';

function headersFor(name: string): Record<string, string> {
  return {
    authorization: "Bearer bench-key-0000000000000000000",
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": name,
  };
}

async function load(pool: Pool, name: string): Promise<void> {
  const headers = headersFor(name);
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < callsCount) {
      const index = next++;
      const body = `{"jsonrpc":"2.0","id":${index},"method":"tools/call","params":{"name":"${name}","arguments":${texts[index & 255] as string},"_meta":${meta}}}`;
      const answer = await pool.request({ path: "/mcp", method: "POST", headers, body });
      const text = await answer.body.text();
      if (!text.includes('"structuredContent":{"status":"ok"')) throw new Error(`not the result: ${text.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: callersCount }, one));
}

async function measured(child: Child, pool: Pool, name: string): Promise<number> {
  const before = await child.cpuMicros();
  await load(pool, name);
  return ((await child.cpuMicros()) - before) / callsCount;
}

const upstream = await startChild("./upstream.ts");
const [proxy, gateway] = [
  await startChild("./proxy.ts", [String(upstream.port)]),
  await startChild("./gateway.ts", [String(upstream.port)]),
];
const poolTo = (child: Child): Pool => new Pool(`http://127.0.0.1:${child.port}`, { connections: callersCount });
const [toProxy, toGateway] = [poolTo(proxy), poolTo(gateway)];
const [floors, calls]: [number[], number[]] = [[], []];
try {
  for (let round = 0; round <= roundsCount; round += 1) {
    const floor = await measured(proxy, toProxy, "refund");
    const call = await measured(gateway, toGateway, "order.refund");
    // The first round warms both.
    if (round === 0) continue;
    floors.push(floor);
    calls.push(call);
  }
} finally {
  await Promise.all([toProxy.close(), toGateway.close()]);
  for (const child of [upstream, proxy, gateway]) child.end();
}
const ratios = calls.map((call, index) => call / (floors[index] as number));
print({
  rows: [atMost("mcp-cpu", median(ratios), "× floor", 4, `${median(calls).toFixed(0)} µs a call, floor ${median(floors).toFixed(0)} µs`)],
  notMeasured: ["mcp-cpu: stdio, the eras before 2026-07-28, streams of events, TLS, tools that are no reads"],
});
