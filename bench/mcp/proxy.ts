/**
 * FLOOR: a gateway that governs nothing. It parses the request, as one that routes by tool must, sends it on with the protocol's headers through a pool,
 * parses the answer and sends that back. Frozen: what it leaves out is what a governed call costs more.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";
import { report } from "./child.ts";

const pool = new Pool(`http://127.0.0.1:${process.argv[2] ?? ""}`, { connections: 64 });
const passedOn = ["content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name"];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()));
    const headers: Record<string, string> = {};
    for (const name of passedOn) headers[name] = String(request.headers[name]);
    void pool.request({ path: "/mcp", method: "POST", headers, body }).then(async (answer) => {
      const text = JSON.stringify(JSON.parse(await answer.body.text()));
      response.writeHead(answer.statusCode, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      response.end(text);
    });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => report((server.address() as AddressInfo).port));
