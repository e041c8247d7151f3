import { readFile, writeFile } from "node:fs/promises";
import { isMap, parseDocument, type Document } from "yaml";
import { argumentMeanings, type ArgumentMeaning } from "../call/review/tool-roles.ts";
import type { Config } from "../config/document.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tool } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { configFlag, gatewayFlags, type Command, type Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { gatewayClient, refused } from "./gateway-client.ts";
import { configPath, configuredTools, requireConfig } from "./installation.ts";
import { paint, plain, show, table } from "./terminal.ts";

type KnownTool = Pick<Tool, "name" | "source" | "inputSchema" | "argumentRoles">;

interface ToolMeanings {
  readonly tool: string;
  readonly source: string;
  readonly arguments: readonly ArgumentMeaning[];
}

/** `signalbox tools roles`: what arguments mean, declared or guessed, and the lines that turn a guess into a declaration. */
export const rolesCommand: Command = {
  name: "tools roles",
  summary: "Show what arguments mean, declared or guessed, and the lines to confirm",
  takes: ["[SOURCE]"],
  flags: {
    ...configFlag,
    ...gatewayFlags,
    running: { about: "ask the running gateway, which knows the tools of MCP servers too; for the key of an approver or administrator" },
    write: { about: "write the suggested lines of SOURCE into the configuration; look at them first" },
  },
  about:
    "A guess only adds questions. What is declared may also answer the question of a tier by the user's words, so declare what you have looked at. Guesses from a description are shown and count for nothing until they are declared.",
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const [source] = invocation.positionals;
    const isWriting = invocation.switches["write"] === true;
    if (isWriting && source === undefined)
      throw toolCallError("REQUEST_INVALID", "name the source whose lines are to be written: `tools roles SOURCE --write`");
    const found = await knownTools(config, invocation);
    if (!Array.isArray(found)) return found as Ending;
    const tools = (found as readonly KnownTool[])
      .filter((tool) => source === undefined || tool.source === source)
      .map((tool): ToolMeanings => ({ tool: tool.name, source: tool.source, arguments: argumentMeanings(tool) }));
    if (tools.length === 0)
      throw toolCallError("NOT_FOUND", source === undefined ? "there are no tools" : `no tool is of a source \`${plain(source)}\``);
    const places = placesOf(config);
    if (isWriting) return await written(invocation, tools, places);
    show(invocation, { tools }, () => rolesText(invocation, tools, places));
    return "ok";
  },
};

async function knownTools(config: Config, invocation: Invocation): Promise<readonly KnownTool[] | Ending> {
  if (invocation.switches["running"] !== true) return (await configuredTools(config, invocation)).map(({ tool }) => tool);
  const answer = await gatewayClient(invocation)("GET", "/v1/tools");
  return answer.status === 200 ? (answer.body["tools"] as unknown as readonly KnownTool[]) : refused(invocation, answer);
}

/** The kind of each configured source: where in the file the tools of it stand. */
function placesOf(config: Config): ReadonlyMap<string, "http" | "mcp"> {
  return new Map([
    ...config.sources.map(({ name }) => [name, "http"] as const),
    ...config.mcpSources.map(({ name }) => [name, "mcp"] as const),
  ]);
}

/** What a tool is still to be told: every argument of a tool that has any guess, so that nothing is left out by declaring the others. */
function suggested({ arguments: all }: ToolMeanings): Readonly<Record<string, ArgumentRole>> {
  if (all.every(({ from }) => from === "declared")) return {};
  return Object.fromEntries(
    all.flatMap(({ name, role, from }) => (role === undefined || from === "declared" ? [] : [[name, role] as const])),
  );
}

function rolesText(invocation: Invocation, tools: readonly ToolMeanings[], places: ReadonlyMap<string, "http" | "mcp">): string {
  const { terminal } = invocation;
  const rows = tools.flatMap(({ tool, arguments: all }) =>
    all.map(({ name, role, from, word, confidence, now }, index) => [
      index === 0 ? tool : "",
      name,
      role ?? "-",
      confidence,
      from === "declared" ? "declared" : from === "nothing" ? "nothing says what it is" : `${from} \`${word ?? ""}\``,
      now === role ? "" : `counts as ${now ?? "content if long, else ref"} now`,
    ]),
  );
  const lines = linesOf(tools, places);
  const advice =
    lines === ""
      ? "\neverything that could be guessed is declared\n"
      : `\n${paint(terminal, "bold", "To confirm")}: look at each, mend what is wrong, and put it into signalbox.yaml (or: tools roles SOURCE --write)\n${lines}`;
  return `${table([["TOOL", "ARGUMENT", "ROLE", "CERTAINTY", "FROM", ""], ...rows])}${advice}`;
}

function linesOf(tools: readonly ToolMeanings[], places: ReadonlyMap<string, "http" | "mcp">): string {
  const lines: string[] = [];
  for (const source of new Set(tools.map((tool) => tool.source))) {
    const place = places.get(source);
    const of = tools.filter((tool) => tool.source === source && Object.keys(suggested(tool)).length > 0);
    if (of.length === 0) continue;
    if (place === undefined)
      lines.push(
        `# in code, where the tool is made (${plain(source)}):`,
        ...of.map((tool) => `#   ${plain(tool.tool)}: arguments: ${flow(suggested(tool))}`),
      );
    else {
      lines.push(`${lines.some((line) => line === "sources:") ? "" : "sources:\n"}  ${plain(source)}:`, `    ${place}:`, "      tools:");
      for (const tool of of) lines.push(`        ${key(shortName(tool))}:`, `          arguments: ${flow(suggested(tool))}`);
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function flow(roles: Readonly<Record<string, ArgumentRole>>): string {
  return `{ ${Object.entries(roles)
    .map(([name, role]) => `${key(name)}: ${role}`)
    .join(", ")} }`;
}

/** A name as YAML reads it back. */
function key(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name)
    ? name
    : JSON.stringify(plain(name));
}

function shortName({ tool, source }: ToolMeanings): string {
  return tool.startsWith(`${source}.`) ? tool.slice(source.length + 1) : tool;
}

async function written(
  invocation: Invocation,
  tools: readonly ToolMeanings[],
  places: ReadonlyMap<string, "http" | "mcp">,
): Promise<Ending> {
  const source = tools[0]?.source ?? "";
  const place = places.get(source);
  if (place === undefined)
    throw toolCallError("REQUEST_INVALID", `the tools of \`${plain(source)}\` are made in code; declare their \`arguments\` there`);
  const path = configPath(invocation);
  const document = parseDocument(await readFile(path, "utf8"));
  const changed = tools.filter((tool) =>
    declare(document, ["sources", source, place, "tools", shortName(tool), "arguments"], suggested(tool)),
  );
  if (changed.length > 0) await writeFile(path, document.toString({ lineWidth: 0, flowCollectionPadding: true }));
  show(invocation, { written: changed.map(({ tool }) => tool) } satisfies JsonObject, () =>
    changed.length === 0
      ? "nothing to write: all that could be guessed is declared\n"
      : `wrote the arguments of ${changed.length} tool${changed.length === 1 ? "" : "s"} into \`${plain(path)}\`; look at the difference, then \`signalbox doctor\`\n`,
  );
  return "ok";
}

/** Adds roles beside those that stand there; says whether anything was added. Everything else of the file stays, comments included; blanks may be set anew. */
function declare(document: Document, place: readonly string[], roles: Readonly<Record<string, ArgumentRole>>): boolean {
  const names = Object.keys(roles);
  if (names.length === 0) return false;
  const there = document.getIn(place);
  if (!isMap(there)) document.setIn(place, document.createNode(roles, { flow: true }));
  else for (const name of names) document.setIn([...place, name], roles[name]);
  return true;
}
