import { argumentsText } from "../../standard-call.ts";
import { openHttpClient, type HttpClient } from "./http-client.ts";

/** An MCP session of 2025-06-18 with a gateway, over several connections. */
export interface McpSession {
  /** One `tools/call` on one of the connections; rejects unless the upstream's result comes back. */
  call(index: number, connectionIndex: number): Promise<void>;
  close(): void;
}

/** How a gateway is spoken to. */
export interface Spoken {
  readonly port: number;
  readonly toolName: string;
}

const base =
  "authorization: Bearer bench-key-0000000000000000000\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n";
const version = "mcp-protocol-version: 2025-06-18\r\n";

/** Opens a session: the handshake, one look at the tools, and the connections. */
export async function openSession({ port, toolName }: Spoken, connectionsCount: number): Promise<McpSession> {
  const clients: HttpClient[] = [];
  for (let index = 0; index < connectionsCount; index += 1) clients.push(openHttpClient(port, "/mcp"));
  const [first] = clients as [HttpClient];
  const hello = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } };
  const greeted = await first.post(base, JSON.stringify({ jsonrpc: "2.0", id: "hello", method: "initialize", params: hello }));
  if (greeted.status !== 200) throw new Error(`no session: ${greeted.status} ${greeted.body}`);
  const id = /\r\nmcp-session-id: *(\S+)/.exec(greeted.headers)?.[1];
  const headers = `${base}${version}${id === undefined ? "" : `mcp-session-id: ${id}\r\n`}`;
  await first.post(headers, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
  const listed = await first.post(headers, JSON.stringify({ jsonrpc: "2.0", id: "list", method: "tools/list" }));
  if (!listed.body.includes(`"${toolName}"`)) throw new Error(`no tool ${toolName}: ${listed.body.slice(0, 300)}`);
  return {
    async call(index, connectionIndex) {
      const body = `{"jsonrpc":"2.0","id":${index},"method":"tools/call","params":{"name":"${toolName}","arguments":${argumentsText(index)}}}`;
      const answer = await (clients[connectionIndex] as HttpClient).post(headers, body);
      if (!answer.body.includes('"structuredContent":{"status":"ok"')) throw new Error(`not the result: ${answer.body.slice(0, 300)}`);
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}
