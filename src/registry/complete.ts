import type { JsonObject } from "../domain/json.ts";
import type { FailureKind, FailurePolicy, Tool } from "../domain/tool.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** What has to be said of a tool; everything else of `Tool` may be left out. */
export interface ToolParts extends Partial<Omit<Tool, "fingerprint" | "timeouts" | "retry">> {
  readonly name: string;
  readonly tier: Tool["tier"];
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly timeouts?: Partial<Tool["timeouts"]> | undefined;
  readonly retry?: { readonly attempts?: number; readonly on?: Partial<Readonly<Record<FailureKind, FailurePolicy>>> } | undefined;
}

/** Which failures are retried inside the call unless a tool says otherwise. */
export const defaultRetryOn: Readonly<Record<FailureKind, FailurePolicy>> = {
  timeout: "absorb",
  unavailable: "absorb",
  "rate-limited": "absorb",
  rejected: "surface",
  failed: "surface",
};

/**
 * A whole tool from what was said of it, with the defaults: version `1.0.0`, source `local`, a `read` is naturally idempotent and anything else not
 * at all, timeouts and attempts from the limits, arguments are repaired. Imports use it with `isForeign: true`.
 */
export function completeTool(parts: ToolParts, limits: Limits = defaultLimits): Tool {
  const definition: Omit<Tool, "fingerprint"> = {
    name: parts.name,
    version: parts.version ?? "1.0.0",
    title: parts.title,
    description: parts.description,
    whenToUse: parts.whenToUse,
    whenNotToUse: parts.whenNotToUse,
    examples: parts.examples ?? [],
    tier: parts.tier,
    isEgress: parts.isEgress ?? false,
    inputSchema: parts.inputSchema,
    outputSchema: parts.outputSchema,
    argumentRoles: parts.argumentRoles ?? {},
    // Absent rather than undefined, so that the fingerprints of tools without any stay what they were.
    ...(parts.narrows !== undefined && { narrows: parts.narrows }),
    ...(parts.asks !== undefined && { asks: parts.asks }),
    outputLabels: parts.outputLabels ?? {},
    ...(parts.redacts !== undefined && { redacts: parts.redacts }),
    source: parts.source ?? "local",
    owner: parts.owner,
    idempotency: parts.idempotency ?? (parts.tier === "read" ? "natural" : "none"),
    lookupTool: parts.lookupTool,
    isRepeatable: parts.isRepeatable ?? false,
    isSensitive: parts.isSensitive ?? false,
    runsAs: parts.runsAs ?? "user",
    permission: parts.permission,
    timeouts: {
      attemptMs: parts.timeouts?.attemptMs ?? limits.attemptTimeoutMs,
      executeMs: parts.timeouts?.executeMs ?? limits.executeDeadlineMs,
      replyMs: parts.timeouts?.replyMs ?? limits.replyDeadlineMs,
      // Absent rather than undefined, so that the fingerprints of tools without one stay what they were.
      ...(parts.timeouts?.idleMs !== undefined && { idleMs: parts.timeouts.idleMs }),
    },
    retry: { attempts: parts.retry?.attempts ?? limits.attemptsMax, on: { ...defaultRetryOn, ...parts.retry?.on } },
    fallback: parts.fallback,
    costMicrosUsd: parts.costMicrosUsd ?? 0,
    ratePerMinute: parts.ratePerMinute,
    // Absent rather than undefined, for the same reason.
    ...(parts.breaker !== undefined && { breaker: parts.breaker }),
    ...(parts.bulkhead !== undefined && { bulkhead: parts.bulkhead }),
    ...(parts.hedge !== undefined && { hedge: parts.hedge }),
    ...(parts.cache !== undefined && { cache: parts.cache }),
    ...(parts.invalidates !== undefined && { invalidates: parts.invalidates }),
    postcondition: parts.postcondition,
    repairsArguments: parts.repairsArguments ?? true,
    isForeign: parts.isForeign ?? false,
    deprecated: parts.deprecated,
  };
  return Object.freeze({ ...definition, fingerprint: fingerprintOf(definition) });
}
