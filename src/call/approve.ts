import { approvalCovers } from "../approvals/approvals.ts";
import { cleanForPeople } from "../approvals/card.ts";
import { boundOf, wideningCovers, wideningKey, type Widening } from "../approvals/widening.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Decision } from "../domain/decision.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Does a person have to answer first, or a time to come? A call that wakes under a given approval has just been judged again; the approval must still cover exactly
 * what would run now, otherwise it is void and, if the policy still asks, somebody is asked anew.
 */
export function approve(state: CallState): Verdict | Promise<Verdict> {
  const { approval, registered, runtime } = state;
  const decision = state.decision as Decision;
  if (decision.effect === "defer") return { kind: "suspend", decision };
  if (decision.effect !== "ask") return proceed;
  if (approval === undefined) return askUnlessWidened(state, decision);
  const gap = approvalCovers(approval.approval, {
    toolFingerprint: (registered as NonNullable<typeof registered>).tool.fingerprint,
    effectiveDigest: state.effectiveDigest,
    decision,
    nowMs: runtime.clock.now(),
  });
  if (gap === undefined) {
    const edited = approval.approval.edited;
    if (edited !== undefined) state.notices.push(changedWords(edited.pointers));
    return proceed;
  }
  state.notices.push(`the earlier approval no longer fits: ${gap}`);
  return { kind: "suspend", decision };
}

function changedWords(pointers: readonly string[]): string {
  const names = pointers.map((pointer) => `\`${cleanForPeople(pointer, fixedBounds.shownPathCharsMax)}\``).join(", ");
  return `a person changed ${names} before this ran; the result is that of the changed call`;
}

/** A person may have said yes to this target for the whole session. The gate holds the call to that yes being there still. */
async function askUnlessWidened(state: CallState, decision: Decision): Promise<Verdict> {
  const { runtime, session, registered, args } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const bound = boundOf(tool, args);
  if (bound === undefined) return { kind: "suspend", decision };
  const key = wideningKey({ tenant: session.principal.tenant, sessionId: session.id, tool: tool.name }, bound);
  const [row] = await runtime.store.read([key]);
  if (row === undefined) return { kind: "suspend", decision };
  const widening = row.body as unknown as Widening;
  if (wideningCovers(widening, { tool, bound, decision, nowMs: runtime.clock.now() }) !== undefined) return { kind: "suspend", decision };
  state.widening = { key, version: row.version };
  const reason = {
    rule: `widened:${widening.approval.id}`,
    effect: "allow",
    reason: "a person said yes to this target for the whole session",
  } as const;
  state.decision = { ...decision, effect: "allow", ask: undefined, notify: true, reasons: [...decision.reasons, reason] };
  return proceed;
}
