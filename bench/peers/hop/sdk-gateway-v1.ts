/**
 * A gateway on the first version of the official SDK: its low-level server on its HTTP transport, and its client towards an upstream over HTTP. One transport
 * and server a session; answers are JSON, which is faster than a stream of events. It governs nothing.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [port = "0", upstream = ""] = process.argv.slice(2);
const client = new Client({ name: "sdk-gateway", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(upstream)) as Transport);
const transports = new Map<string, StreamableHTTPServerTransport>();

async function newSession(): Promise<StreamableHTTPServerTransport> {
  const server = new Server({ name: "sdk-gateway", version: "1.0.0" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => client.listTools(params));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => client.callTool(params));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    enableJsonResponse: true,
    onsessioninitialized: (id) => void transports.set(id, transport),
  });
  await server.connect(transport as Transport);
  return transport;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const known = transports.get(String(request.headers["mcp-session-id"]));
  await (known ?? (await newSession())).handleRequest(request, response);
}

const http = createServer((request, response) => void answer(request, response));
http.keepAliveTimeout = 60_000;
http.listen(Number(port), "127.0.0.1");
