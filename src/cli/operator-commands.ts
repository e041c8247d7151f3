import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { showAnswer } from "./call-command.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { plain, show, table } from "./terminal.ts";

const listUnknown: Command = {
  name: "calls unknown",
  summary: "List the calls of which nobody knows yet whether they happened",
  flags: { ...gatewayFlags, after: { value: "ID", about: "the `next` of the page before" } },
  about: "For the key of an approver or administrator. Look into the system that a call went to, then use `calls resolve`.",
  async run(invocation) {
    const { after } = invocation.texts;
    const more = after === undefined ? "" : `&after=${encodeURIComponent(after)}`;
    const answer = await gatewayClient(invocation)("GET", `/v1/calls?state=unknown${more}`);
    if (answer.status !== 200) return refused(invocation, answer);
    const calls = answer.body["calls"] as unknown as readonly JsonObject[];
    const { next } = answer.body;
    const rows = calls.map((each) => [
      jsonText(each["callId"]),
      `${jsonText(each["tool"])}@${jsonText(each["version"])}`,
      isoTime(Number(each["sinceMs"])),
      jsonText(each["sessionId"]),
    ]);
    show(invocation, answer.body, () => {
      const listed = rows.length === 0 ? "no call is unknown\n" : table([["CALL", "TOOL", "SINCE", "SESSION"], ...rows]);
      return next === undefined ? listed : `${listed}there may be more: --after ${plain(jsonText(next))}\n`;
    });
    return "ok";
  },
};

const resolveCall: Command = {
  name: "calls resolve",
  summary: "Say whether a call happened whose outcome is unknown",
  takes: ["CALL"],
  flags: {
    ...gatewayFlags,
    happened: { about: "it happened: the call is completed, and is not made again" },
    "did-not-happen": { about: "it did not: the call failed without an effect, and may be made again" },
    note: { value: "TEXT", about: "how you found out, for the ledger" },
  },
  about: "For the key of an approver or administrator. A no counts only once the lost attempt can no longer arrive.",
  async run(invocation) {
    const happened = invocation.switches["happened"] === true;
    const { note } = invocation.texts;
    if (happened === (invocation.switches["did-not-happen"] === true))
      throw toolCallError("REQUEST_INVALID", "say either `--happened` or `--did-not-happen`");
    if (note === undefined) throw toolCallError("REQUEST_INVALID", "say with `--note TEXT` how you found out");
    const path = `/v1/calls/${encodeURIComponent(invocation.positionals[0] as string)}/resolve`;
    const answer = await gatewayClient(invocation)("POST", path, { happened, note });
    if (answer.status !== 200) return refused(invocation, answer);
    showAnswer(invocation, answer);
    return "ok";
  },
};

/** Commands of people who look into calls whose reply was lost. */
export const unknownCommands: readonly Command[] = [listUnknown, resolveCall];

const revoke: Command = {
  name: "users revoke",
  summary: "Take roles from a user, at once and in open sessions too",
  takes: ["USER"],
  flags: { ...gatewayFlags, role: { value: "ROLE", isList: true, about: "a role to take" } },
  about: "For the key of an administrator.",
  async run(invocation) {
    const roles = invocation.lists["role"] ?? [];
    if (roles.length === 0) throw toolCallError("REQUEST_INVALID", "say which roles: `--role ROLE`");
    const user = invocation.positionals[0] as string;
    const answer = await gatewayClient(invocation)("POST", "/v1/users/revoke", { user, roles });
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => `${plain(user)} has no longer: ${plain(roles.join(", "))}\n`);
    return "ok";
  },
};

/** Commands about users. */
export const userCommands: readonly Command[] = [revoke];

const erase: Command = {
  name: "audit erase",
  summary: "Erase what the ledger holds of one person, or of the whole tenant",
  flags: {
    ...gatewayFlags,
    "data-subject": { value: "NAME", about: "the person, as sessions named them" },
    "whole-tenant": { about: "everything that the tenant ever sealed" },
  },
  about:
    "Destroys keys: private values can never be read again, hashes and chain stay whole. It cannot be undone. For the key of an administrator of the tenant.",
  async run(invocation) {
    const dataSubject = invocation.texts["data-subject"];
    if ((dataSubject !== undefined) === (invocation.switches["whole-tenant"] === true))
      throw toolCallError("REQUEST_INVALID", "say whose data: either `--data-subject NAME` or `--whole-tenant`");
    const answer = await gatewayClient(invocation)("POST", "/v1/ledger/erase", dataSubject === undefined ? {} : { dataSubject });
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => `keys destroyed: ${jsonText(answer.body["keysDestroyed"])}\n`);
    return "ok";
  },
};

const retain: Command = {
  name: "audit retain",
  summary: "Drop old ledger entries, of every tenant",
  flags: { ...gatewayFlags, days: { value: "DAYS", about: "entries older than so many days go" } },
  about:
    "Whole sealed segments go and a signed tombstone stays, so the ledger goes on verifying. It cannot be undone. For the key of an administrator.",
  async run(invocation) {
    const olderThanDays = daysOf(invocation);
    const answer = await gatewayClient(invocation)("POST", "/v1/ledger/retain", { olderThanDays });
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => `entries dropped: ${jsonText(answer.body["entriesDropped"])}\n`);
    return "ok";
  },
};

function daysOf(invocation: Invocation): number {
  const { days } = invocation.texts;
  if (days === undefined || !/^[1-9]\d{0,5}$/.test(days))
    throw toolCallError("REQUEST_INVALID", "say from which age in whole days: `--days 365`");
  return Number(days);
}

/** Commands that change what the ledger keeps; the gateway does it, since it holds the ledger. */
export const ledgerCommands: readonly Command[] = [erase, retain];
