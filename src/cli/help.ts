import { commonFlags, type Command, type Flag } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { table } from "./terminal.ts";

/** Help for everything, one family (`policy`) or one command. */
export function helpText(commands: readonly Command[], about: string): string {
  const one = commands.find((command) => command.name === about);
  if (one !== undefined) return commandHelp(one);
  const listed = about === "" ? commands : commands.filter((command) => command.name.startsWith(`${about} `));
  const lines = [
    "signalbox: decides whether a tool call may happen, makes it happen, proves what happened",
    "",
    "usage: signalbox COMMAND [ARGUMENTS] [FLAGS]",
    "",
  ];
  return `${lines.join("\n")}\n${table(listed.map((command) => ["", usageOf(command), command.summary]))}\n\`signalbox help COMMAND\` tells more. Exit codes: ${Object.values(
    exitCodes,
  )
    .map((row) => `${row.code} ${row.about}`)
    .join("; ")}.\n`;
}

/** `policy test FILE` with its flags. */
export function usageOf(command: Command): string {
  return [command.name, ...(command.takes ?? [])].join(" ");
}

function commandHelp(command: Command): string {
  const flags = Object.entries({ ...command.flags, ...commonFlags }).map(([name, flag]) => ["", flagUsage(name, flag), flag.about]);
  const about = command.about === undefined ? "" : `\n${command.about}\n`;
  return `${command.summary}\n\nusage: signalbox ${usageOf(command)} [FLAGS]\n${about}\n${table(flags)}`;
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
