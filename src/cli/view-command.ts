import { isoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { auditView, type AuditView } from "../ledger/audit-view.ts";
import type { EntryQuery } from "../store/store.ts";
import { configFlag, type Command, type Invocation } from "./command.ts";
import { vaultOf, withLedger } from "./ledger-reader.ts";
import { paint, plain, show, table } from "./terminal.ts";

/** `signalbox audit view`: what auditors ask for, as six linked tables. */
export const viewCommand: Command = {
  name: "audit view",
  summary: "Show a call, session or run as the auditors' six linked tables",
  flags: {
    ...configFlag,
    call: { value: "ID", about: "of this call" },
    session: { value: "ID", about: "of this session" },
    run: { value: "ID", about: "of this run" },
  },
  about: "With --json every column, private values included where their key still exists.",
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const part = partOf(invocation);
      const [entry] = await store.entries({ ...part, limit: 1 });
      if (entry === undefined) throw toolCallError("NOT_FOUND", "the ledger has no entry of this call, session or run");
      const vault = await vaultOf(config, store, invocation);
      const view = await auditView(store, vault, { tenant: entry.tenant, ...part, limit: config.limits.auditViewEntriesMax });
      show(invocation, view, () => viewText(invocation, view));
      return "ok";
    }),
};

function partOf(invocation: Invocation): Pick<EntryQuery, "callId" | "sessionId" | "runId"> {
  const { call, session, run } = invocation.texts;
  const given = [call, session, run].filter((each) => each !== undefined);
  if (given.length !== 1) throw toolCallError("REQUEST_INVALID", "name one: `--call ID`, `--session ID` or `--run ID`");
  return {
    ...(call !== undefined && { callId: call }),
    ...(session !== undefined && { sessionId: session }),
    ...(run !== undefined && { runId: run }),
  };
}

function viewText(invocation: Invocation, view: AuditView): string {
  const when = (atMs: number | undefined): string => (atMs === undefined ? "" : isoTime(atMs));
  const section = (name: string, columns: readonly string[], rows: readonly (readonly string[])[]): string =>
    `${paint(invocation.terminal, "bold", name)}\n${rows.length === 0 ? "none\n" : table([columns, ...rows])}`;
  const sections = [
    section(
      "run",
      ["RUN", "USER", "CREDENTIAL", "CONVERSATION", "STARTED", "LAST"],
      view.run.map((row) => [row.runId, row.user, row.credentialId, row.conversationId ?? "", when(row.startedAtMs), when(row.lastAtMs)]),
    ),
    section(
      "step",
      ["STEP", "NUMBER", "PURPOSE", "PARENT", "STATE", "STARTED", "ENDED"],
      view.step.map((row) => [
        row.stepId,
        String(row.index),
        row.purpose,
        row.parentStepId ?? "",
        row.state,
        when(row.startedAtMs),
        when(row.endedAtMs),
      ]),
    ),
    section(
      "tool_call",
      ["CALL", "TOOL", "MODEL", "ARGUMENTS"],
      view.tool_call.map((row) => [row.callId, `${row.tool}@${row.version ?? ""}`, row.model, valueText(row.arguments, row.values)]),
    ),
    section(
      "authz_decision",
      ["CALL", "BY", "EFFECT", "RULES", "REASON"],
      view.authz_decision.map((row) => [
        row.callId,
        `${row.by} ${row.by === "policy" ? row.decidedBy.slice(0, 12) : row.decidedBy}`,
        row.effect,
        row.rules.join(", "),
        row.reason,
      ]),
    ),
    section(
      "tool_result",
      ["CALL", "OUTCOME", "EFFECT", "CODE", "ATTEMPTS", "TOOK", "RESULT"],
      view.tool_result.map((row) => [
        row.callId,
        row.outcome,
        row.effect,
        row.code ?? "",
        String(row.attemptsCount),
        `${row.durationMs} ms`,
        row.outcome === "completed" ? valueText(row.result, row.values) : "",
      ]),
    ),
    section(
      "compensation_action",
      ["CALL", "UNDOES", "TOOL", "STATE"],
      view.compensation_action.map((row) => [row.callId, row.compensatesCallId ?? "", row.tool, row.state]),
    ),
  ];
  const cut = view.isComplete ? "" : "\nthis is not all: there are more entries than one view reads\n";
  return `${sections.join("\n")}${cut}`;
}

function valueText(value: unknown, state: AuditView["tool_call"][number]["values"]): string {
  if (value === undefined) return state === "opened" ? "" : `(${state})`;
  const text = plain(JSON.stringify(value));
  return text.length > fixedBounds.shownTextCharsMax ? `${text.slice(0, fixedBounds.shownTextCharsMax)}…` : text;
}
