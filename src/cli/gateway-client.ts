import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import type { Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { paint, plain, show } from "./terminal.ts";

/** What the gateway answered. */
export interface GatewayAnswer {
  readonly status: number;
  readonly body: JsonObject;
}

/** Asks a running gateway. */
export type AskGateway = (method: "GET" | "POST", path: string, body?: JsonObject) => Promise<GatewayAnswer>;

/** A client under the key in SIGNALBOX_KEY. Rejects with `TOOL_UNAVAILABLE` where nobody answers, `REQUEST_INVALID` where there is no key. */
export function gatewayClient(invocation: Invocation): AskGateway {
  const base = (invocation.texts["url"] ?? invocation.environment["SIGNALBOX_URL"] ?? "http://127.0.0.1:7320").replace(/\/+$/, "");
  const key = invocation.environment["SIGNALBOX_KEY"];
  if (key === undefined || key === "") throw toolCallError("REQUEST_INVALID", "set SIGNALBOX_KEY to the API key of a credential");
  if (!URL.canParse(base))
    throw toolCallError("REQUEST_INVALID", "the gateway's address is not valid; give one such as `http://127.0.0.1:7320`");
  return async (method, path, body) => {
    let response: Response;
    try {
      response = await fetch(base + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
        redirect: "error",
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw toolCallError(
        "TOOL_UNAVAILABLE",
        `nobody answers at \`${base}\`; start the gateway with \`signalbox serve\`, or name another with --url`,
        { cause },
      );
    }
    const answered = await response.text();
    try {
      return { status: response.status, body: JSON.parse(answered) as JsonObject };
    } catch (cause) {
      throw toolCallError("TOOL_UNAVAILABLE", `what answers at \`${base}\` is no Signalbox gateway`, { cause });
    }
  };
}

/** The message of a problem that the gateway answered. */
export function problemText(answer: GatewayAnswer): string {
  const error = answer.body["error"] as JsonObject | undefined;
  return error === undefined ? `the gateway answered ${answer.status}` : `${jsonText(error["code"])}: ${jsonText(error["message"])}`;
}

/** Shows what the gateway refused; says how the command ends. */
export function refused(invocation: Invocation, answer: GatewayAnswer): Ending {
  show(invocation, answer.body, () => `${paint(invocation.terminal, "red", "refused")} ${plain(problemText(answer))}\n`);
  return "failed";
}
