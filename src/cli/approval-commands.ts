import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { paint, plain, show, table } from "./terminal.ts";

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
  summary: "Show one question with the arguments that would run",
  takes: ["ID"],
  flags: gatewayFlags,
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", `/v1/approvals/${encodeURIComponent(invocation.positionals[0] as string)}`);
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () =>
      cardText(invocation, answer.body["approval"] as JsonObject, answer.body["arguments"] as JsonObject | undefined),
    );
    return "ok";
  },
};

function cardText(invocation: Invocation, approval: JsonObject, args: JsonObject | undefined): string {
  const reasons = (approval["reasons"] as unknown as readonly JsonObject[]).map((reason) => [
    "",
    jsonText(reason["rule"]),
    jsonText(reason["reason"]),
  ]);
  const facts = table([
    ["state", jsonText(approval["state"])],
    ["tool", `${jsonText(approval["tool"])}@${jsonText(approval["version"])}`],
    ["for", `${jsonText(approval["user"])} (${(approval["roles"] as readonly string[]).join(", ")})`],
    ["expires", isoTime(Number(approval["expiresAtMs"]))],
    ["needs", `${jsonText(approval["quorum"])} of ${(approval["approvers"] as readonly string[]).join(", ")}`],
  ]);
  // Arguments are shown as JSON with every special character escaped, so that none can rewrite the card around them.
  const shown = args === undefined ? "" : `arguments\n${plainJson(args)}\n`;
  return `${paint(invocation.terminal, "bold", plain(jsonText(approval["summary"])))}\n${facts}why it asks\n${table(reasons)}${shown}`;
}

function plainJson(value: JsonObject): string {
  return JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

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
