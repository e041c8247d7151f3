import { isoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { parseOwnJson } from "../base/own-json.ts";
import type { Decision } from "../domain/decision.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { explainDecision } from "../policy/explain.ts";
import type { Entry } from "../store/store.ts";
import { configFlag, type Command } from "./command.ts";
import { withLedger } from "./ledger-reader.ts";
import { paint, plain, show, type Terminal } from "./terminal.ts";

/** `signalbox policy explain`: a call's way through the policy, read back from the ledger and never recomputed. */
export const explainCommand: Command = {
  name: "policy explain",
  summary: "Say why a recorded call was allowed, asked about or denied",
  takes: ["CALL"],
  flags: configFlag,
  about:
    "Read back from the ledger, step by step: what was decided by which rules, facts, flow of data and decision points, under which policy; who answered; how it ended.",
  run: (invocation) =>
    withLedger(invocation, async (_config, store) => {
      const callId = invocation.positionals[0] as string;
      const steps = (await store.entries({ callId, limit: fixedBounds.callEntriesMax })).map(stepOf);
      const decisions = steps.flatMap(({ decision }) => decision ?? []);
      if (!steps.some(({ kind }) => kind.startsWith("call-")))
        throw toolCallError("NOT_FOUND", `the ledger has no decision about a call \`${plain(callId).slice(0, 80)}\``);
      show(
        invocation,
        { callId, decisions, steps: steps.map(({ body: _body, ...step }) => step) },
        () => `${whoText(steps)}${steps.map((step) => stepText(invocation.terminal, step)).join("")}`,
      );
      return "ok";
    }),
};

interface Step {
  readonly kind: string;
  readonly at: string;
  /** One line: where it stopped, who answered, how it ended. */
  readonly note: string;
  readonly decision: Decision | undefined;
  readonly body: JsonObject;
}

function stepOf(entry: Entry): Step {
  const { body } = parseOwnJson(entry.text) as { readonly body: JsonObject };
  return { kind: entry.kind, at: isoTime(entry.atMs), note: noteOf(entry.kind, body), decision: decisionIn(body), body };
}

function noteOf(kind: string, body: JsonObject): string {
  const said = (name: string): string => (typeof body[name] === "string" ? body[name] : "");
  switch (kind) {
    case "call-parked":
      return `waits for the approval ${said("approvalId")}`;
    case "call-deferred":
      return "put off by a rule";
    case "call-intended":
      return said("approvalId") === "" ? "passed the gate" : `passed the gate under the approval ${said("approvalId")}`;
    case "call-denied":
      return `stopped at ${said("stage")} with ${said("code")}: ${said("reason")}`;
    case "approval-decided":
      return `${said("by")} (${said("credentialId")}) ${body["approve"] === true ? "approved" : "rejected"} ${said("approvalId")}`;
    case "approval-closed":
      return `${said("approvalId")} was closed: ${said("reason")}`;
    case "call-settled":
      return `${said("outcome")}${said("code") === "" ? "" : ` with ${said("code")}`}, effect ${said("effect")}`;
    default:
      return "";
  }
}

/** The recorded form leaves out what is empty; the explanation wants it whole. */
function decisionIn(body: JsonObject): Decision | undefined {
  const recorded = body["decision"] as JsonObject | undefined;
  if (recorded === undefined || recorded === null || typeof recorded["effect"] !== "string") return undefined;
  const { gate, approvers, quorum, isOfEach } = recorded;
  const ask =
    gate === undefined
      ? undefined
      : {
          gate,
          approvers: approvers ?? [],
          quorum: quorum ?? 1,
          isOfEach,
          needsFreshAuthentication: recorded["needsFreshAuthentication"] === true,
        };
  return { reasons: [], notify: false, policyVersion: "", factDigests: {}, ...recorded, ask } as unknown as Decision;
}

function whoText(steps: readonly Step[]): string {
  const asked = steps.find(({ body }) => typeof body["user"] === "string" && typeof body["tool"] === "string")?.body;
  if (asked === undefined) return "";
  const { tool, version, user, roles, credentialId } = asked;
  const of = typeof version === "string" ? `${jsonText(tool)}@${version}` : jsonText(tool);
  const held = Array.isArray(roles) && roles.length > 0 ? roles.map(jsonText).join(", ") : "no role";
  return `${plain(`${of} for ${jsonText(user)} (${held}) under the credential ${jsonText(credentialId)}`)}\n`;
}

function stepText(terminal: Terminal, { kind, at, note, decision }: Step): string {
  const head = `\n${paint(terminal, "bold", kind)}  ${at}${note === "" ? "" : `  ${plain(note)}`}\n`;
  if (decision === undefined) return head;
  return `${head}${explainDecision(decision)
    .split("\n")
    .map((line) => `  ${plain(line).trimEnd()}\n`)
    .join("")}`;
}
