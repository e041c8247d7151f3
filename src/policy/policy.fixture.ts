import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";

/** A tool for tests of policies: a read of `crm` unless said otherwise. */
export function testTool(changes: Partial<Tool> = {}): Tool {
  return {
    name: "crm.orders.get",
    version: "1.0.0",
    title: undefined,
    description: "Reads an order.",
    whenToUse: undefined,
    whenNotToUse: undefined,
    examples: [],
    tier: "read",
    isEgress: false,
    inputSchema: { type: "object" },
    outputSchema: undefined,
    argumentRoles: {},
    outputLabels: {},
    source: "crm",
    owner: undefined,
    idempotency: "none",
    lookupTool: undefined,
    isRepeatable: false,
    isSensitive: false,
    runsAs: "user",
    permission: undefined,
    timeouts: { attemptMs: 1_000, executeMs: 2_000, replyMs: 2_000 },
    retry: {
      attempts: 1,
      on: { timeout: "absorb", unavailable: "absorb", "rate-limited": "absorb", rejected: "surface", failed: "surface" },
    },
    fallback: undefined,
    costMicrosUsd: 0,
    ratePerMinute: undefined,
    postcondition: undefined,
    repairsArguments: true,
    isForeign: false,
    deprecated: undefined,
    fingerprint: "0".repeat(64),
    ...changes,
  };
}

/** A user for tests of policies, with the role `support`. */
export function testPrincipal(changes: Partial<Principal> = {}): Principal {
  return { tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "EU" }, ...changes };
}
