import { fixedBounds } from "../../base/fixed-bounds.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError, type ToolCallError } from "../../errors/tool-call-error.ts";
import { isShared } from "../../store/shared.ts";
import type { Assembly } from "../box/assemble.ts";
import { isWithin } from "../delegation.ts";
import { outcomeOf, pendingExecution } from "../endings.ts";
import { toolNamed } from "../review/tool-named.ts";

/** The same for a session that reads it: what comes from another session's call restricts that one as if it had made the call itself. */
export async function outcomeForReader(
  parts: Pick<Assembly, "runtime" | "sessions">,
  callId: string,
  credential: Pick<Credential, "id" | "tenant" | "administers" | "sessionId">,
  // The token of a delegated session reads for that session.
  readerId: string | undefined = credential.sessionId,
): Promise<Answer> {
  const answer = await outcomeOfCall(parts, callId, credential);
  if (readerId === undefined || answer.sessionId === readerId) return answer;
  const { runtime, sessions } = parts;
  const session = await sessions.find(readerId, credential.tenant);
  if (session === undefined) return answer;
  const found = toolNamed(runtime.registry, `${answer.tool}@${answer.version ?? ""}`);
  const tool = found ?? { name: answer.tool, source: answer.tool, isEgress: true, outputLabels: {} };
  await runtime.flow.noteGiven({ session, callId, tool }, answer.outcome);
  return answer;
}

/** Where an earlier call of the tenant stands. Calls of other credentials' sessions look absent, except to an administrator. */
export async function outcomeOfCall(
  parts: Pick<Assembly, "runtime" | "sessions">,
  callId: string,
  credential: Pick<Credential, "id" | "tenant" | "administers" | "sessionId">,
): Promise<Answer> {
  const { runtime } = parts;
  const absent = (): ToolCallError => toolCallError("NOT_FOUND", `no call \`${callId.slice(0, 60)}\` here`);
  const entries = await runtime.store.entries({ tenant: credential.tenant, callId, limit: fixedBounds.callEntriesMax });
  const first = entries.find(
    (entry) =>
      entry.kind === "call-intended" || entry.kind === "call-denied" || entry.kind === "call-parked" || entry.kind === "call-deferred",
  );
  if (first === undefined) throw absent();
  const body = (
    parseOwnJson(first.text) as {
      body: { credentialId: string; tool: string; version?: string; traceId?: string; providerCallId?: string; tier?: string };
    }
  ).body;
  if (body.credentialId !== credential.id && !credential.administers) throw absent();
  if (credential.sessionId !== undefined) {
    const session = await parts.sessions.find(first.sessionId ?? "", credential.tenant);
    if (session === undefined || !isWithin(session, credential)) throw absent();
  }
  const base = {
    callId,
    providerCallId: body.providerCallId ?? callId,
    tool: body.tool,
    version: body.version,
    traceId: body.traceId,
    sessionId: first.sessionId ?? "",
  };
  const settled = entries.some((entry) => entry.kind === "call-settled" || entry.kind === "call-denied");
  if (settled) return { ...base, outcome: await runtime.recordedOutcome(credential.tenant, callId) };
  const running = runtime.running.get(callId);
  const waiting = running === undefined ? await runtime.waitingOutcome(credential.tenant, callId) : undefined;
  if (waiting !== undefined) return { ...base, outcome: waiting };
  // The process of a read ended before its result was recorded: nothing happened, and nobody is carrying it out. On a shared store somebody may be.
  if (running === undefined && body.tier === "read" && !isShared(runtime.store))
    return {
      ...base,
      outcome: outcomeOf(
        toolCallError("RESULT_WITHHELD", "the call was cut off before its result was recorded; make it again", { callId }),
      ),
    };
  return { ...base, outcome: pendingExecution(callId, 1_000) };
}
