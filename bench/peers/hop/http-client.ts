import { connect, type Socket } from "node:net";

/** One keep-alive connection that asks one thing at a time: the leanest client there is, so that all gateways are loaded by the same little. */
export interface HttpClient {
  /** Posts a body; resolves with the status, the headers as text in lower case, and the body of the answer. */
  post(headers: string, body: string): Promise<HttpAnswer>;
  close(): void;
}

/** What came back. A stream of events is read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

const idleMsMax = 1_000;

/** A client of a port of this machine. One that was idle connects anew, since gateways close idle connections, each after a time of its own. */
export function openHttpClient(port: number, path: string): HttpClient {
  let exchange: Exchange | undefined;
  let usedMs = 0;
  return {
    async post(headers, body) {
      if (exchange === undefined || performance.now() - usedMs > idleMsMax) {
        exchange?.close();
        exchange = exchangeOn(await connected(port));
      }
      const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
      const answer = await exchange.send(head + body);
      usedMs = performance.now();
      return answer;
    },
    close: () => exchange?.close(),
  };
}

interface Exchange {
  send(text: string): Promise<HttpAnswer>;
  close(): void;
}

function exchangeOn(socket: Socket): Exchange {
  socket.setNoDelay(true);
  let received: Buffer = Buffer.alloc(0);
  let waiting: { readonly resolve: (answer: HttpAnswer) => void; readonly reject: (cause: Error) => void } | undefined;
  const fail = (cause: Error): void => {
    waiting?.reject(cause);
    waiting = undefined;
  };
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the gateway closed the connection")));
  socket.on("data", (data: Buffer) => {
    received = received.length === 0 ? data : Buffer.concat([received, data]);
    const read = readAnswer(received);
    if (read === undefined || waiting === undefined) return;
    received = received.subarray(read.bytesCount);
    const { resolve } = waiting;
    waiting = undefined;
    resolve(read.answer);
  });
  return {
    send: (text) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(text);
      }),
    close: () => void socket.destroy(),
  };
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** The first whole answer of the bytes; `undefined` while it is not whole. */
function readAnswer(bytes: Buffer): { readonly answer: HttpAnswer; readonly bytesCount: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const headers = bytes.toString("latin1", 0, headEnd).toLowerCase();
  const status = Number(headers.slice(9, 12));
  const bodyStart = headEnd + 4;
  const length = /\r\ncontent-length: *(\d+)/.exec(headers)?.[1];
  if (length !== undefined) {
    const end = bodyStart + Number(length);
    return bytes.length < end ? undefined : { answer: { status, headers, body: bytes.toString("utf8", bodyStart, end) }, bytesCount: end };
  }
  if (!headers.includes("transfer-encoding: chunked")) return { answer: { status, headers, body: "" }, bytesCount: bodyStart };
  const chunks: Buffer[] = [];
  for (let at = bodyStart; ;) {
    const sizeEnd = bytes.indexOf("\r\n", at);
    if (sizeEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, sizeEnd), 16);
    const end = sizeEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    if (size === 0) return { answer: { status, headers, body: Buffer.concat(chunks).toString("utf8") }, bytesCount: end + 2 };
    chunks.push(bytes.subarray(sizeEnd + 2, end));
    at = end + 2;
  }
}
