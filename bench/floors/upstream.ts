/** The upstream of row `added-p95`: an HTTP server in a process of its own that answers every POST with the given body after 50 ms. Prints its port. */
import { createServer } from "node:http";

const delayMs = 50;
const body = process.argv[2] ?? "{}";

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    setTimeout(() => {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    }, delayMs);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.stdout.write(`${address.port}\n`);
});
