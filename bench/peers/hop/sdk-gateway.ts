/**
 * A gateway on the current official SDK, MCP 2026-07-28 on both sides: its handler for HTTP, which makes a server for each request, and one client. Two ways,
 * by the third argument: `server` forwards with the low-level server, which the SDK's documents name for gateways; `mcp-server` registers each tool of the
 * upstream with the high-level one, which they name for everything else. It governs nothing.
 */
import { createServer } from "node:http";
import { Client, StreamableHTTPClientTransport, type CallToolResult, type Tool } from "@modelcontextprotocol/client";
import { toNodeHandler, type NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { createMcpHandler, fromJsonSchema, McpServer, Server, type JsonSchemaType } from "@modelcontextprotocol/server";

const [port = "0", upstream = "", way = "server"] = process.argv.slice(2);
const about = { name: "sdk-gateway", version: "1.0.0" };
const client = new Client(about, { versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(new URL(upstream)));
const { tools } = await client.listTools();
const registered = tools.map((tool: Tool) => ({
  tool,
  inputSchema: fromJsonSchema<Record<string, unknown>>(tool.inputSchema as JsonSchemaType),
}));

function forwarding(): Server {
  const server = new Server(about, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", ({ params }) => client.listTools(params));
  server.setRequestHandler("tools/call", ({ params }) => client.callTool({ name: params.name, arguments: params.arguments ?? {} }));
  return server;
}

function registering(): McpServer {
  const server = new McpServer(about);
  for (const { tool, inputSchema } of registered) {
    const forward = (args: Record<string, unknown>): Promise<CallToolResult> => client.callTool({ name: tool.name, arguments: args });
    server.registerTool(tool.name, { description: tool.description ?? "", inputSchema }, forward);
  }
  return server;
}

const handler = toNodeHandler(createMcpHandler(way === "mcp-server" ? registering : forwarding));
const http = createServer((request, response) => void handler(request as NodeIncomingMessageLike, response));
http.keepAliveTimeout = 60_000;
http.listen(Number(port), "127.0.0.1");
