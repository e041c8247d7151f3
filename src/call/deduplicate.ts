import type { Decision } from "../domain/decision.ts";
import type { Row } from "../store/store.ts";
import type { MeaningClaim } from "./keys.ts";
import { standing } from "./replay.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * The duplicate guard: a model that issues the same meaning again under a new call id (the same conversation, tool and arguments) joins the earlier call
 * while that is running, waiting or unknown; after it completed, a person is asked within the duplicate window.
 */
export function deduplicate(state: CallState): Verdict | Promise<Verdict> {
  return state.meaningRow === undefined ? proceed : compareWith(state, state.meaningRow);
}

async function compareWith(state: CallState, meaningRow: Row): Promise<Verdict> {
  const { runtime, session, decision } = state;
  const claim = meaningRow.body as unknown as MeaningClaim;
  if (claim.callId === state.callId) return proceed;
  const isSettled = claim.state === "completed" || claim.state === "failed" || claim.state === "rejected";
  const isOld = runtime.clock.now() - claim.atMs > runtime.limits.duplicateWindowMs;
  if (isSettled && isOld) return proceed;
  // A failure that is still noted here had its effect all the same: without one, settling frees the meaning.
  if (claim.state !== "completed" && claim.state !== "failed") {
    const outcome = await standing(state, claim, claim.key);
    // Another agent of the conversation may have made it, and then this one reads it for the first time.
    const { tool } = state.registered as NonNullable<CallState["registered"]>;
    await runtime.flow.noteGiven({ session, callId: claim.callId, tool }, outcome);
    return { kind: "stop", outcome };
  }
  state.decision = askAboutDuplicate(decision as Decision, claim.callId);
  return proceed;
}

function askAboutDuplicate(decision: Decision, earlierCallId: string): Decision {
  if (decision.effect === "deny" || decision.effect === "defer") return decision;
  return {
    ...decision,
    effect: "ask",
    reasons: [
      ...decision.reasons,
      { rule: "duplicate", effect: "ask", reason: `the same call was already done in this conversation as \`${earlierCallId}\`` },
    ],
    ask: decision.ask ?? { gate: "approval", approvers: ["approver"], quorum: 1, needsFreshAuthentication: false },
  };
}
