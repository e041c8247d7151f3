import { isoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { BudgetState, SessionView, ToolOutlook } from "../domain/session-view.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { paint, plain, show, table } from "./terminal.ts";

const sessionShow: Command = {
  name: "session show",
  summary: "Show what a conversation has read, what restricts it, and what it may still do",
  takes: ["SESSION"],
  flags: { ...gatewayFlags, all: { about: "also the tools that simply run" } },
  about:
    "For the key of an approver or administrator, or of the caller whose conversation it is. Sources, labels and counts; never what was said in them.",
  async run(invocation) {
    const id = encodeURIComponent(invocation.positionals[0] as string);
    const answer = await gatewayClient(invocation)("GET", `/v1/sessions/${id}`);
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => viewText(invocation, answer.body as unknown as SessionView));
    return "ok";
  },
};

function viewText(invocation: Invocation, view: SessionView): string {
  const title = (text: string): string => `\n${paint(invocation.terminal, "bold", text)}\n`;
  const rows = (name: string, columns: readonly string[], cells: readonly (readonly string[])[], none: string): string =>
    `${title(name)}${cells.length === 0 ? `  ${none}\n` : indented(table([columns, ...cells]))}`;
  const cut = view.isComplete ? "" : "\nthis conversation is longer than one view reads; the counts are of its beginning\n";
  return [
    headText(invocation, view),
    rows(
      "It has read",
      ["SOURCE", "RESULTS", "BELIEVED", "KEPT", "CATEGORIES", "LAST", "BY"],
      view.read.map((each) => [
        each.source,
        String(each.resultsCount),
        each.integrity.join(", "),
        each.confidentiality.join(", "),
        each.categories.join(", ") || "-",
        timeText(each.lastAtMs),
        each.tools.join(", "),
      ]),
      "nothing yet",
    ),
    rows(
      "What restricts it",
      ["FROM", "WHAT", "UNTIL", "BY"],
      view.restrictions.map(({ from, kind, effect, endsAtMs, by }) => [
        `${from} (${kind})`,
        effect,
        endsAtMs === undefined ? "lifted" : timeText(endsAtMs),
        by,
      ]),
      "nothing",
    ),
    title("What it was granted"),
    indented(table(grantRows(view))),
    title("What is left"),
    indented(
      table([
        ...view.budgets.map(budgetRow),
        ...(view.detoursCount > 0
          ? [["detours", String(view.detoursCount), "", "calls far from what the user asked for: `policy explain CALL`"]]
          : []),
        ["refusals", `${view.denials.count} of ${view.denials.max}`, bar(view.denials.count, view.denials.max), "then it stops"],
      ]),
    ),
    toolsText(invocation, view.tools),
    cut,
  ].join("");
}

function headText({ terminal }: Invocation, view: SessionView): string {
  const roles = view.roles.length === 0 ? "no role" : view.roles.join(", ");
  const state =
    view.stopped === undefined ? paint(terminal, "green", "open") : `${paint(terminal, "red", "stopped")}: ${plain(view.stopped)}`;
  const counts = Object.entries(view.calls).flatMap(([name, value]) => (value > 0 ? [`${value} ${name}`] : []));
  const conversation = view.conversationId === undefined ? "" : `, conversation ${view.conversationId}`;
  return [
    `${paint(terminal, "bold", plain(view.id))}  ${state}\n`,
    `${plain(`${view.user} of ${view.tenant} (${roles}) under the credential ${view.credentialId}${conversation}`)}\n`,
    `opened ${timeText(view.openedAtMs)}, last heard of ${timeText(view.lastAtMs)}; calls: ${counts.join(", ") || "none"}\n`,
  ].join("");
}

function grantRows({ words, grants }: SessionView): readonly (readonly string[])[] {
  const heard = words.turnsCount === 0 ? "none told" : `of ${words.turnsCount} turn${words.turnsCount === 1 ? "" : "s"}`;
  return [
    ["the user's words", heard, words.isAttested ? "believed: the credential attests them" : "not attested: they lift no tier's question"],
    ...grants.map(({ kind, tool, by, endsAtMs, callsLeft }) => [
      kind === "plan" ? `a plan, ${callsLeft ?? 0} more` : kind === "widening" ? "a yes for more calls like it" : "a yes for one call",
      tool,
      `by ${by.join(", ") || "nobody yet"}, until ${timeText(endsAtMs)}`,
    ]),
  ];
}

const budgetNames: Readonly<Record<BudgetState["name"], string>> = {
  calls: "calls",
  "execution-ms": "execution",
  "cost-micros-usd": "cost",
};

function budgetRow({ name, used, max, left }: BudgetState): readonly string[] {
  const text = (value: number): string =>
    name === "calls"
      ? String(value)
      : name === "execution-ms"
        ? `${(value / 1_000).toFixed(1)} s`
        : `${(value / 1_000_000).toFixed(4)} USD`;
  if (max === undefined || left === undefined) return [budgetNames[name], text(used), "", "not limited"];
  return [budgetNames[name], `${text(used)} of ${text(max)}`, bar(used, max), `${text(left)} left`];
}

const barWidth = 20;

function bar(used: number, max: number): string {
  const filled = max <= 0 ? barWidth : Math.min(barWidth, Math.round((used / max) * barWidth));
  return `[${"#".repeat(filled)}${".".repeat(barWidth - filled)}]`;
}

const orders = ["denied", "asks", "confirms", "runs"] as const;
const colours = { denied: "red", asks: "yellow", confirms: "yellow", runs: "green" } as const;

function toolsText(invocation: Invocation, tools: readonly ToolOutlook[]): string {
  const { terminal, switches } = invocation;
  const shown = tools.filter(({ now, dependsOn }) => now !== "runs" || dependsOn.length > 0 || switches["all"] === true);
  const silent = tools.length - shown.length;
  const lines = orders.flatMap((now) => shown.filter((tool) => tool.now === now)).map((tool) => toolText(terminal, tool));
  const rest = silent === 0 ? "" : `  and ${silent} that simply run${silent === 1 ? "s" : ""} (--all names them)\n`;
  return `\n${paint(terminal, "bold", "What it may still do")}\n${lines.join("")}${rest}${tools.length === 0 ? "  nothing: no role grants a tool\n" : ""}`;
}

function toolText(terminal: Invocation["terminal"], { tool, version, tier, now, because, dependsOn }: ToolOutlook): string {
  const lines = [
    ...because.slice(0, fixedBounds.namedMax).map(({ rule, reason }) => `      ${plain(wordsOf(rule, reason))}`),
    ...dependsOn
      .slice(0, fixedBounds.namedMax)
      .map(({ rule, reason }) => paint(terminal, "dim", `      its arguments may change that: ${plain(wordsOf(rule, reason))}`)),
  ];
  const named = `${plain(`${tool}@${version}`)} ${paint(terminal, "dim", `(${tier})`)}`;
  return `  ${paint(terminal, colours[now], now.padEnd(8))}  ${named}\n${lines.map((line) => `${line}\n`).join("")}`;
}

function wordsOf(rule: string, reason: string | undefined): string {
  return reason === undefined ? `by ${rule}` : `${reason} [${rule}]`;
}

function timeText(atMs: number): string {
  return isoTime(atMs).slice(0, 16).replace("T", " ");
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

/** Commands about conversations. */
export const sessionCommands: readonly Command[] = [sessionShow];
