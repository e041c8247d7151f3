import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Limits } from "../../base/limits.ts";
import type { Json } from "../../domain/json.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { policyActivated } from "../../ledger/entries.ts";
import { emptyPolicy, type PolicyDocument } from "../../policy/document.ts";
import { createPolicyEngine } from "../../policy/engine.ts";
import { parsePolicy } from "../../policy/parse.ts";
import { isShared } from "../../store/shared.ts";
import type { Operation, Row, RowKey } from "../../store/store.ts";
import type { ActivePolicy, Runtime } from "../runtime.ts";

/**
 * The policy in force is named in the store, and lies there too, so that a process whose file is broken goes on with it. On a shared one what one process puts in force, the others take over at their next look
 * (`pulse.ts`), and a process that starts with a file that it has seen before goes on with what was put in force since.
 */

/** A policy that is to be put in force. */
export interface PolicyChange {
  readonly policy: ActivePolicy;
  /** The document that it was read from. */
  readonly raw: unknown;
  readonly by: string;
  /** Whether it is the configuration's own; another one lasts, on a shared store, until that file changes. */
  readonly isFile: boolean;
}

interface NamedPolicy {
  readonly version: string;
  readonly by: string;
  /** Version of the configuration's policy when it was last put in force. */
  readonly fileVersion?: string;
}

/** Names the policy in force. */
export const activePolicyKey: RowKey = { space: "policy", tenant: "", key: "active" };
const documentKey: RowKey = { space: "policy", tenant: "", key: "document" };

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
export async function putInForce(runtime: Runtime, change: PolicyChange): Promise<void> {
  const { policy, raw, by, isFile } = change;
  const { version } = policy.engine;
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const [row] = await runtime.store.read([activePolicyKey]);
    const named = namedIn(row);
    const fileVersion = isFile ? version : named?.fileVersion;
    if (named?.version === version && named.fileVersion === fileVersion) break;
    const body = { version, by, ...(fileVersion !== undefined && { fileVersion }) };
    const operations: Operation[] = [{ op: "put", key: activePolicyKey, body, expect: row?.version ?? "absent" }];
    if (runtime.store.survivesRestart) operations.push({ op: "put", key: documentKey, body: { version, document: (raw ?? null) as Json } });
    const entry = policyActivated({ place: { tenant: "", atMs: runtime.clock.now() }, version, previous: named?.version, by });
    const result = await runtime.store.commit({ operations, entries: named?.version === version ? [] : [entry] });
    // Refused: another process was first. What it put in force is looked at before this one follows.
    if (result.kind === "committed") break;
  }
  runtime.policy = policy;
}

/** Puts the configuration's policy in force at a start, or goes on with what was put in force since that file was first seen. */
export async function startPolicy(runtime: Runtime, raw: unknown): Promise<void> {
  const { policy, store } = runtime;
  const [row] = await store.read([activePolicyKey]);
  const isKnown = isShared(store) && namedIn(row)?.fileVersion === policy.engine.version;
  if (isKnown && (await takeOverPolicy(runtime, row))) return;
  await putInForce(runtime, { policy, raw, by: "start", isFile: true });
}

/**
 * Goes on with the policy in force, where the configuration's is broken.
 *
 * @throws ToolCallError `CONFIG_INVALID` where the store holds none that this program can read.
 */
export async function keepPolicy(runtime: Runtime): Promise<void> {
  const [row] = await runtime.store.read([activePolicyKey]);
  if (await takeOverPolicy(runtime, row)) return;
  throw toolCallError("CONFIG_INVALID", "the policy is broken, and the store holds none to go on with; mend the policy");
}

/**
 * Takes over what the store names, where that is another policy than this process's. False where its document is not there.
 *
 * @throws ToolCallError `CONFIG_INVALID` for a document that this program cannot read, such as a newer one's.
 */
export async function takeOverPolicy(runtime: Runtime, row: Row | undefined): Promise<boolean> {
  const version = namedIn(row)?.version;
  if (version === undefined || version === runtime.policy.engine.version) return version !== undefined;
  const [found] = await runtime.store.read([documentKey]);
  const body = found?.body as { readonly version: string; readonly document: Json } | undefined;
  if (body?.version !== version) return false;
  runtime.policy = policyInForce(body.document ?? undefined, runtime.limits);
  return true;
}

function namedIn(row: Row | undefined): NamedPolicy | undefined {
  return row?.body as unknown as NamedPolicy | undefined;
}
