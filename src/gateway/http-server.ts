import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Limits } from "../base/limits.ts";
import type { ListenConfig } from "../config/document.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { malformedAnswer } from "./replies.ts";

/** A server of `node:http` with every bound of the limit table set; what is no HTTP is answered and cut off. */
export function httpServer(limits: Limits, onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      requestTimeout: limits.requestTimeoutMs,
      headersTimeout: Math.min(limits.requestTimeoutMs, 15_000),
      connectionsCheckingInterval: Math.min(1_000, limits.requestTimeoutMs),
      keepAliveTimeout: limits.keepAliveMs,
      insecureHTTPParser: false,
      noDelay: true,
    },
    onRequest,
  );
  server.maxConnections = limits.connectionsMax;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === "ECONNRESET") {
      socket.destroy();
      return;
    }
    const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
    socket.end(malformedAnswer(status), () => socket.destroy());
  });
  return server;
}

/** Listens; rejects with `CONFIG_INVALID` and the mend. */
export function listenOn(server: Server, listen: ListenConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const why =
        cause.code === "EADDRINUSE"
          ? "another program listens there already"
          : cause.code === "EACCES"
            ? "this user may not listen there"
            : "the address cannot be had";
      reject(
        toolCallError(
          "CONFIG_INVALID",
          `cannot listen on \`${listen.host}:${listen.port}\`: ${why}; name another with \`listen\` or SIGNALBOX_LISTEN`,
          { cause },
        ),
      );
    };
    server.once("error", failed);
    server.listen(listen.port, listen.host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

/** Where a server is reached, as an address. */
export function addressOf(address: AddressInfo | string | null, host: string): string | undefined {
  if (address === null || typeof address === "string") return undefined;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}
