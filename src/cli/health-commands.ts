import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { show, table } from "./terminal.ts";

const health: Command = {
  name: "tools health",
  summary: "Show how tools and their sources do: breakers, failures, latency, what waits",
  flags: gatewayFlags,
  about: "For the key of an approver or administrator. It fails when a tool or source is open or down.",
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", "/v1/health");
    if (answer.status !== 200) return refused(invocation, answer);
    const sources = answer.body["sources"] as unknown as readonly JsonObject[];
    const tools = answer.body["tools"] as unknown as readonly JsonObject[];
    const load = answer.body["load"] as JsonObject;
    const letters = answer.body["deadLetters"] as JsonObject;
    show(invocation, answer.body, () =>
      [
        table([["SOURCE", ...columns], ...sources.map((each) => [jsonText(each["source"]), ...cells(each)])]),
        table([["TOOL", ...columns], ...tools.map((each) => [nameOf(each), ...cells(each)])]),
        `${jsonText(load["running"])} of at most ${jsonText(load["runningMax"])} calls under way, ${jsonText(load["shedCount"])} turned away\n`,
        `dead letters open: ${jsonText(letters["openCount"])}, unknown calls among them: ${jsonText(letters["unknownCount"])}\n`,
      ].join("\n"),
    );
    return [...sources, ...tools].some((each) => each["state"] === "open" || each["state"] === "down") ? "failed" : "ok";
  },
};

const columns = ["STATE", "ATTEMPTS", "FAILED", "P95", "RUNNING", "WAITING", "LAST FAILURE"];

function nameOf(row: JsonObject): string {
  return row["version"] === "" ? jsonText(row["tool"]) : `${jsonText(row["tool"])}@${jsonText(row["version"])}`;
}

function cells(row: JsonObject): string[] {
  const last = row["lastFailure"] as JsonObject | undefined;
  const wait = row["retryAfterMs"];
  return [
    wait === undefined ? jsonText(row["state"]) : `${jsonText(row["state"])} (${Math.ceil(Number(wait) / 1_000)} s)`,
    jsonText(row["attemptCount"]),
    jsonText(row["failureCount"]),
    row["p95Ms"] === undefined ? "" : `${jsonText(row["p95Ms"])} ms`,
    jsonText(row["runningCount"]),
    jsonText(row["waitingCount"]),
    last === undefined ? "" : `${isoTime(Number(last["atMs"]))} ${jsonText(last["message"])}`,
  ];
}

/** Commands about how tools do. */
export const healthCommands: readonly Command[] = [health];
