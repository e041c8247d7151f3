import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { nearest } from "../schema/nearest.ts";
import { commonFlags, type Command, type Flag } from "./command.ts";

/** A command line that was understood, or what is wrong with it. */
export type Parsed =
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly texts: Readonly<Record<string, string>>;
      readonly lists: Readonly<Record<string, readonly string[]>>;
      readonly switches: Readonly<Record<string, boolean>>;
      readonly positionals: readonly string[];
    }
  | { readonly kind: "help"; readonly about: string }
  | { readonly kind: "problem"; readonly message: string; readonly command: Command | undefined };

/** Reads a command line against a table of commands. Unknown commands and flags name the nearest known. */
export function parseCommandLine(line: readonly string[], commands: readonly Command[]): Parsed {
  const words = line.filter((word) => !word.startsWith("-"));
  if (line.length === 0 || (words.length === 0 && line.some((word) => word === "--help" || word === "-h")))
    return { kind: "help", about: "" };
  if (line[0] === "--version" || line[0] === "-v") return parseCommandLine(["version"], commands);
  const found = findCommand(line, commands);
  if (typeof found === "string") return { kind: "problem", message: found, command: undefined };
  if (found === undefined) return { kind: "help", about: line[0] as string };
  const { command, rest } = found;
  const flags = { ...command.flags, ...commonFlags };
  const tokens = parseArgs({ args: [...rest], options: optionsOf(flags), strict: false, allowPositionals: true, tokens: true }).tokens;
  const texts: Record<string, string> = {};
  const lists: Record<string, string[]> = {};
  const switches: Record<string, boolean> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined)
      return {
        kind: "problem",
        command,
        message: `\`${command.name}\` has no flag \`${token.rawName}\`${hint(token.name, Object.keys(flags), "--")}`,
      };
    if (flag.value === undefined && token.value !== undefined)
      return { kind: "problem", command, message: `\`--${token.name}\` takes no value` };
    if (flag.value === undefined) switches[token.name] = true;
    else if (token.value === undefined)
      return { kind: "problem", command, message: `\`--${token.name}\` needs a value: \`--${token.name} ${flag.value}\`` };
    else if (flag.isList === true) (lists[token.name] ??= []).push(token.value);
    else texts[token.name] = token.value;
  }
  if (switches["help"] === true) return { kind: "help", about: command.name };
  const problem = countProblem(command, positionals);
  return problem === undefined
    ? { kind: "run", command, texts, lists, switches, positionals }
    : { kind: "problem", message: problem, command };
}

function optionsOf(flags: Readonly<Record<string, Flag>>): ParseArgsOptionsConfig {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ("boolean" as const) : ("string" as const),
        multiple: flag.isList === true,
        ...(name === "help" && { short: "h" }),
      },
    ]),
  );
}

function findCommand(
  line: readonly string[],
  commands: readonly Command[],
): { readonly command: Command; readonly rest: readonly string[] } | string | undefined {
  const [first = "", second = ""] = line;
  const two = commands.find((command) => command.name === `${first} ${second}`);
  if (two !== undefined) return { command: two, rest: line.slice(2) };
  const one = commands.find((command) => command.name === first);
  if (one !== undefined) return { command: one, rest: line.slice(1) };
  const family = commands.filter((command) => command.name.startsWith(`${first} `)).map((command) => command.name);
  if (family.length > 0 && (second === "" || second.startsWith("-"))) return undefined;
  if (family.length > 0) return `no command \`${first} ${shown(second)}\`${hint(`${first} ${second}`, family, "")}`;
  const known = [...new Set(commands.flatMap((command) => [command.name, command.name.split(" ")[0] as string]))];
  return `no command \`${shown(first)}\`${hint(first, known, "")}`;
}

function countProblem(command: Command, positionals: readonly string[]): string | undefined {
  const takes = command.takes ?? [];
  const needed = takes.filter((name) => !name.startsWith("["));
  const missing = needed[positionals.length];
  if (missing !== undefined) return `\`${command.name}\` needs ${missing}`;
  const excess = positionals[takes.length];
  return excess === undefined ? undefined : `\`${command.name}\` does not take \`${shown(excess)}\``;
}

function hint(name: string, known: readonly string[], prefix: string): string {
  const [closest] = nearest(name, known, 1);
  return closest === undefined ? "" : `; nearest: \`${prefix}${closest}\``;
}

function shown(word: string): string {
  return word.replace(/[^\x20-\x5f\x61-\x7e]/g, "?").slice(0, 60);
}
