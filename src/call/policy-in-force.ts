import type { Limits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { policyActivated } from "../ledger/entries.ts";
import { emptyPolicy, type PolicyDocument } from "../policy/document.ts";
import { createPolicyEngine } from "../policy/engine.ts";
import { parsePolicy } from "../policy/parse.ts";
import type { ActivePolicy, Runtime } from "./runtime.ts";

/** A policy ready to decide, from data. `CONFIG_INVALID` with every problem of it. */
export function policyInForce(raw: unknown, limits: Limits): ActivePolicy {
  const document = raw === undefined ? emptyPolicy : readPolicy(raw, limits);
  const { session } = document.budgets;
  return {
    engine: createPolicyEngine(document, { limits }),
    sessionBudget: {
      calls: session.calls ?? limits.sessionCallsMax,
      executionMs: session.executionMs ?? limits.sessionExecutionMsMax,
      costMicrosUsd: session.costMicrosUsd ?? limits.sessionCostMicrosUsdMax,
    },
  };
}

function readPolicy(raw: unknown, limits: Limits): PolicyDocument {
  const parsed = parsePolicy(raw, limits);
  if ("policy" in parsed) return parsed.policy;
  const problems = parsed.problems.map((problem) => `${problem.path === "" ? "policy" : `policy${problem.path}`}: ${problem.message}`);
  throw toolCallError("CONFIG_INVALID", `the policy is not valid: ${problems.join("; ")}`);
}

/** Puts a policy in force and says so in the ledger, unless the very same one is in force already. */
export async function putInForce(runtime: Runtime, policy: ActivePolicy, by: string): Promise<void> {
  const key = { space: "policy", tenant: "", key: "active" };
  const [row] = await runtime.store.read([key]);
  const previous = (row?.body as { readonly version?: string } | undefined)?.version;
  const { version } = policy.engine;
  if (previous !== version) {
    await runtime.store.commit({
      operations: [{ op: "put", key, body: { version, by } }],
      entries: [policyActivated({ place: { tenant: "", atMs: runtime.clock.now() }, version, previous, by })],
    });
  }
  runtime.policy = policy;
}
