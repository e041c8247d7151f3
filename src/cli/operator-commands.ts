import { toolCallError } from "../errors/tool-call-error.ts";
import { jsonText } from "../gateway/json-text.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { plain, show } from "./terminal.ts";

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
    show(invocation, answer.body, () => `${plain(user)} no longer has: ${plain(roles.join(", "))}\n`);
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
