import { Pool } from "undici";
import type { Limits } from "../base/limits.ts";
import type { HealthCheck, HealthCheckOptions } from "../domain/health-check.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { refuseUrl, type EgressPolicy } from "./egress.ts";
import { egressOf } from "./http-check.ts";
import { exchange } from "./http-exchange.ts";
import { createGuardedConnector } from "./ssrf-guard.ts";

/** Why an address may not be asked; undefined where it may. */
export function healthCheckProblem(options: HealthCheckOptions): string | undefined {
  if (!URL.canParse(options.url)) return "it is no URL";
  return refuseUrl(new URL(options.url), egressFor(options));
}

/** Asks one address whether a source is well, through the same guard as the requests of tools. Throws `CONFIG_INVALID` where it may not be asked. */
export function httpHealthCheck(options: HealthCheckOptions, limits: Limits): HealthCheck {
  const problem = healthCheckProblem(options);
  if (problem !== undefined) throw toolCallError("CONFIG_INVALID", `\`${options.url}\` cannot be asked for health: ${problem}`);
  const url = new URL(options.url);
  const connect = createGuardedConnector({ allow: egressFor(options), limits });
  const pool = new Pool(url.origin, { connections: 1, connect, maxHeaderSize: limits.headerBytesMax });
  return {
    async ask(signal) {
      try {
        const { status } = await exchange({
          dispatcher: pool,
          request: { url, method: "GET", headers: { accept: "*/*" }, body: undefined },
          signal,
          timeoutMs: limits.healthCheckTimeoutMs,
          bodyBytesMax: () => limits.errorBodyBytesMax,
          onSend: () => {},
        });
        return status >= 200 && status < 400;
      } catch {
        // Whatever the transport says, there was no answer.
        return signal.aborted ? undefined : false;
      }
    },
    close: () => pool.destroy(),
  };
}

function egressFor({ url, allowPrivate }: HealthCheckOptions): EgressPolicy {
  return egressOf({ method: "GET", url, ...(allowPrivate !== undefined && { allowPrivate }) });
}
