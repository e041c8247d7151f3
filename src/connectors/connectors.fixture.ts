import { createSocket, type Socket } from "node:dgram";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Resolver } from "node:dns/promises";
import type { Execution } from "../domain/tool.ts";
import { toolOf } from "../resilience/resilience.fixture.ts";
import type { Lookup } from "./ssrf-guard.ts";

/** What one attempt was told by its connector. */
export interface Watched {
  readonly execution: Execution;
  readonly marks: readonly string[];
  abort(): void;
}

/** An attempt's execution for a connector that is tested without the attempts around it. */
export function watched(changes: Partial<Execution> & { readonly toolChanges?: Parameters<typeof toolOf>[0] } = {}): Watched {
  const controller = new AbortController();
  const marks: string[] = [];
  const { toolChanges, ...rest } = changes;
  return {
    marks,
    abort: () => controller.abort(),
    execution: {
      callId: "call_1",
      key: "key_1",
      signal: controller.signal,
      principal: { tenant: "acme", user: "ada", roles: [], attributes: {} },
      sessionId: "ses_1",
      tool: toolOf(toolChanges ?? {}),
      attempt: 1,
      progress: () => {},
      mark: (progress) => void marks.push(progress),
      secret: async (reference) => `value-of-${reference.split("/").at(-1)}`,
      conceal: () => {},
      ...rest,
    },
  };
}

/** A server on loopback. */
export interface LocalServer {
  readonly server: Server;
  readonly port: number;
  readonly host: string;
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port of loopback where nothing listens. */
export async function closedPort(): Promise<number> {
  const server = await serve(() => {});
  await server.close();
  return server.port;
}

/** A DNS server on loopback whose answers a test gives, one list of IPv4 addresses per query. */
export interface LocalDns {
  /** The system's resolver code, asking this server. */
  readonly lookup: Lookup;
  readonly queries: () => number;
  close(): Promise<void>;
}

export async function serveDns(answer: (query: number) => readonly string[]): Promise<LocalDns> {
  const socket: Socket = createSocket("udp4");
  let queries = 0;
  socket.on("message", (query, from) => {
    queries += 1;
    socket.send(dnsReply(query, answer(queries)), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return {
    lookup: async (hostname) => (await resolver.resolve4(hostname)).map((address) => ({ address })),
    queries: () => queries,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** RFC 1035: the header with counts, the question as asked, and an A record with a lifetime of 0 per address, its name a pointer to the question. */
function dnsReply(query: Buffer, addresses: readonly string[]): Buffer {
  const questionEnd = query.indexOf(0, 12) + 5;
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  header.writeUInt32BE(0, 8);
  const records = addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]));
  return Buffer.concat([header, query.subarray(12, questionEnd), ...records]);
}
