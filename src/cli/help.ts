import { fixedBounds } from "../base/fixed-bounds.ts";
import { commonFlags, type Command, type Flag } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { fold, table } from "./terminal.ts";

/** Help for everything, one family (`policy`) or one command; folded where a terminal's width is given. */
export function helpText(commands: readonly Command[], about: string, columns?: number): string {
  const one = commands.find((command) => command.name === about);
  if (one !== undefined) return commandHelp(one, columns);
  const listed = about === "" ? commands : commands.filter((command) => command.name.startsWith(`${about} `));
  const what = "signalbox: decides whether a tool call may happen, makes it happen, proves what happened";
  const head = about === "" ? `${fold(what, columns ?? fixedBounds.helpCharsMax).join("\n")}\n\n` : "";
  const usage = `usage: signalbox ${about === "" ? "COMMAND" : `${about} COMMAND`} [ARGUMENTS] [FLAGS]\n\n`;
  const more = `\n\`signalbox help ${about === "" ? "" : `${about} `}COMMAND\` tells more.\n`;
  return `${head}${usage}${table(listing(listed), columns)}${more}${about === "" ? `\nexit codes\n${table(codeRows, columns)}` : ""}`;
}

/** A row a command, with an empty one between families. */
function listing(commands: readonly Command[]): readonly (readonly string[])[] {
  const wordOf = (command: Command | undefined): string => command?.name.split(" ")[0] ?? "";
  // Commands that are alone under their word stand together.
  const familyOf = (command: Command): string =>
    commands.filter((each) => wordOf(each) === wordOf(command)).length > 1 ? wordOf(command) : "";
  return commands.flatMap((command, index) => {
    const before = commands[index - 1];
    const isNext = before !== undefined && familyOf(before) !== familyOf(command);
    return [...(isNext ? [[]] : []), ["", usageOf(command), command.summary]];
  });
}

/** `policy test FILE` with its flags. */
export function usageOf(command: Command): string {
  return [command.name, ...(command.takes ?? [])].join(" ");
}

const codeRows = Object.values(exitCodes).map((row) => ["", String(row.code), row.about]);

function commandHelp(command: Command, columns: number | undefined): string {
  const flags = Object.entries({ ...command.flags, ...commonFlags }).map(([name, flag]) => ["", flagUsage(name, flag), flag.about]);
  const about = command.about === undefined ? "" : `\n${fold(command.about, columns ?? fixedBounds.helpCharsMax).join("\n")}\n`;
  return `${fold(command.summary, columns ?? fixedBounds.helpCharsMax).join("\n")}\n\nusage: signalbox ${usageOf(command)} [FLAGS]\n${about}\n${table(flags, columns)}`;
}

function flagUsage(name: string, flag: Flag): string {
  return flag.value === undefined ? `--${name}` : `--${name} ${flag.value}${flag.isList === true ? " …" : ""}`;
}

/** The reference of the command line as Markdown, for docs/cli.md. */
export function commandPage(commands: readonly Command[]): string {
  const sections = commands.map((command) => {
    const flags = Object.entries(command.flags ?? {}).map(([name, flag]) => `- \`${flagUsage(name, flag)}\`: ${flag.about}`);
    return [
      `### \`signalbox ${usageOf(command)}\``,
      "",
      `${command.summary}.${command.about === undefined ? "" : ` ${command.about}`}`,
      "",
      ...(flags.length > 0 ? [...flags, ""] : []),
    ].join("\n");
  });
  return [
    "# Command line",
    "",
    "Every command takes `--json` (output for machines) and `--help`. Colour only on a terminal, and never with `NO_COLOR`.",
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---:|---|",
    ...Object.values(exitCodes).map((row) => `| ${row.code} | ${row.about} |`),
    "",
    "## Commands",
    "",
    ...sections,
  ].join("\n");
}
