/** A server over HTTP, next to nothing but `node:http`, so that it holds no gateway up. Speaks both eras of MCP and has one tool, which answers the standard result. */
import { createServer } from "node:http";
import { result, standardTool } from "../../standard-call.ts";

const { description, inputSchema } = standardTool("read").tool;
const called = { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result, resultType: "complete" };
const texts = new Map<string | undefined, string>(
  Object.entries({
    initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "upstream", version: "1.0.0" } },
    "server/discover": {
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: {} },
      resultType: "complete",
      ttlMs: 60_000,
      cacheScope: "public",
    },
    "tools/list": {
      tools: [{ name: "refund", description, inputSchema }],
      resultType: "complete",
      ttlMs: 60_000,
      cacheScope: "public",
    },
    "tools/call": called,
  }).map(([method, answer]) => [method, JSON.stringify(answer)]),
);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method !== "POST") return void response.writeHead(405).end();
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly id?: number | string; readonly method?: string };
    if (id === undefined) return void response.writeHead(202).end();
    const answer = texts.get(method);
    const said = answer === undefined ? '"error":{"code":-32601,"message":"no such method"}' : `"result":${answer}`;
    const text = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${said}}`;
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1");
