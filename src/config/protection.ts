import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Tool } from "../domain/tool.ts";
import type { Protection } from "../resilience/guards.ts";
import { about, list, mapped, object, optional, required, text, whole, type Shape } from "./shape.ts";

const untilMs = whole({ min: 1, max: fixedBounds.configSpanMsMax });
const counted = whole({ min: 1, max: fixedBounds.configCountMax });

/** Without the members that were left out, so that a definition that says nothing stays as it is. */
function said<Settings extends object>(settings: Settings): { [name in keyof Settings]?: Exclude<Settings[name], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [name in keyof Settings]?: Exclude<Settings[name], undefined>;
  };
}

/** `breaker:` of a tool or source. */
export const breakerShape: Shape<NonNullable<Tool["breaker"]>> = about(
  "When it is left alone because it keeps failing.",
  mapped(
    object({
      failures: optional(about("Consecutive failures that open it. Default: the limit `breakerFailures`.", counted)),
      openMs: optional(about("Open for so long. Default: the limit `breakerOpenMs`.", untilMs)),
      probes: optional(about("Calls that try whether it is well again. Default: the limit `breakerProbes`.", counted)),
    }),
    said,
  ),
);

/** `bulkhead:` of a tool or source. */
export const bulkheadShape: Shape<NonNullable<Tool["bulkhead"]>> = about(
  "How many calls it takes at once.",
  mapped(
    object({
      concurrent: optional(about("Calls at the same time. Default: `toolConcurrentMax` or `sourceConcurrentMax`.", counted)),
      queue: optional(
        about("Calls that may wait. Default: the limit `bulkheadQueueMax`.", whole({ min: 0, max: fixedBounds.configCountMax })),
      ),
      waitMs: optional(about("Longest wait of one call. Default: the limit `bulkheadWaitMs`.", untilMs)),
    }),
    said,
  ),
);

/** `hedge:` of a read. */
export const hedgeShape: Shape<NonNullable<Tool["hedge"]>> = about(
  "A read that takes long is asked a second time; the first answer wins.",
  mapped(object({ afterMs: optional(about("Default: what 95 % of its answers took.", untilMs)) }), said),
);

/** `cache:` of a read. */
export const cacheShape: Shape<NonNullable<Tool["cache"]>> = about(
  "Results may be given again to the same user, until a write of the source.",
  mapped(object({ ttlMs: required(about("For so long.", untilMs)) }), ({ ttlMs }) => (ttlMs === undefined ? undefined : { ttlMs })),
);

const healthCheckShape: Shape<NonNullable<Protection["healthCheck"]>> = about(
  "It is asked whether it is well, beside what calls find; bad answers open its breaker, good ones close it.",
  mapped(
    object({
      url: required(about("Asked with GET, without credentials; 200 to 399 is well.", text())),
      everyMs: optional(
        about(
          "Between two questions. Default: the limit `healthCheckMs`.",
          whole({ min: fixedBounds.healthCheckMsMin, max: fixedBounds.configSpanMsMax }),
        ),
      ),
      allowPrivate: optional(about("Exact `host:port` that may be asked although the address is private, or without TLS.", list(text()))),
    }),
    ({ url, ...rest }) => (url === undefined ? undefined : { url, ...said(rest) }),
  ),
);

/** What may be said of one source under `upstreams:`. */
export const protectionShape: Shape<Protection> = mapped(
  object({ breaker: optional(breakerShape), bulkhead: optional(bulkheadShape), healthCheck: optional(healthCheckShape) }),
  said,
);
