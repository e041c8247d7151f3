import { ToolCallError } from "../errors/tool-call-error.ts";
import { errorBody } from "../errors/wire.ts";
import type { Command, Surroundings } from "./command.ts";
import { exitCodes, type Ending } from "./exit-codes.ts";
import { helpText, usageOf } from "./help.ts";
import { parseCommandLine } from "./parse.ts";
import { paint, plain } from "./terminal.ts";

/** Runs a command line and returns the exit code. Never throws. */
export async function runCommandLine(line: readonly string[], commands: readonly Command[], surroundings: Surroundings): Promise<number> {
  return exitCodes[await endingOf(line, commands, surroundings)].code;
}

async function endingOf(line: readonly string[], commands: readonly Command[], surroundings: Surroundings): Promise<Ending> {
  const { terminal } = surroundings;
  const parsed = parseCommandLine(line, commands);
  if (parsed.kind === "help") {
    terminal.out(helpText(commands, parsed.about, terminal.columns));
    return "ok";
  }
  if (parsed.kind === "problem") {
    const usage = parsed.command === undefined ? "signalbox help" : `signalbox help ${parsed.command.name}`;
    const shape = parsed.command === undefined ? "" : `usage: signalbox ${usageOf(parsed.command)} [FLAGS]\n`;
    terminal.err(`${paint(terminal, "red", "signalbox:")} ${parsed.message}\n${shape}\`${usage}\` tells more\n`);
    return "usage";
  }
  const { command, ...given } = parsed;
  const isJson = given.switches["json"] === true;
  try {
    return await command.run({ ...surroundings, ...given, isJson });
  } catch (error) {
    return failed(error, isJson, surroundings);
  }
}

function failed(error: unknown, isJson: boolean, { terminal }: Surroundings): Ending {
  if (!(error instanceof ToolCallError)) {
    // A fault of ours on the user's own machine: there the stack helps, and nobody else sees it.
    terminal.err(
      `signalbox: something failed inside Signalbox\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return "internal";
  }
  terminal.err(isJson ? `${JSON.stringify(errorBody(error))}\n` : `${paint(terminal, "red", "signalbox:")} ${plain(error.message)}\n`);
  if (error.code === "CONFIG_INVALID") return "config";
  if (error.code === "REQUEST_INVALID") return "usage";
  if (error.code === "TOOL_UNAVAILABLE") return "unavailable";
  return error.code === "INTERNAL" ? "internal" : "failed";
}
