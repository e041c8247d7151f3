/**
 * No gateway at all: parses the request, sends it on through a pool, parses the answer and sends that back. It governs nothing and checks nothing; it says how
 * far any gateway on Node's own HTTP server could come.
 */
import { createServer } from "node:http";
import { Pool } from "undici";

const [port = "0", url = ""] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const pool = new Pool(origin, { connections: 64 });
const passedOn = ["content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name"];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()));
    const headers: Record<string, string> = {};
    for (const name of passedOn) {
      const value = request.headers[name];
      if (typeof value === "string") headers[name] = value;
    }
    void pool.request({ path: pathname, method: "POST", headers, body }).then(async (answer) => {
      const text = JSON.stringify(JSON.parse(await answer.body.text()));
      response.writeHead(answer.statusCode, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      response.end(text);
    });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), "127.0.0.1");
