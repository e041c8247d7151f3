/** The server behind both: answers `tools/call` of 2026-07-28 with the result of the standard call, and lists that one tool. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { result, standardTool } from "../standard-call.ts";
import { report } from "./child.ts";

const { description, inputSchema } = standardTool("read").tool;
const answers: Readonly<Record<string, object>> = {
  "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, resultType: "complete" },
  "tools/list": { tools: [{ name: "refund", description, inputSchema }], resultType: "complete" },
  "tools/call": { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result, resultType: "complete" },
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly id: number; readonly method: string };
    const text = JSON.stringify({ jsonrpc: "2.0", id, result: answers[method] });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => report((server.address() as AddressInfo).port));
