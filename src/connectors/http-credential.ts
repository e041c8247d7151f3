import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Execution, Failure, Tool } from "../domain/tool.ts";
import { isUserReference, userReference } from "../secrets/user-reference.ts";
import type { HttpAuth } from "./http-options.ts";
import { isHeaderValue } from "./http-request.ts";
import { TokenExchange } from "./token-exchange.ts";

/** The credential of one attempt, as a header; or why there is none, before anything was sent. */
export type Credential =
  | { readonly kind: "header"; readonly name: string; readonly value: string }
  | { readonly kind: "failure"; readonly failure: Failure };

type Asker = Pick<Execution, "principal" | "secret" | "conceal" | "tool">;

/**
 * What requests of one source prove themselves with: a secret of the service, or one of the user behind the call, as it is or exchanged for a token. Fetched
 * for each attempt, never taken from whoever called us.
 */
export class HttpCredential {
  readonly actsAs: "user" | "service";
  readonly #auth: HttpAuth;
  readonly #tokens: TokenExchange | undefined;

  constructor(auth: HttpAuth, parts: { readonly clock: Clock; readonly limits: Limits }) {
    this.#auth = auth;
    this.actsAs = isUserReference(auth.secret) ? "user" : "service";
    this.#tokens = auth.exchange === undefined ? undefined : new TokenExchange(auth.exchange, parts);
  }

  /** What the user has to do before the call can be made; undefined where nothing is missing, or it is not the user who can mend it. */
  async lacks(asked: Pick<Asker, "principal" | "secret" | "tool">): Promise<string | undefined> {
    if (this.actsAs === "service") return undefined;
    return (await this.#own(asked)) === undefined ? this.#notConnected(asked.tool) : undefined;
  }

  async header(execution: Asker): Promise<Credential> {
    const own = await this.#own(execution);
    if (own === undefined)
      return this.actsAs === "user" ? missing(this.#notConnected(execution.tool)) : failed(unusable(execution.tool), undefined);
    const value = this.#tokens === undefined ? own : await this.#exchanged(this.#tokens, own, execution);
    if (typeof value !== "string") return value;
    return isHeaderValue(value) ? { kind: "header", ...headerOf(this.#auth.scheme, value) } : failed(unusable(execution.tool), undefined);
  }

  /** The upstream did not accept the credential: a token is not used again. What that is for the call of a user; undefined for the service's. */
  async refused(execution: Asker): Promise<Failure | undefined> {
    const own = this.#tokens === undefined ? undefined : await this.#own(execution);
    if (own !== undefined) this.#tokens?.forget(own, execution);
    return this.actsAs === "user" ? lacking(this.#notConnected(execution.tool, "is not accepted there")) : undefined;
  }

  async close(): Promise<void> {
    await this.#tokens?.close();
  }

  /** The secret, of the service or of the user; undefined where there is none. */
  async #own({ principal, secret }: Pick<Asker, "principal" | "secret">): Promise<string | undefined> {
    const reference = this.actsAs === "user" ? userReference(this.#auth.secret, principal) : this.#auth.secret;
    // What is wrong with a secret stays with whoever keeps it; here it is not there.
    return reference === undefined ? undefined : await secret(reference).catch(() => undefined);
  }

  async #exchanged(tokens: TokenExchange, own: string, execution: Asker): Promise<string | Credential> {
    const exchanged = await tokens.token(own, execution);
    switch (exchanged.kind) {
      case "token":
        return exchanged.value;
      case "refused":
        return missing(this.#notConnected(execution.tool, "is no longer accepted"));
      case "misconfigured":
        return failed(unusable(execution.tool), exchanged.cause);
      case "unavailable":
        return {
          kind: "failure",
          failure: {
            kind: "unavailable",
            message: `the credential service of \`${execution.tool.source}\` could not be reached; nothing was sent`,
            effect: "none",
            cause: exchanged.cause,
          },
        };
    }
  }

  #notConnected({ name, source }: Tool, how = "is missing"): string {
    const at = this.#auth.connectAt === undefined ? "" : ` at ${this.#auth.connectAt}`;
    return `\`${name}\` acts with the user's own account at \`${source}\`, and their connection to it ${how}; ask them to connect it${at}, then try again`;
  }
}

function unusable(tool: Tool): string {
  return `\`${tool.name}\` has no usable credential; its operator must mend it`;
}

function failed(message: string, cause: unknown): Credential {
  return { kind: "failure", failure: { kind: "failed", message, effect: "none", cause } };
}

/** One user's lack is no failure of the tool: it opens no breaker, and no fallback stands in for the user. */
function missing(message: string): Credential {
  return { kind: "failure", failure: lacking(message) };
}

function lacking(message: string): Failure {
  return { kind: "rejected", code: "CREDENTIAL_MISSING", message, effect: "none" };
}

function headerOf(scheme: HttpAuth["scheme"], value: string): { readonly name: string; readonly value: string } {
  if (scheme === "bearer") return { name: "authorization", value: `Bearer ${value}` };
  if (scheme === "basic") return { name: "authorization", value: `Basic ${Buffer.from(value, "utf8").toString("base64")}` };
  return { name: scheme.header.toLowerCase(), value };
}
