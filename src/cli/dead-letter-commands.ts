import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { showAnswer } from "./call-command.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { plain, plainJson, show, table } from "./terminal.ts";

const list: Command = {
  name: "dead-letters list",
  summary: "List what was given up and waits for a person",
  flags: {
    ...gatewayFlags,
    kind: { value: "KIND", about: "only unknown, failed or undelivered" },
    after: { value: "ID", about: "the `next` of the page before" },
  },
  about:
    "Calls of which nobody knows whether they happened, calls taken on for later that failed for good, and notices (`notify`) that did not arrive. For the key of an approver or administrator.",
  async run(invocation) {
    const { kind, after } = invocation.texts;
    const query = new URLSearchParams({ ...(kind !== undefined && { kind }), ...(after !== undefined && { after }) });
    const answer = await gatewayClient(invocation)("GET", `/v1/dead-letters?${query.toString()}`);
    if (answer.status !== 200) return refused(invocation, answer);
    const letters = answer.body["letters"] as unknown as readonly JsonObject[];
    const { next } = answer.body;
    const rows = letters.map((each) => [
      jsonText(each["id"]),
      jsonText(each["kind"]),
      whatOf(each),
      isoTime(Number(each["sinceMs"])),
      each["canRetry"] === true ? "retry or resolve" : "resolve",
    ]);
    show(invocation, answer.body, () => {
      const listed = rows.length === 0 ? "no dead letters\n" : table([["ID", "KIND", "WHAT", "SINCE", "CAN"], ...rows]);
      return next === undefined ? listed : `${listed}there may be more: --after ${plain(jsonText(next))}\n`;
    });
    return "ok";
  },
};

function whatOf(letter: JsonObject): string {
  return letter["tool"] === undefined ? jsonText(letter["subject"]) : `${jsonText(letter["tool"])}@${jsonText(letter["version"])}`;
}

const showOne: Command = {
  name: "dead-letters show",
  summary: "Show one dead letter and what to do next",
  takes: ["ID"],
  flags: gatewayFlags,
  about: "For the key of an approver or administrator; an administrator is shown the call's arguments too.",
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", pathOf(invocation));
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => letterText(answer.body));
    return "ok";
  },
};

function letterText(letter: JsonObject): string {
  const facts = ["user", "sessionId", "type", "target", "attemptsCount", "message"].flatMap((name) =>
    letter[name] === undefined ? [] : [[name, jsonText(letter[name])]],
  );
  const args = letter["arguments"] as JsonObject | undefined;
  return [
    table([
      ["what", whatOf(letter)],
      ["since", isoTime(Number(letter["sinceMs"]))],
      ["cause", jsonText(letter["cause"])],
      ...facts,
      ["next", jsonText(letter["next"])],
    ]),
    args === undefined ? "" : `arguments\n${plainJson(args)}\n`,
  ].join("");
}

const retry: Command = {
  name: "dead-letters retry",
  summary: "Try again what may be tried again",
  takes: ["ID"],
  flags: gatewayFlags,
  about:
    "An unknown call is looked up, or sent again under its own key where its tool makes that safe; a failed one that did nothing is made again and judged anew; a notice is sent again, and its letter comes back where it does not arrive. Everything else is refused, with the reason. For the key of an approver or administrator.",
  async run(invocation) {
    const answer = await gatewayClient(invocation)("POST", `${pathOf(invocation)}/retry`, {});
    if (answer.status !== 200) return refused(invocation, answer);
    if (answer.body["outcome"] !== undefined) return showAnswer(invocation, answer);
    show(invocation, answer.body, () => "sent again; the letter comes back where it does not arrive\n");
    return "ok";
  },
};

const resolve: Command = {
  name: "dead-letters resolve",
  summary: "Say whether an unknown call happened, or put another letter away",
  takes: ["ID"],
  flags: {
    ...gatewayFlags,
    happened: { about: "it happened: the call is completed, and is not made again" },
    "did-not-happen": { about: "it did not: the call failed without an effect, and may be made again" },
    note: { value: "TEXT", about: "how you found out, or what you did, for the ledger" },
  },
  about:
    "Of an unknown call say whether it happened; a no counts only once the lost attempt can no longer arrive. For the key of an approver or administrator.",
  async run(invocation) {
    const happened = invocation.switches["happened"] === true;
    const { note } = invocation.texts;
    const didNot = invocation.switches["did-not-happen"] === true;
    if (happened && didNot) throw toolCallError("REQUEST_INVALID", "say either `--happened` or `--did-not-happen`");
    if (note === undefined) throw toolCallError("REQUEST_INVALID", "say with `--note TEXT` how you found out");
    const body = { note, ...((happened || didNot) && { happened }) };
    const answer = await gatewayClient(invocation)("POST", `${pathOf(invocation)}/resolve`, body);
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => "resolved\n");
    return "ok";
  },
};

function pathOf(invocation: Invocation): string {
  return `/v1/dead-letters/${encodeURIComponent(invocation.positionals[0] as string)}`;
}

/** Commands of people who look into what was given up. */
export const deadLetterCommands: readonly Command[] = [list, showOne, retry, resolve];
