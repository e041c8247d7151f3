import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { cardText, type ShownApproval } from "./approval-card.ts";
import { readArguments } from "./call-command.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { show, table } from "./terminal.ts";

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

async function answer(invocation: Invocation, decision: JsonObject): Promise<Ending> {
  const path = `/v1/approvals/${encodeURIComponent(invocation.positionals[0] as string)}/answer`;
  const answered = await gatewayClient(invocation)("POST", path, decision);
  if (answered.status !== 200) return refused(invocation, answered);
  const outcome = (answered.body["answer"] as JsonObject | undefined)?.["outcome"] as JsonObject | undefined;
  const state = jsonText((answered.body["approval"] as JsonObject)["state"]);
  const said = decision["approve"] === true ? "approved" : "rejected";
  show(
    invocation,
    answered.body,
    () => `${said}; the approval is ${state}${outcome === undefined ? "" : `, the call is ${jsonText(outcome["kind"])}`}\n`,
  );
  return "ok";
}

/** Commands of people who answer. */
export const approvalCommands: readonly Command[] = [list, showOne, approve, reject];
