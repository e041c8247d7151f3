import type { SessionView, ToolOutlook } from "../../domain/session-view.ts";
import type { Tool } from "../../domain/tool.ts";
import { intentOf, type Intent } from "../../flow/intent.ts";
import type { SessionKnowledge } from "../../flow/knowledge.ts";
import { isConsequential } from "../../flow/trace.ts";
import type { PolicyOutlook } from "../../policy/outlook.ts";
import { findClaims } from "../history.ts";
import type { Runtime } from "../runtime.ts";
import type { HistoryFinding } from "../../policy/call-history.ts";
import type { LiveSession } from "../live-session.ts";

/** What the session stands on when its tools are judged. */
export interface OutlookParts {
  readonly runtime: Runtime;
  readonly session: LiveSession;
  readonly knowledge: SessionKnowledge;
  readonly stopped: string | undefined;
  readonly isReadOnly: boolean;
  /** Tools that steps of an approved plan still allow. */
  readonly planned: ReadonlySet<string>;
  /** What is left of the budgets; a budget without anything left refuses every call. */
  readonly budgets: SessionView["budgets"];
}

type Answer = Pick<ToolOutlook, "now" | "because" | "dependsOn">;
type Reasons = ToolOutlook["because"];

/** What would come of a call of this tool as things stand, before its arguments are known. The stages of the journey decide for themselves, later. */
export async function toolOutlook(tool: Tool, parts: OutlookParts): Promise<ToolOutlook> {
  const answer = closedAltogether(tool, parts) ?? (await judged(tool, parts));
  return { tool: tool.name, version: tool.version, tier: tool.tier, ...answer };
}

function closedAltogether(tool: Tool, { stopped, isReadOnly, budgets }: OutlookParts): Answer | undefined {
  const spent = budgets.find(({ left }) => left === 0);
  if (stopped !== undefined) return refused("session:stopped", stopped);
  if (isReadOnly && tool.tier !== "read") return refused("read-only", "only reads pass while the read-only switch is on");
  return spent === undefined ? undefined : refused(`budget:${spent.name}`, "this budget of the session is spent");
}

function refused(rule: string, reason: string): Answer {
  return { now: "denied", because: [{ rule, reason }], dependsOn: [] };
}

async function judged(tool: Tool, parts: OutlookParts): Promise<Answer> {
  const { runtime, session } = parts;
  const policy = runtime.policy.engine.outlook({
    tool,
    principal: session.principal,
    session: { id: session.id, attested: session.wordsAttested },
    nowMs: runtime.clock.now(),
  });
  const findings = await findClaims(runtime, session.principal.tenant, policy.separation);
  const flow = flowOutlook(tool, parts, policy.isWaived);
  const effects = [policy.effect, ...findings.map(({ effect }) => effect), flow.effect];
  const now = effects.includes("deny")
    ? "denied"
    : effects.includes("ask")
      ? isConfirmed(policy, findings, flow)
        ? "confirms"
        : "asks"
      : "runs";
  const speaking = now === "denied" ? "deny" : now === "runs" ? "allow" : "ask";
  const because = [
    ...policy.reasons.filter(({ effect }) => effect === speaking).map(({ rule, reason }) => ({ rule, reason })),
    ...findings.filter(({ effect }) => effect === speaking).map(({ id, reason, message }) => ({ rule: id, reason: reason ?? message })),
    ...(flow.effect === speaking ? flow.because : []),
  ];
  const dependsOn = [...policy.open.map(({ rule, reason }) => ({ rule, reason })), ...flow.dependsOn];
  return { now, because, dependsOn: now === "denied" ? [] : dependsOn };
}

/** The user themself may answer where the policy says so and nothing else asks. */
function isConfirmed(policy: PolicyOutlook, findings: readonly HistoryFinding[], flow: FlowOutlook): boolean {
  return policy.gate === "confirmation" && flow.effect === "allow" && findings.length === 0;
}

interface FlowOutlook {
  readonly effect: "allow" | "ask";
  readonly because: Reasons;
  readonly dependsOn: Reasons;
}

function flowOutlook(tool: Tool, { runtime, knowledge, session, planned }: OutlookParts, isStanding: boolean): FlowOutlook {
  const { mode } = runtime.flow;
  if (!isConsequential(tool) || mode === "observe") return { effect: "allow", because: [], dependsOn: [] };
  const isFinal = tool.tier === "irreversible" || tool.tier === "privileged";
  const intent = intentOf(tool, knowledge.words);
  const because = isStanding ? undefined : unasked(intent, isFinal || mode === "strict");
  const hasRead = !knowledge.restrictions.isEmpty;
  const dependsOn = [
    ...(planned.has(tool.name) ? [{ rule: "plan", reason: "counts as asked for where it fits a step of an approved plan" }] : []),
    ...(hasRead || !knowledge.words.isEmpty
      ? [
          {
            rule: "flow:R2",
            reason:
              because === undefined || !hasRead
                ? "asks unless all that steers it comes from the user, trusted data or a directory"
                : "refuses where what steers it comes from untrusted text",
          },
        ]
      : []),
    ...(hasRead ? [{ rule: "flow:R3", reason: "asks where its text carries an address known only from untrusted text" }] : []),
    ...(knowledge.restrictions.hasSensitive && tool.isEgress
      ? [
          {
            rule: "flow:R4",
            reason:
              runtime.policy.engine.document.directory === undefined
                ? "asks where it repeats guarded data that was read"
                : "asks where it repeats guarded data that was read, unless all who are sent it may have it",
          },
        ]
      : []),
    ...(isFinal && !isStanding ? [{ rule: "flow:R5", reason: "asks unless the user named what it concerns" }] : []),
    ...(tool.tier === "irreversible" && intent === "asked" && session.wordsAttested && isDeclared(tool)
      ? [{ rule: "flow:passed", reason: "runs without the tier's question where the user's words name everything that steers it" }]
      : []),
  ];
  return because === undefined ? { effect: "allow", because: [], dependsOn } : { effect: "ask", because: [because], dependsOn };
}

function unasked(intent: Intent, needsAsking: boolean): Reasons[number] | undefined {
  if (intent === "not-asked") return { rule: "flow:R1", reason: "the user did not ask for this kind of action" };
  if (intent === "asked" || !needsAsking) return undefined;
  return { rule: "flow:R1", reason: "whether the user asked for this is not known" };
}

function isDeclared(tool: Tool): boolean {
  return tool.asks !== undefined && Object.keys(tool.argumentRoles).length > 0;
}
