import { Agent, request as httpRequest } from "node:http";

/** Connections stay open, so that a request can leave in the turn of the event loop in which it is made. */
const agent = new Agent({ keepAlive: true });

/** Posts JSON and gives the answer. `onSent` is told as soon as the whole request has been handed to the operating system. */
export function directPost(request: {
  readonly url: string;
  readonly key: string;
  readonly body: object;
  readonly signal: AbortSignal;
  readonly onSent: () => void;
}): Promise<unknown> {
  const { url, key, body, signal, onSent } = request;
  const headers = { "content-type": "application/json", "idempotency-key": key };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method: "POST", agent, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString("utf8"))));
    });
    outgoing.on("error", reject);
    outgoing.on("finish", onSent);
    outgoing.end(JSON.stringify(body));
  });
}

/** Closes the connections that nobody uses. */
export function closeDirect(): void {
  agent.destroy();
}
