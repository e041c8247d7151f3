/**
 * Notices by webhook, signed as the Standard Webhooks specification says: `webhook-id`, `webhook-timestamp` and `webhook-signature` (`v1,` and the
 * base64 HMAC-SHA256 of `id.timestamp.body`). Requests leave through the same guard as those of tools; redirects are not followed.
 */
import { createHmac } from "node:crypto";
import { Pool } from "undici";
import { isoTime } from "../base/clock.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Delivery, Notice, NoticePort } from "../domain/notice.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { EgressRefused, refuseUrl, type EgressPolicy } from "./egress.ts";
import { egressOf } from "./http-check.ts";
import { exchange } from "./http-exchange.ts";
import { createGuardedConnector } from "./ssrf-guard.ts";

/** Where notices are posted, and what they are signed with. */
export interface WebhookOptions {
  /** The whole address. Its host is the only one that is ever asked. */
  readonly url: string;
  /** Reference to the signing key, such as `secret://env/WEBHOOK_KEY`: `whsec_` and base64 of 24 to 64 bytes. */
  readonly secret: string;
  /** Exact `host:port` that may be asked although the address is private, or without TLS. Default none. */
  readonly allowPrivate?: readonly string[];
}

/** Why an address may not be posted to; undefined where it may. */
export function webhookProblem(options: WebhookOptions): string | undefined {
  if (!URL.canParse(options.url)) return "it is no URL";
  return refuseUrl(new URL(options.url), egressFor(options));
}

/** Posts notices to one address. Throws `CONFIG_INVALID` where it may not be asked. */
export function webhook(options: WebhookOptions, limits: Limits = defaultLimits): NoticePort {
  const problem = webhookProblem(options);
  if (problem !== undefined) throw toolCallError("CONFIG_INVALID", `notices cannot be posted to \`${options.url}\`: ${problem}`);
  return new Webhook(options, limits);
}

function egressFor({ url, allowPrivate }: WebhookOptions): EgressPolicy {
  return egressOf({ method: "POST", url, ...(allowPrivate !== undefined && { allowPrivate }) });
}

class Webhook implements NoticePort {
  readonly name = "webhook";
  readonly #options: WebhookOptions;
  readonly #limits: Limits;
  readonly #url: URL;
  readonly #pool: Pool;

  constructor(options: WebhookOptions, limits: Limits) {
    this.#options = options;
    this.#limits = limits;
    this.#url = new URL(options.url);
    const connect = createGuardedConnector({ allow: egressFor(options), limits });
    this.#pool = new Pool(this.#url.origin, { connections: limits.noticesAtOnceMax, connect, maxHeaderSize: limits.headerBytesMax });
  }

  async deliver(notice: Notice, { signal, nowMs, secret }: Parameters<NoticePort["deliver"]>[1]): Promise<Delivery> {
    const key = keyOf(await secret(this.#options.secret));
    if (key === undefined)
      return { kind: "failed", isFinal: false, problem: "the signing key is not `whsec_` and base64 of 24 to 64 bytes" };
    const { id, type, tenant, atMs, data } = notice;
    const body = JSON.stringify({ type, timestamp: isoTime(atMs), data: { tenant, ...data } });
    const timestamp = String(Math.floor(nowMs / 1_000));
    const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    const headers = {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    };
    try {
      const response = await exchange({
        dispatcher: this.#pool,
        request: { url: this.#url, method: "POST", headers, body },
        signal,
        timeoutMs: this.#limits.noticeTimeoutMs,
        bodyBytesMax: () => this.#limits.errorBodyBytesMax,
        onSend: () => {},
      });
      const { status } = response;
      if (status >= 200 && status < 300) return { kind: "delivered" };
      // Gone says that nobody listens here any more; everything else may be mended meanwhile.
      return { kind: "failed", isFinal: status === 410, problem: `it answered with status ${status}` };
    } catch (cause) {
      return { kind: "failed", isFinal: false, problem: cause instanceof EgressRefused ? cause.message : "it could not be reached" };
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

function keyOf(secret: string): Buffer | undefined {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  const key = text === undefined ? undefined : Buffer.from(text, "base64");
  return key !== undefined && key.length >= 24 && key.length <= 64 ? key : undefined;
}
