import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { cardText, type ShownApproval } from "./approval-card.ts";
import { gatewayFlags, type Command } from "./command.ts";
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

const approve = answering("approvals approve", "Say yes; the call is judged again and runs", true);
const reject = answering("approvals reject", "Say no", false);

function answering(name: string, summary: string, approves: boolean): Command {
  return {
    name,
    summary,
    takes: ["ID"],
    flags: { ...gatewayFlags, reason: { value: "TEXT", about: "why; of a no it is shown to the model" } },
    async run(invocation) {
      const { reason } = invocation.texts;
      const answer = await gatewayClient(invocation)(
        "POST",
        `/v1/approvals/${encodeURIComponent(invocation.positionals[0] as string)}/answer`,
        { approve: approves, ...(reason !== undefined && { reason }) },
      );
      if (answer.status !== 200) return refused(invocation, answer);
      const outcome = (answer.body["answer"] as JsonObject | undefined)?.["outcome"] as JsonObject | undefined;
      const state = jsonText((answer.body["approval"] as JsonObject)["state"]);
      show(
        invocation,
        answer.body,
        () =>
          `${approves ? "approved" : "rejected"}; the approval is ${state}${outcome === undefined ? "" : `, the call is ${jsonText(outcome["kind"])}`}\n`,
      );
      return "ok";
    },
  };
}

/** Commands of people who answer. */
export const approvalCommands: readonly Command[] = [list, showOne, approve, reject];
