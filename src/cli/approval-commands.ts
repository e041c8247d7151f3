import { isoTime } from "../base/clock.ts";
import type { ApprovalGroup } from "../domain/approval-group.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { cardText, type ShownApproval } from "./approval-card.ts";
import { readArguments } from "./call-command.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { plain, show, table } from "./terminal.ts";

const list: Command = {
  name: "approvals list",
  summary: "List the questions that wait for a person",
  flags: { ...gatewayFlags, state: { value: "STATE", about: "pending, approved, rejected, expired, used or void; default pending" } },
  async run(invocation) {
    const state = invocation.texts["state"] ?? "pending";
    const answer = await gatewayClient(invocation)("GET", `/v1/approvals?state=${encodeURIComponent(state)}`);
    if (answer.status !== 200) return refused(invocation, answer);
    const approvals = answer.body["approvals"] as unknown as readonly JsonObject[];
    const rows = approvals.map((each) => [
      jsonText(each["id"]),
      jsonText(each["state"]),
      jsonText(each["user"]),
      isoTime(Number(each["expiresAtMs"])),
      jsonText(each["summary"]),
    ]);
    show(invocation, answer.body, () =>
      rows.length === 0 ? `no approvals are ${state}\n` : table([["ID", "STATE", "USER", "EXPIRES", "WHAT WILL HAPPEN"], ...rows]),
    );
    return "ok";
  },
};

const showOne: Command = {
  name: "approvals show",
  summary: "Show one question as a card: what would run, for whom, where each argument came from, and why it asks",
  takes: ["ID"],
  flags: gatewayFlags,
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", `/v1/approvals/${encodeURIComponent(invocation.positionals[0] as string)}`);
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => cardText(invocation.terminal, answer.body as unknown as ShownApproval));
    return "ok";
  },
};

const reasonFlag = { reason: { value: "TEXT", about: "why; of a no it is shown to the model, as your words" } } as const;

const approve: Command = {
  name: "approvals approve",
  summary: "Say yes; the call is judged again and runs",
  takes: ["ID"],
  about: "With --args the changed call runs instead, if it fits the tool's schema and both the user and you may make it.",
  flags: {
    ...gatewayFlags,
    ...reasonFlag,
    args: { value: "JSON", about: "run these arguments instead: JSON, @FILE, or - for standard input" },
    widen: { about: "also for further calls to the same targets in this session, with no larger amount" },
    digest: { value: "SHA256", about: "of the arguments that you were shown; needed once somebody changed them" },
  },
  async run(invocation) {
    const { reason, digest, args } = invocation.texts;
    return await answer(invocation, {
      approve: true,
      ...(reason !== undefined && { reason }),
      ...(digest !== undefined && { digest }),
      ...(args !== undefined && { arguments: await readArguments(invocation) }),
      ...(invocation.switches["widen"] === true && { widen: true }),
    });
  },
};

const reject: Command = {
  name: "approvals reject",
  summary: "Say no",
  takes: ["ID"],
  flags: { ...gatewayFlags, ...reasonFlag },
  async run(invocation) {
    const { reason } = invocation.texts;
    return await answer(invocation, { approve: false, ...(reason !== undefined && { reason }) });
  },
};

const missed: Readonly<Record<string, string>> = { denied: "was denied", unknown: "may have happened or not" };

async function answer(invocation: Invocation, decision: JsonObject): Promise<Ending> {
  const path = `/v1/approvals/${encodeURIComponent(invocation.positionals[0] as string)}/answer`;
  const answered = await gatewayClient(invocation)("POST", path, decision);
  if (answered.status !== 200) return refused(invocation, answered);
  const outcome = (answered.body["answer"] as JsonObject | undefined)?.["outcome"] as JsonObject | undefined;
  const state = jsonText((answered.body["approval"] as JsonObject)["state"]);
  const said = decision["approve"] === true ? "approved" : "rejected";
  const error = outcome?.["error"] as JsonObject | undefined;
  const isMissed = decision["approve"] === true && error !== undefined;
  show(invocation, answered.body, () => {
    if (isMissed)
      return `approved, but the call ${missed[jsonText(outcome?.["kind"])] ?? "failed"}: ${plain(`${jsonText(error["code"])}: ${jsonText(error["message"])}`)}; the approval is ${state}\n`;
    return `${said}; the approval is ${state}${outcome === undefined ? "" : `, the call is ${jsonText(outcome["kind"])}`}\n`;
  });
  if (!isMissed) return "ok";
  return outcome?.["kind"] === "unknown" ? "unknown" : "failed";
}

const groups: Command = {
  name: "approvals groups",
  summary: "Show questions that belong together: the same tool, reasons and conversation",
  flags: gatewayFlags,
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", "/v1/approval-groups");
    if (answer.status !== 200) return refused(invocation, answer);
    const found = answer.body["groups"] as unknown as readonly ApprovalGroup[];
    show(invocation, answer.body, () => (found.length === 0 ? "no questions belong together\n" : found.map(groupText).join("\n")));
    return "ok";
  },
};

function groupText({ digest, user, tool, version, sessionId, rules, members }: ApprovalGroup): string {
  return [
    `${members.length} calls of ${plain(tool)}@${version} for ${plain(user)} in ${sessionId}, asked about by ${plain(rules.join(", "))}\n`,
    table(members.map(({ id, summary, notSaid }) => [id, summary, notSaid.length === 0 ? "" : `not said: ${notSaid.join(", ")}`])),
    `signalbox approvals approve-group ${digest}\nsignalbox approvals reject-group ${digest} --reason TEXT\n`,
  ].join("");
}

function groupCommand(name: string, approve: boolean, summary: string): Command {
  return {
    name,
    summary,
    about: "Answers exactly the members that the digest stands for; once one of them changed or was answered, look at the groups again.",
    takes: ["DIGEST"],
    flags: { ...gatewayFlags, ...reasonFlag },
    async run(invocation) {
      const ask = gatewayClient(invocation);
      const [digest] = invocation.positionals as readonly [string];
      const listed = await ask("GET", "/v1/approval-groups");
      if (listed.status !== 200) return refused(invocation, listed);
      const group = (listed.body["groups"] as unknown as readonly ApprovalGroup[]).find((each) => each.digest === digest);
      if (group === undefined)
        throw toolCallError("NOT_FOUND", "no group of this digest any more; look at `signalbox approvals groups` again");
      const { reason } = invocation.texts;
      const members = group.members.map(({ id }) => id);
      const answered = await ask("POST", "/v1/approval-groups/answer", {
        digest,
        members,
        approve,
        ...(reason !== undefined && { reason }),
      });
      if (answered.status !== 200) return refused(invocation, answered);
      const answers = answered.body["answers"] as readonly JsonObject[];
      show(invocation, answered.body, () => table(answers.map(groupAnswer)));
      return answers.some((each) => each["error"] !== undefined) ? "failed" : "ok";
    },
  };
}

function groupAnswer({ id, approval, answer, error }: JsonObject): readonly string[] {
  const outcome = (answer as JsonObject | undefined)?.["outcome"] as JsonObject | undefined;
  const state = error === undefined ? (approval as JsonObject)["state"] : (error as JsonObject)["message"];
  return [jsonText(id as Json), plain(jsonText(state as Json)), outcome === undefined ? "" : `the call is ${jsonText(outcome["kind"])}`];
}

const approveGroup = groupCommand("approvals approve-group", true, "Say yes to every question of a group");
const rejectGroup = groupCommand("approvals reject-group", false, "Say no to every question of a group");

/** Commands of people who answer. */
export const approvalCommands: readonly Command[] = [list, showOne, approve, reject, groups, approveGroup, rejectGroup];
