import { unreachable } from "../base/assert.ts";
import type { Decision } from "../domain/decision.ts";
import type { StageName } from "./stage.ts";
import type { CallState } from "./runtime.ts";

/**
 * One line for people about what a stage did, where it mattered: live views and the event stream show it. Names rules, tools and counts; never an
 * argument, a result or a secret.
 */
export function stageNote(state: CallState, stage: StageName): string | undefined {
  switch (stage) {
    case "decode":
    case "identify":
    case "throttle":
    case "replay":
    case "verify":
      return undefined;
    case "resolve":
      return state.registered === undefined
        ? undefined
        : `${state.registered.tool.name}@${state.registered.tool.version}, tier ${state.registered.tool.tier}`;
    case "validate":
      return state.repairs.length === 0
        ? undefined
        : `repaired ${state.repairs.map((repair) => `${repair.path} (${repair.kind})`).join(", ")}`;
    case "authorize":
      return state.decision === undefined ? undefined : decisionNote(state.decision);
    case "trace":
      return flowNote(state);
    case "deduplicate":
      return state.decision?.reasons.some((reason) => reason.rule === "duplicate") === true
        ? "the same call was done a moment ago: a person is asked"
        : undefined;
    case "approve":
      return state.approval === undefined
        ? state.deferral === undefined
          ? undefined
          : "the time has come for which rules had put it off; judged again"
        : `approved by ${state.approval.approval.answers.map((answer) => answer.by).join(", ")}; judged again`;
    case "admit":
      if (state.cached !== undefined) return `answered from the cache: the result of ${state.cached.callId}`;
      return state.unavailable === undefined ? undefined : "the tool takes no calls now: its fallback answers";
    case "gate":
      return state.registered?.tool.tier === "read" ? undefined : "intent on disk, with key, budget and approval claimed";
    case "execute":
      return state.execution?.kind === "value" && !state.isFallback
        ? `answered in ${Math.max(1, Math.round(state.executedMs))} ms`
        : undefined;
    case "shape":
      return shapeNote(state);
    case "settle":
      return undefined;
    default:
      return unreachable(stage);
  }
}

function decisionNote(decision: Decision): string {
  const telling = decision.reasons.filter((reason) => reason.effect === decision.effect);
  const rules = (telling.length > 0 ? telling : decision.reasons).map((reason) => reason.rule);
  return `${decision.effect} (${[...new Set(rules)].join(", ")})`;
}

function flowNote(state: CallState): string | undefined {
  const rules = (state.decision?.reasons ?? []).filter((reason) => reason.rule.startsWith("flow:")).map((reason) => reason.rule);
  return rules.length === 0 ? undefined : `${state.decision?.effect ?? "allow"} (${[...new Set(rules)].join(", ")})`;
}

function shapeNote(state: CallState): string | undefined {
  const { shaped } = state;
  if (shaped === undefined) return undefined;
  const cut = shaped.cutChars > 0 ? `, ${shaped.cutChars} characters cut` : "";
  return `labelled ${shaped.label.integrity}, ${shaped.label.confidentiality}${cut}`;
}
