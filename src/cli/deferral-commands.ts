import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { plain, show, table } from "./terminal.ts";

const list: Command = {
  name: "deferrals list",
  summary: "List calls that rules have put off",
  flags: { ...gatewayFlags, after: { value: "ID", about: "the `next` of the page before" } },
  about: "Each wakes by itself and is judged again. A caller's key shows its own calls, an approver's or administrator's all.",
  async run(invocation) {
    const { after } = invocation.texts;
    const query = new URLSearchParams(after === undefined ? {} : { after });
    const answer = await gatewayClient(invocation)("GET", `/v1/deferrals?${query.toString()}`);
    if (answer.status !== 200) return refused(invocation, answer);
    const deferrals = answer.body["deferrals"] as unknown as readonly JsonObject[];
    const { next } = answer.body;
    const rows = deferrals.map((each) => [
      jsonText(each["callId"]),
      `${jsonText(each["tool"])}@${jsonText(each["version"])}`,
      jsonText(each["user"]),
      (each["rules"] as readonly string[]).join(", "),
      isoTime(Number(each["wakeAtMs"])),
      isoTime(Number(each["expiresAtMs"])),
    ]);
    show(invocation, answer.body, () => {
      const listed = rows.length === 0 ? "no call is put off\n" : table([["CALL", "TOOL", "USER", "RULES", "WAKES", "EXPIRES"], ...rows]);
      return next === undefined ? listed : `${listed}there may be more: --after ${plain(jsonText(next))}\n`;
    });
    return "ok";
  },
};

const cancel: Command = {
  name: "deferrals cancel",
  summary: "Cancel a call that is put off",
  takes: ["CALL"],
  flags: { ...gatewayFlags, reason: { value: "TEXT", about: "why, for the ledger and for whoever asks for the call" } },
  about: "It does not run, and may be made anew. A caller's key cancels its own calls, an approver's or administrator's any.",
  async run(invocation) {
    const { reason } = invocation.texts;
    const path = `/v1/deferrals/${encodeURIComponent(invocation.positionals[0] as string)}/cancel`;
    const answer = await gatewayClient(invocation)("POST", path, reason === undefined ? {} : { reason });
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => "cancelled\n");
    return "ok";
  },
};

/** Commands of calls that wait for a time. */
export const deferralCommands: readonly Command[] = [list, cancel];
