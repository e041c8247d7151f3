import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { show, table } from "./terminal.ts";

const scopeFlags = {
  ...gatewayFlags,
  all: { about: "everything, of every tenant; without this and `--session`: the key's own tenant" },
  session: { value: "ID", about: "one session only" },
  reason: { value: "TEXT", about: "why, for the ledger" },
} as const;

function turning(name: string, on: boolean, summary: string): Command {
  return {
    name,
    summary,
    flags: scopeFlags,
    about: "For the key of an administrator. It holds in every process of the store; what has passed the gate already goes on.",
    async run(invocation) {
      const { session, reason } = invocation.texts;
      const isAll = invocation.switches["all"] === true;
      if (isAll && session !== undefined) throw toolCallError("REQUEST_INVALID", "say either `--all` or `--session ID`");
      if (reason === undefined) throw toolCallError("REQUEST_INVALID", "say why with `--reason TEXT`");
      const scope = isAll ? "all" : session === undefined ? "tenant" : "session";
      const body = { on, scope, reason, ...(session !== undefined && { session }) };
      return listed(invocation, await gatewayClient(invocation)("POST", "/v1/read-only", body));
    },
  };
}

const status: Command = {
  name: "read-only status",
  summary: "Say what is limited to reads now",
  flags: gatewayFlags,
  async run(invocation) {
    return listed(invocation, await gatewayClient(invocation)("GET", "/v1/read-only"));
  },
};

type Answered = Awaited<ReturnType<ReturnType<typeof gatewayClient>>>;

function listed(invocation: Invocation, answer: Answered): ReturnType<typeof refused> {
  if (answer.status !== 200) return refused(invocation, answer);
  const states = answer.body["readOnly"] as unknown as readonly JsonObject[];
  const rows = states.map((state) => [
    jsonText(state["scope"]),
    jsonText(state["session"] ?? ""),
    isoTime(Number(state["sinceMs"])),
    jsonText(state["by"]),
    jsonText(state["reason"]),
  ]);
  show(invocation, answer.body, () =>
    rows.length === 0 ? "nothing is limited to reads\n" : table([["SCOPE", "SESSION", "SINCE", "BY", "REASON"], ...rows]),
  );
  return "ok";
}

/** Commands of the read-only switch. */
export const readOnlyCommands: readonly Command[] = [
  turning("read-only on", true, "Limit everything, the tenant or a session to reads"),
  turning("read-only off", false, "Let more than reads through again"),
  status,
];
