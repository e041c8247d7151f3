import { argumentsText } from "../../standard-call.ts";
import { openHttpClient, type HttpClient } from "./http-client.ts";

/** An agent's client of a gateway, over several connections. */
export interface McpSession {
  /** One `tools/call` on one of the connections; rejects unless the upstream's result comes back. */
  call(index: number, connectionIndex: number): Promise<void>;
  close(): void;
}

/** How a gateway is spoken to. The revision `2025-06-18` has a handshake and a session, `2026-07-28` has neither. */
export interface Spoken {
  readonly port: number;
  readonly toolName: string;
  readonly revision: "2025-06-18" | "2026-07-28";
}

const base =
  "authorization: Bearer bench-key-0000000000000000000\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n";
const meta =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"}}';

/** Opens the connections; begins with what the revision begins with, and one look at the tools. */
export async function openSession({ port, toolName, revision }: Spoken, connectionsCount: number): Promise<McpSession> {
  const clients: HttpClient[] = [];
  for (let index = 0; index < connectionsCount; index += 1) clients.push(openHttpClient(port, "/mcp"));
  const [first] = clients as [HttpClient];
  const isModern = revision === "2026-07-28";
  const headers = isModern ? `${base}mcp-protocol-version: 2026-07-28\r\n` : await shakeHands(first);
  const listHeaders = isModern ? `${headers}mcp-method: tools/list\r\n` : headers;
  const listed = await first.post(
    listHeaders,
    `{"jsonrpc":"2.0","id":"list","method":"tools/list"${isModern ? `,"params":{${meta}}` : ""}}`,
  );
  if (!listed.body.includes(`"${toolName}"`)) throw new Error(`no tool ${toolName}: ${listed.body.slice(0, 300)}`);
  const callHeaders = isModern ? `${headers}mcp-method: tools/call\r\nmcp-name: ${toolName}\r\n` : headers;
  const rest = isModern ? `,${meta}` : "";
  return {
    async call(index, connectionIndex) {
      const params = `{"name":"${toolName}","arguments":${argumentsText(index)}${rest}}`;
      const body = `{"jsonrpc":"2.0","id":${index},"method":"tools/call","params":${params}}`;
      const answer = await (clients[connectionIndex] as HttpClient).post(callHeaders, body);
      if (!answer.body.includes('"structuredContent":{"status":"ok"')) throw new Error(`not the result: ${answer.body.slice(0, 300)}`);
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

/** The handshake; returns the headers of all further requests of the session. */
async function shakeHands(client: HttpClient): Promise<string> {
  const hello = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } };
  const greeted = await client.post(base, JSON.stringify({ jsonrpc: "2.0", id: "hello", method: "initialize", params: hello }));
  if (greeted.status !== 200) throw new Error(`no session: ${greeted.status} ${greeted.body}`);
  const id = /\r\nmcp-session-id: *(\S+)/.exec(greeted.headers)?.[1];
  const headers = `${base}mcp-protocol-version: 2025-06-18\r\n${id === undefined ? "" : `mcp-session-id: ${id}\r\n`}`;
  await client.post(headers, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
  return headers;
}
