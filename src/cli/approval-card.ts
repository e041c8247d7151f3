import { isoTime } from "../base/clock.ts";
import type { ApprovalCard, CardArgument, CardOrigin, CardTrust } from "../domain/approval-card.ts";
import type { JsonObject } from "../domain/json.ts";
import { jsonText } from "../gateway/json-text.ts";
import { paint, plain, plainJson, table, type Terminal } from "./terminal.ts";

/** What `approvals show` shows. */
export interface ShownApproval {
  readonly approval: JsonObject;
  readonly card: ApprovalCard;
  readonly arguments?: JsonObject;
}

/** The card in a terminal: what will happen first, then who asks, what nobody asked for, every argument with its origin, and how to answer. */
export function cardText(terminal: Terminal, shown: ShownApproval): string {
  const { approval, card } = shown;
  const title = (text: string): string => `\n${paint(terminal, "bold", text)}\n`;
  const edited = approval["edited"] as JsonObject | undefined;
  const state = jsonText(approval["state"]);
  return [
    `${paint(terminal, "bold", plain(card.headline))}\n`,
    ...(edited === undefined
      ? []
      : [
          paint(
            terminal,
            "red",
            `changed by ${jsonText(edited["by"])}; to approve it, add --digest ${jsonText(approval["effectiveDigest"])}`,
          ),
          "\n",
        ]),
    table([
      ["state", `${state}, expires ${isoTime(card.expiresAtMs)}`],
      ["tier", card.tier ?? "unknown"],
      ["undo", card.undo],
      ["user", `${card.user} (${card.roles.join(", ") || "no roles"})`],
      ["agent", card.agent],
      ...(card.conversationId === undefined ? [] : [["conversation", card.conversationId]]),
      ["said", saidText(card)],
      ...(card.asked === undefined ? [] : [["asked", askedWords[card.asked]]]),
      ["needs", `${whoText(approval)}${freshWords(approval)}`],
    ]),
    ...(card.refusedAsksCount === 0
      ? []
      : [
          paint(
            terminal,
            "yellow",
            `${card.refusedAsksCount} more questions about this user's calls were refused lately: too many were asked`,
          ),
          "\n",
        ]),
    ...(card.isToolChanged ? [`${paint(terminal, "red", "the tool's definition changed since the question was asked")}\n`] : []),
    ...(card.notSaid.length === 0 ? [] : [paint(terminal, "yellow", `the user did not say: ${plain(card.notSaid.join(", "))}`), "\n"]),
    ...(card.mayNotRead ?? []).map(
      ({ who, isKnown }) =>
        `${paint(terminal, "red", "may not have the data in it:")} ${plain(who)}${isKnown ? "" : " (the directory does not know them)"}\n`,
    ),
    ...(card.narrowed ?? []).map(
      ({ name, was }) => `${paint(terminal, "yellow", `a rule narrowed ${plain(name)}; the agent sent:`)} ${plain(was)}\n`,
    ),
    title("arguments"),
    ...(card.arguments.length === 0
      ? ["none, or the call has settled\n"]
      : card.arguments.map((argument) => argumentText(terminal, argument))),
    ...(card.argumentsLeftOutCount === 0 ? [] : [`and ${card.argumentsLeftOutCount} more\n`]),
    ...(isWhole(card) || shown.arguments === undefined ? [] : [title("exactly"), plainJson(shown.arguments), "\n"]),
    title("why it asks"),
    table(card.reasons.map(({ rule, reason }) => [rule, reason])),
    ...(state === "pending"
      ? [
          `\nsignalbox approvals approve ${jsonText(approval["id"])}\nsignalbox approvals reject ${jsonText(approval["id"])} --reason TEXT\n`,
        ]
      : []),
  ].join("");
}

function saidText({ said }: ApprovalCard): string {
  if (said === undefined) return "(not passed on)";
  const trust = said.isAttested ? "" : " (as the agent claims)";
  return `"${said.text}"${said.chars > said.text.length ? ` (${said.chars} characters)` : ""}${trust}`;
}

const askedWords = {
  asked: "the user asked for this kind of action",
  "not-asked": "the user did not ask for this kind of action",
  unknown: "whether the user asked for this is not known",
} as const satisfies Record<NonNullable<ApprovalCard["asked"]>, string>;

/** How many people of which groups, and whom it still waits for where each group has to agree. */
function whoText(approval: JsonObject): string {
  const groups = (approval["approvers"] as readonly string[]).join(", ");
  if (approval["isOfEach"] !== true) return `${jsonText(approval["quorum"])} of ${groups}`;
  const [wanted, count] = [approval["wanted"] as readonly string[], approval["quorum"] as number];
  const people = count > (approval["approvers"] as readonly string[]).length ? `, ${count} people in all` : "";
  return `one person of each of ${groups}${people}${wanted.length === 0 ? "" : `; still somebody of ${wanted.join(" or ")}`}`;
}

function freshWords(approval: JsonObject): string {
  return approval["needsFreshAuthentication"] === true ? ", just authenticated" : "";
}

/** One argument with where it came from, as the command line shows it. */
export function argumentText(terminal: Terminal, argument: CardArgument): string {
  const { name, role, value, chars, isCut, origin } = argument;
  const cut = isCut && chars > 0 ? ` (${chars} characters)` : "";
  const line = `${plain(name)}${role === undefined ? "" : ` (${role})`}: ${plain(value)}${cut}\n`;
  const carried = (argument.carries ?? []).map((each) => `  holds ${plain(each.text)}\n    ${originText(terminal, each.origin)}\n`);
  return `${line}${origin === undefined ? "" : `  ${originText(terminal, origin)}\n`}${carried.join("")}`;
}

function originText(terminal: Terminal, origin: CardOrigin): string {
  switch (origin.kind) {
    case "user":
      return `${paint(terminal, "green", "said by the user:")} ${quoteText(origin.quote)}`;
    case "plan":
      return paint(terminal, "green", "named by a plan that a person approved");
    case "nowhere":
      return paint(terminal, "red", "seen nowhere: made up or worked out");
    case "forgotten":
      return paint(terminal, "red", "from untrusted text; which is no longer remembered");
    case "elsewhere":
      return paint(
        terminal,
        "yellow",
        `from another conversation: ${trustWords(origin.trust)}read by ${plain(origin.tool)} at ${isoTime(origin.atMs)}`,
      );
    case "result": {
      const source = `${trustWords(origin.trust)}read by ${plain(origin.tool)} at ${isoTime(origin.atMs)}:`;
      return `${paint(terminal, "yellow", source)} ${quoteText(origin.quote)}`;
    }
  }
}

function quoteText(quote: string | undefined): string {
  return quote === undefined ? "(not quoted: in another notation, or too long ago)" : plain(quote);
}

function trustWords(trust: CardTrust | undefined): string {
  if (trust === undefined) return "";
  return trust === "directory" ? "an entry of a directory, " : `${trust} text, `;
}

/** Whether the card shows everything that would run. */
function isWhole(card: ApprovalCard): boolean {
  return card.argumentsLeftOutCount === 0 && card.arguments.every(({ isCut, role }) => !isCut || role === "credential");
}
