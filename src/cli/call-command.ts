import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Json, JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { gatewayClient, refused, type AskGateway, type GatewayAnswer } from "./gateway-client.ts";
import { paint, plain, show } from "./terminal.ts";

/** `signalbox call`: one call through a running gateway. */
export const callCommand: Command = {
  name: "call",
  summary: "Call a tool through a running gateway",
  takes: ["TOOL"],
  about: "Opens a session for --user and --role unless --session names one. Exit code 3 means that the call waits for a person.",
  flags: {
    ...gatewayFlags,
    args: { value: "JSON", about: "the arguments: JSON, @FILE, or - for standard input; default {}" },
    session: { value: "ID", about: "an open session" },
    user: { value: "NAME", about: "on whose behalf; default the user of this machine as USER says" },
    role: { value: "ROLE", isList: true, about: "a role of that user" },
    key: { value: "KEY", about: "idempotency key: the same key has one effect" },
    said: { value: "TEXT", about: "the user's own words" },
  },
  async run(invocation) {
    const ask = gatewayClient(invocation);
    const args = await readArguments(invocation);
    const session = invocation.texts["session"] ?? (await openSession(ask, invocation));
    if (typeof session !== "string") return refused(invocation, session);
    const { key, said } = invocation.texts;
    const answer = await ask("POST", "/v1/calls", {
      session,
      tool: invocation.positionals[0] as string,
      arguments: args,
      ...(key !== undefined && { key }),
      ...(said !== undefined && { turn: { said } }),
    });
    return showAnswer(invocation, answer);
  },
};

/** What `--args` says: JSON, `@FILE`, or `-` for standard input; default `{}`. */
export async function readArguments(invocation: Invocation): Promise<Json> {
  const given = invocation.texts["args"] ?? "{}";
  const text =
    given === "-" ? await invocation.readInput() : given.startsWith("@") ? await readArgumentFile(invocation, given.slice(1)) : given;
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw toolCallError("REQUEST_INVALID", "--args is not JSON; quote it for the shell, or use --args @FILE", { cause });
  }
}

async function readArgumentFile(invocation: Invocation, file: string): Promise<string> {
  const path = resolve(invocation.folder, file);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw toolCallError("REQUEST_INVALID", `--args: \`${path}\` cannot be read; name a file after the @`, { cause });
  }
}

async function openSession(ask: AskGateway, invocation: Invocation): Promise<string | GatewayAnswer> {
  const user = invocation.texts["user"] ?? invocation.environment["USER"] ?? "";
  const roles = invocation.lists["role"] ?? [];
  if (user === "" || roles.length === 0) {
    const missing = [...(user === "" ? ["`--user NAME`"] : []), ...(roles.length === 0 ? ["`--role ROLE`"] : [])];
    throw toolCallError("REQUEST_INVALID", `say for whom: add ${missing.join(" and ")}, or name a session with \`--session ID\``);
  }
  const answer = await ask("POST", "/v1/sessions", { user, roles });
  return answer.status === 201 ? jsonText(answer.body["id"]) : answer;
}

/** Shows a call's answer; says how the command ends. */
export function showAnswer(invocation: Invocation, answer: GatewayAnswer): Ending {
  const outcome = answer.body["outcome"] as JsonObject | undefined;
  if (outcome === undefined) return refused(invocation, answer);
  show(invocation, answer.body, () => answerText(invocation, answer.body, outcome));
  const endings: Readonly<Record<string, Ending>> = { completed: "ok", pending: "pending", unknown: "unknown" };
  return endings[jsonText(outcome["kind"])] ?? "failed";
}

function answerText(invocation: Invocation, body: JsonObject, outcome: JsonObject): string {
  const { terminal } = invocation;
  const id = `${paint(terminal, "dim", jsonText(body["callId"]))}\n`;
  if (outcome["kind"] === "completed") {
    const result = outcome["result"] as JsonObject;
    const notices = ((outcome["notices"] ?? []) as readonly string[]).map((notice) => `note: ${plain(notice)}\n`).join("");
    const value = result["value"] === undefined ? result["parts"] : result["value"];
    return `${paint(terminal, "green", outcome["isReplay"] === true ? "completed (answer of an earlier call)" : "completed")} ${id}${JSON.stringify(value, undefined, 2)}\n${notices}`;
  }
  if (outcome["kind"] === "pending") {
    const waiting = outcome["waiting"] as JsonObject;
    const next = waiting["kind"] === "person" ? `a person looks at it: signalbox approvals show ${jsonText(waiting["approvalId"])}\n` : "";
    return `${paint(terminal, "yellow", "pending")} ${id}${plain(jsonText(waiting["summary"] ?? outcome["message"] ?? ""))}\n${next}`;
  }
  const error = outcome["error"] as JsonObject;
  const fields = ((error["fields"] ?? []) as readonly JsonObject[]).map(
    (field) =>
      `  ${plain(`${jsonText(field["path"])} must be ${jsonText(field["expected"])}${field["hint"] === undefined ? "" : `; ${jsonText(field["hint"])}`}`)}\n`,
  );
  const detail = error["untrustedDetail"] === undefined ? "" : `  the tool says: ${plain(jsonText(error["untrustedDetail"]))}\n`;
  const isUnknown = outcome["kind"] === "unknown" || error["effect"] === "unknown";
  const next = isUnknown ? `what to do next: signalbox dead-letters show ${jsonText(body["callId"])}\n` : "";
  return `${paint(terminal, "red", jsonText(outcome["kind"]))} ${id}${jsonText(error["code"])}: ${plain(jsonText(error["message"]))}\n${detail}${fields.join("")}${next}retry: ${jsonText(error["retry"])}, effect: ${jsonText(error["effect"])}\n`;
}
