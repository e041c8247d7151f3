import type { WriteStream } from "node:tty";
import type { JourneyEvent } from "../../src/index.ts";
import type { StepOutcome } from "./desk-client.ts";
import type { McpServers } from "./mcp-clients.ts";
import type { ShopDatabase } from "./shop-database.ts";

/** Says on the terminal what happens, one readable line per stage that mattered. */
export interface Printer {
  opening(address: string, toolCount: number): void;
  step(number: number, story: string, said: string): void;
  event(event: JourneyEvent): void;
  answer(outcome: StepOutcome): void;
  person(what: string): void;
  books(database: ShopDatabase): void;
  ledger(verified: { readonly ok: boolean; readonly entries: number; readonly batches: number; readonly checkpoints: number }): void;
  wrong(): void;
  next(address: string, keys: Readonly<Record<string, string>>, session: string): void;
  mcpServers(servers: McpServers): void;
}

const marks = { completed: "✓", failed: "✗", denied: "✗", pending: "…", unknown: "?" } as const;
const colours = { completed: 32, failed: 31, denied: 31, pending: 33, unknown: 35 } as const;
const textCharsMax = 150;

/** The call that the last lines offer: an amount beyond what needs nobody's yes, with the words that ask for it. */
const callToTry = {
  tool: "shop.refund",
  arguments: { orderId: "A-1043", amount: 30 },
  turn: { said: "Please refund 30 euros of A-1043" },
};

function whatToTry(address: string, keys: Readonly<Record<string, string>>, session: string) {
  const header = `-H "authorization: Bearer ${keys["DESK_AGENT_KEY"]}" -H "content-type: application/json"`;
  return [
    { text: `   API        ${address}/docs`, isAside: false },
    { text: `   a call     curl -s ${address}/v1/calls ${header} \\`, isAside: false },
    { text: `                -d '${JSON.stringify({ session, ...callToTry })}'`, isAside: false },
    { text: `   approvals  SIGNALBOX_KEY=${keys["DESK_LEAD_KEY"]} npx signalbox approvals list --url ${address}`, isAside: false },
    {
      text: "                then the same with `approvals show ID` and `approve ID`; up to 5 euros that the user names, too, need nobody's yes",
      isAside: true,
    },
    { text: "   ledger     npx signalbox audit verify --config examples/support-desk/signalbox.yaml", isAside: false },
  ];
}

/** A printer; colour only on a terminal, and not where `NO_COLOR` is set. */
export function createPrinter(out: Pick<WriteStream, "write"> & { readonly isTTY?: boolean }): Printer {
  const isColoured = out.isTTY === true && process.env["NO_COLOR"] === undefined;
  const paint = (code: number, text: string): string => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text = ""): void => void out.write(`${text}\n`);
  const dim = (text: string): string => paint(2, text);
  function outcome(label: string, { kind, text }: StepOutcome): void {
    const shown = text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
    line(`   ${paint(colours[kind], `${marks[kind]} ${label.padEnd(9)}`)} ${shown}`);
  }
  // Calls of one turn run at the same time; each one's lines are kept together.
  const waiting = new Map<string, string[]>();
  return {
    opening(address, toolCount) {
      line();
      line(
        `${paint(1, "Signalbox")} is up on ${address}: ${toolCount} tools of a real shop and two MCP servers, one recorded conversation.`,
      );
      line(dim("Each call makes the same journey; the lines are the stages at which something was decided."));
    },
    step(number, story, said) {
      line();
      line(paint(1, `${number}. ${story}`));
      line(dim(`   user        “${said}”`));
    },
    event(event) {
      // Look-ups that the policy makes for a call are calls too; the story shows only the ones that a model asked for.
      if (event.isInside) return;
      const lines = waiting.get(event.callId) ?? [];
      waiting.set(event.callId, lines);
      if (event.note !== "") lines.push(`   ${event.stage.padEnd(11)} ${event.note}`);
      if (event.stage !== "call") return;
      for (const text of lines) line(dim(text));
      waiting.delete(event.callId);
    },
    answer: (told) => outcome(told.kind, told),
    person: (what) => line(dim(`   person      ${what}`)),
    books(database) {
      line();
      line(paint(1, "The shop's own books afterwards"));
      line(`   refunds ${database.refunds().length}, pick-ups ${database.pickups().length}, mails ${database.mails().length}`);
    },
    ledger(verified) {
      const told = verified.ok ? paint(32, "✓ verified") : paint(31, "✗ does not verify");
      line(
        `   ledger ${told}: ${verified.entries} entries in ${verified.batches} sealed batches, ${verified.checkpoints} signed ${verified.checkpoints === 1 ? "checkpoint" : "checkpoints"}`,
      );
    },
    wrong: () => line(paint(31, "\nThe story did not go as told; see the marks above.")),
    next(address, keys, session) {
      line();
      line(paint(1, "It stays up. Try:"));
      for (const { text, isAside } of whatToTry(address, keys, session)) line(isAside ? dim(text) : text);
    },
    mcpServers(servers) {
      line("   MCP        the same tools for an MCP client; put one of these into its configuration:");
      line(JSON.stringify({ mcpServers: servers }, undefined, 2));
      line(dim("   Ctrl-C ends it."));
    },
  };
}
