import type { JsonObject } from "../domain/json.ts";
import { gatewayFlags, type Command } from "./command.ts";
import { gatewayClient, problemText } from "./gateway-client.ts";
import { show, table } from "./terminal.ts";

interface PinBody {
  readonly tool: string;
  readonly tier: string;
  readonly state: string;
  readonly digest: string;
  readonly definition: JsonObject;
  readonly admittedDefinition?: JsonObject;
  readonly problems: readonly string[];
}

const pins: Command = {
  name: "tools pins",
  summary: "List what sources offer and what of it waits for review",
  takes: ["[TOOL]"],
  flags: gatewayFlags,
  about: "With a TOOL, its whole definition as it came, and the one that was admitted. Needs the key of an administrator.",
  async run(invocation) {
    const [wanted] = invocation.positionals;
    const answer = await gatewayClient(invocation)("GET", "/v1/pins");
    if (answer.status !== 200) return refused(invocation, answer);
    const all = answer.body["pins"] as unknown as readonly PinBody[];
    const found = wanted === undefined ? all : all.filter(({ tool }) => tool === wanted);
    if (wanted !== undefined && found.length === 0) {
      invocation.terminal.err(`no source offers a tool \`${printable(wanted)}\`\n`);
      return "failed";
    }
    show(invocation, { pins: found }, () => (wanted === undefined ? listing(found) : found.map(details).join("")));
    return "ok";
  },
};

const admit: Command = {
  name: "tools admit",
  summary: "Let a definition of a source be used from now on",
  takes: ["TOOL"],
  flags: {
    ...gatewayFlags,
    digest: { value: "SHA256", about: "the definition that was reviewed, from `tools pins TOOL`; the first 12 digits do" },
  },
  about: "Look at it first: `signalbox tools pins TOOL`. A definition that changed since is refused. Needs the key of an administrator.",
  async run(invocation) {
    const [tool = ""] = invocation.positionals;
    const { digest = "" } = invocation.texts;
    const ask = gatewayClient(invocation);
    if (!/^[0-9a-f]{12,64}$/.test(digest)) {
      invocation.terminal.err(
        "say which definition you have reviewed: --digest with at least 12 digits of it, from `signalbox tools pins TOOL`\n",
      );
      return "usage";
    }
    const listed = await ask("GET", "/v1/pins");
    if (listed.status !== 200) return refused(invocation, listed);
    const found = (listed.body["pins"] as unknown as readonly PinBody[]).find((pin) => pin.tool === tool);
    if (found === undefined || !found.digest.startsWith(digest)) {
      invocation.terminal.err(`no source offers \`${printable(tool)}\` with this digest; see \`signalbox tools pins\`\n`);
      return "failed";
    }
    const answer = await ask("POST", "/v1/pins/admit", { tool, digest: found.digest });
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => `\`${printable(tool)}\` may be used from now on\n`);
    return "ok";
  },
};

function refused(invocation: Parameters<Command["run"]>[0], answer: Parameters<typeof problemText>[0]): "failed" {
  invocation.terminal.err(`${printable(problemText(answer))}\n`);
  return "failed";
}

function listing(found: readonly PinBody[]): string {
  if (found.length === 0) return "no source offers any tool\n";
  const rows = found.map(({ tool, tier, state, digest, definition, problems }) => [
    printable(tool),
    tier,
    state,
    digest.slice(0, 12),
    printable(problems.length > 0 ? problems.join("; ") : descriptionOf(definition)).slice(0, 80),
  ]);
  // An operator who tiers a whole server as `read` may not have seen what all it offers.
  const doubted = found.filter(({ tier, definition }) => tier === "read" && saysItChanges(definition)).map(({ tool }) => printable(tool));
  const doubt =
    doubted.length === 0
      ? ""
      : `\ntiered \`read\`, though the server itself says that they change something: ${doubted.join(", ")}\n  mend: leave them out with \`allow:\`, or tier them under \`tiers:\`\n`;
  return `${table([["TOOL", "TIER", "STATE", "DIGEST", "DESCRIPTION"], ...rows])}${doubt}`;
}

function details({ tool, tier, state, digest, definition, admittedDefinition, problems }: PinBody): string {
  const shown = (about: string, value: JsonObject): string => `${about}:\n${escaped(JSON.stringify(value, undefined, 2))}\n`;
  return [
    `${printable(tool)}: ${state}, tier ${tier}, ${digest}\n`,
    ...problems.map((problem) => `  ${printable(problem)}\n`),
    ...(admittedDefinition === undefined ? [] : [shown("admitted", admittedDefinition)]),
    shown("offered", definition),
  ].join("");
}

function saysItChanges({ annotations }: JsonObject): boolean {
  const said = annotations as { readonly readOnlyHint?: unknown; readonly destructiveHint?: unknown } | null | undefined;
  return said?.readOnlyHint === false || said?.destructiveHint === true;
}

function descriptionOf(definition: JsonObject): string {
  const { description } = definition;
  return typeof description === "string" ? description : "";
}

/** A text from outside on one line of plain characters: what a terminal would obey, or what looks like something else, is shown as its escape. */
function printable(text: string): string {
  return escaped(text.replace(/\s+/g, " "));
}

function escaped(text: string): string {
  return text.replace(/[^\n\x20-\x7e]/gu, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** Commands of those who review what sources offer. */
export const pinCommands: readonly Command[] = [pins, admit];
