import { canonicalJson } from "../base/canonical-json.ts";
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Limits } from "../base/limits.ts";
import type { DecisionPoint, PointAnswer, PointRequest } from "../domain/decision-point.ts";
import type { Decision, Reason } from "../domain/decision.ts";
import type { Json } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { matchesTool } from "../policy/glob.ts";

/** What the decision points made of a call: its decision with their reasons, or that one of them could not decide, which denies. */
export type Consulted =
  | { readonly kind: "decided"; readonly decision: Decision }
  | { readonly kind: "broken"; readonly point: string; readonly code: "DECISION_UNAVAILABLE" | "DECISION_FAILED" };

/** The decision points of one box. */
export interface DecisionPoints {
  concern(tool: Tool): boolean;
  /** Asks every point that the tool concerns, at once. They can only deny: what they allow stays what the policy made of it. */
  consult(tool: Tool, request: Omit<PointRequest, "tool">, decision: Decision): Promise<Consulted>;
  close(): Promise<void>;
}

interface Parts {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly secret: (reference: string) => Promise<string>;
  readonly reportFault: (where: string, cause: unknown) => void;
}

interface Kept {
  readonly answer: PointAnswer;
  readonly untilMs: number;
}

/** Decision points that are asked with a time limit and whose answers are kept as long as each says, at most `decisionsCachedMax` of them. */
export function createDecisionPoints(points: readonly DecisionPoint[], parts: Parts): DecisionPoints {
  const kept = new Map<string, Kept>();

  async function ask(point: DecisionPoint, request: PointRequest): Promise<PointAnswer | undefined> {
    const cacheMs = point.cacheMs ?? 0;
    const key = cacheMs > 0 ? `${point.name}/${sha256Hex(canonicalJson(request as unknown as Json))}` : "";
    const known = key === "" ? undefined : kept.get(key);
    if (known !== undefined && parts.clock.monotonic() < known.untilMs) return known.answer;
    const answer = await inTime(point, request);
    if (key !== "" && answer !== undefined && answer.kind !== "garbage") {
      kept.delete(key);
      if (kept.size >= parts.limits.decisionsCachedMax) kept.delete(kept.keys().next().value as string);
      kept.set(key, { answer, untilMs: parts.clock.monotonic() + cacheMs });
    }
    return answer;
  }

  /** A race, so that a point that ignores its signal holds nobody. Undefined: no answer. */
  async function inTime(point: DecisionPoint, request: PointRequest): Promise<PointAnswer | undefined> {
    const controller = new AbortController();
    let giveUp: (() => void) | undefined;
    const late = new Promise<undefined>((resolve) => {
      giveUp = () => resolve(undefined);
    });
    const timer = parts.clock.after(parts.limits.decisionPointMs, () => {
      controller.abort();
      giveUp?.();
    });
    try {
      return await Promise.race([point.decide(request, { signal: controller.signal, secret: parts.secret }), late]);
    } catch (cause) {
      // It denies all the same; why is for our log.
      parts.reportFault(`decision point ${point.name}`, cause);
      return undefined;
    } finally {
      timer.cancel();
    }
  }

  const isConcerned = ({ on }: DecisionPoint, tool: Tool): boolean => on.some((glob) => matchesTool(glob, tool));
  return {
    concern: (tool) => points.some((point) => isConcerned(point, tool)),
    async consult(tool, asked, decision) {
      const { name, version, tier, source } = tool;
      const request: PointRequest = { ...asked, tool: { name, version, tier, source } };
      const asking = points.filter((point) => isConcerned(point, tool));
      const answers = await Promise.all(asking.map((point) => ask(point, request)));
      const reasons: Reason[] = [];
      for (const [index, point] of asking.entries()) {
        const answer = answers[index];
        if (answer === undefined) return { kind: "broken", point: point.name, code: "DECISION_UNAVAILABLE" };
        if (answer.kind === "garbage") {
          parts.reportFault(`decision point ${point.name}`, new Error(answer.problem));
          return { kind: "broken", point: point.name, code: "DECISION_FAILED" };
        }
        reasons.push(reasonOf(point.name, answer));
      }
      const isDenied = reasons.some(({ effect }) => effect === "deny");
      const all = [...decision.reasons, ...reasons];
      return {
        kind: "decided",
        decision: isDenied ? { ...decision, effect: "deny", reasons: all, ask: undefined, notify: false } : { ...decision, reasons: all },
      };
    },
    async close() {
      await Promise.allSettled(points.map(async (point) => await point.close?.()));
    },
  };
}

function reasonOf(name: string, answer: Exclude<PointAnswer, { readonly kind: "garbage" }>): Reason {
  const rule = `point:${name}`;
  if (answer.kind === "allow") return { rule, effect: "allow", reason: "the decision point allows it" };
  return { rule, effect: "deny", reason: (answer.reason ?? "the decision point denies it").slice(0, fixedBounds.reasonCharsMax) };
}
