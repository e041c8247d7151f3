import { approvalCovers } from "../approvals/approvals.ts";
import type { Decision } from "../domain/decision.ts";
import { proceed, type CallState, type Verdict } from "./stage.ts";

/**
 * Does a person have to answer first? A call that wakes under a given approval has just been judged again; the approval must still cover exactly
 * what would run now, otherwise it is void and, if the policy still asks, somebody is asked anew.
 */
export function approve(state: CallState): Verdict {
  const { approval, registered, runtime } = state;
  const decision = state.decision as Decision;
  if (decision.effect !== "ask") return proceed;
  if (approval === undefined) return { kind: "suspend", decision };
  const gap = approvalCovers(approval.approval, {
    toolFingerprint: (registered as NonNullable<typeof registered>).tool.fingerprint,
    effectiveDigest: state.effectiveDigest,
    decision,
    nowMs: runtime.clock.now(),
  });
  if (gap === undefined) return proceed;
  state.notices.push(`the earlier approval no longer fits: ${gap}`);
  return { kind: "suspend", decision };
}
