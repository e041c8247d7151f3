export type { DelegationOptions } from "./call/box/box-session.ts";
/**
 * What Signalbox promises as a library. An export here is an API decision.
 */
export { createSignalbox } from "./call/box/signalbox.ts";
export type { SignalboxOptions, Trouble } from "./call/box/options.ts";
export type {
  ApprovalDecision,
  BoxHealth,
  GroupDecision,
  HandlePage,
  JourneyEvent,
  PlanDecision,
  RecoveryReport,
  Signalbox,
} from "./call/box/box.ts";
export type { TurnOptions } from "./call/box/box-session.ts";
export type { SessionOptions } from "./call/box/box-session.ts";
export type { CallRequest } from "./call/box/box-session.ts";
export type { BoxTurn } from "./call/box/box-session.ts";
export type { BoxSession } from "./call/box/box-session.ts";
export type { Delegated } from "./call/box/box-session.ts";
export { resultParts } from "./call/shape.ts";
export { httpConnector } from "./connectors/http.ts";
export type { HttpOptions } from "./connectors/http-options.ts";
export { cedarDecisionPoint } from "./connectors/cedar-point.ts";
export { httpDecisionPoint } from "./connectors/http-point.ts";
export type { HttpPointOptions } from "./connectors/http-point.ts";
export type { DecisionPoint, PointAnswer, PointRequest } from "./domain/decision-point.ts";
export { webhook } from "./connectors/webhook.ts";
export type { WebhookOptions } from "./connectors/webhook.ts";
export type { Delivery, Notice, NoticePort } from "./domain/notice.ts";
export { workerConnector } from "./connectors/worker.ts";
export type { Approval, ApprovalState } from "./domain/approval.ts";
export type { ApprovalCard, CardAddress, CardArgument, CardOrigin, CardSaid, CardTrust } from "./domain/approval-card.ts";
export type { ApprovalGroup, ApprovalGroupMember, GroupAnswer } from "./domain/approval-group.ts";
export type { Plan, PlanCard, PlanProposal, PlanState, PlanStep, PlanStepCard, PlanValue, PlanView } from "./domain/plan.ts";
export type { Decision } from "./domain/decision.ts";
export type { Json, JsonObject } from "./domain/json.ts";
export type { Label } from "./domain/label.ts";
export type { Answer, Outcome, ShapedResult } from "./domain/outcome.ts";
export type { Credential, Principal } from "./domain/principal.ts";
export type { SessionView } from "./domain/session-view.ts";
export type { Form, ResultPart, ToolCall } from "./domain/tool-call.ts";
export type { Connector, RegisteredTool, Tool } from "./domain/tool.ts";
export { ToolCallError } from "./errors/tool-call-error.ts";
export type { Effect, ErrorCode, Retry } from "./errors/codes.ts";
export type { TrailItem } from "./ledger/trail.ts";
export { tool } from "./registry/define.ts";
export { ToolFailure } from "./resilience/tool-failure.ts";
