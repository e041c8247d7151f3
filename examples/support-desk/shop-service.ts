import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ShopDatabase } from "./shop-database.ts";

/** The shop's HTTP service: what Signalbox acts on. It misbehaves where the story needs it, the way real services do. */
export interface ShopService {
  readonly url: string;
  close(): Promise<void>;
}

interface Asked {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  readonly key: string;
}

/** Answers: a status with a body; `hang` never answers; `drop` does the work and loses the reply. */
type Reply = readonly [status: number, body: unknown] | "hang" | "drop";

/** Starts the service on loopback. Port 0 picks a free one. */
export async function startShop(shop: ShopDatabase, options: { readonly port: number; readonly token: string }): Promise<ShopService> {
  const server = createServer((request, response) => {
    void serve(shop, options.token, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(shop: ShopDatabase, token: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== `Bearer ${token}`) {
    send(response, 401, { error: "no valid token" });
    return;
  }
  const url = new URL(request.url ?? "/", "http://shop");
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const reply = answer(shop, {
    method: request.method ?? "GET",
    path: url.pathname.split("/").slice(1).map(decodeURIComponent),
    query: url.searchParams,
    body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    key: String(request.headers["idempotency-key"] ?? ""),
  });
  if (reply === "hang") return;
  if (reply === "drop") response.destroy();
  else send(response, reply[0], reply[1]);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function answer(shop: ShopDatabase, asked: Asked): Reply {
  const [collection, id, part] = asked.path;
  switch (`${asked.method} ${collection ?? ""}${part === undefined ? "" : `/*/${part}`}`) {
    case "GET orders":
      return id === undefined ? [200, shop.ordersOf(asked.query.get("customer") ?? "")] : found(shop.order(id));
    case "GET products/*/reviews":
      return [200, shop.review(id ?? "")];
    case "GET products/*/stock":
      return "hang";
    case "POST orders/*/refunds":
      return refund(shop, id ?? "", asked);
    case "POST orders/*/pickups":
      // The parcel service takes the booking, then the line drops before the reply arrives.
      shop.bookPickup({ orderId: id ?? "", day: String(asked.body["day"]), key: asked.key });
      return "drop";
    case "GET pickups":
      return found(shop.pickupByKey(id ?? ""));
    case "POST mails":
      shop.sendMail({ to: String(asked.body["to"]), text: String(asked.body["text"]) });
      return [200, { sent: true }];
    default:
      return [404, { error: "no such thing" }];
  }
}

function found(row: unknown): Reply {
  return row === undefined ? [404, { error: "no such record" }] : [200, row];
}

function refund(shop: ShopDatabase, orderId: string, asked: Asked): Reply {
  const done = shop.refund({ orderId, amount: Number(asked.body["amount"]), key: asked.key });
  if (done === "unknown-order") return [404, { error: "no such order" }];
  if (done === "too-much") return [422, { error: "more than was paid" }];
  return [200, { refunded: done.amount, order: done.orderId, currency: "EUR" }];
}
