import type { Json } from "../domain/json.ts";

/** How a request proves who sends it. The secret is resolved for each attempt and never leaves otherwise. */
export interface HttpAuth {
  /**
   * A secret of the service, such as `secret://env/CRM_TOKEN`, or one of each user: `secret://file/run/secrets/crm/{tenant}/{user}`, where both names stand
   * percent-encoded. For `basic` its value is `user:password`.
   */
  readonly secret: string;
  /** The user's secret is exchanged for a token, which is sent in its place. Only beside a secret of each user. Default: it is sent itself. */
  readonly exchange?: ExchangeOptions;
  /** Where users connect their account: told to the model where a user's secret is missing. */
  readonly connectAt?: string;
  /** `bearer` and `basic` use the `authorization` header; `header` the named one with the bare value. */
  readonly scheme: "bearer" | "basic" | { readonly header: string };
}

/** A token endpoint that exchanges tokens (RFC 8693). */
export interface ExchangeOptions {
  readonly url: string;
  /** Reference to `id:secret` of our client there, each form-encoded (RFC 6749, section 2.3.1). Default: the endpoint knows us otherwise. */
  readonly client?: string;
  readonly audience?: string;
  readonly scope?: string;
  /** What the user's secret is. Default `access_token`. */
  readonly subjectType?: "access_token" | "refresh_token" | "id_token" | "jwt";
  /** Exact `host:port` that may be asked although the address is private, or without TLS. Default none. */
  readonly allowPrivate?: readonly string[];
}

/** One HTTP operation as a tool. */
export interface HttpOptions {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute, with arguments as path segments: `https://api.example.com/orders/{orderId}`. */
  readonly url: string;
  /** Query parameters: a fixed text, or an argument by `{ from: "name" }`. Arguments that are absent are left out, lists are repeated. */
  readonly query?: Readonly<Record<string, string | { readonly from: string }>>;
  /** Headers, the same way. */
  readonly headers?: Readonly<Record<string, string | { readonly from: string }>>;
  /**
   * `rest`: the arguments that path, query and headers do not use, as a JSON object; `none`; or one argument as the whole body.
   * Default `rest` for POST, PUT and PATCH, `none` otherwise.
   */
  readonly body?: "rest" | "none" | { readonly from: string };
  readonly auth?: HttpAuth;
  /** Header that carries the idempotency key; `false` for none. Default `idempotency-key` for everything but GET and HEAD. */
  readonly idempotencyHeader?: string | false;
  /** Statuses that are a success. Default 200 to 299. */
  readonly successStatuses?: readonly number[];
  /** JSON pointer to the part of the answer that is the result. Default the whole. */
  readonly resultPointer?: string;
  /** A success status around an error body (`{"error": …}`, `{"success": false}`). Default `warn`. */
  readonly suspicious?: "warn" | "fail";
  /** Hosts that may be asked, redirects included. Default: the host of `url` alone. */
  readonly egressHosts?: readonly string[];
  /** Exact `host:port` that may be asked although their address is private, or without TLS. Default none. */
  readonly allowPrivate?: readonly string[];
  /** Redirects are followed for GET and HEAD. Default true; other methods never follow. */
  readonly followsRedirects?: boolean;
  /** Said to an upstream that answers with several forms. Default `application/json, text/plain;q=0.5, *\/*;q=0.1`. */
  readonly accept?: string;
  /** Fixed members added to a `rest` body. */
  readonly bodyExtra?: Readonly<Record<string, Json>>;
}
