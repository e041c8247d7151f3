/** The program: gives the command line the world it works in. Everything else is a parameter from here on. */
import { text } from "node:stream/consumers";
import packageJson from "../package.json" with { type: "json" };
import { systemClock } from "./base/clock.ts";
import { systemRandom } from "./base/random.ts";
import { commands } from "./cli/commands.ts";
import { runCommandLine } from "./cli/run.ts";

const { env, stdout, stderr } = process;

// A reader that went away (`signalbox audit export | head`) ends the program without a word.
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), commands, {
  environment: env,
  terminal: {
    out: (written) => void stdout.write(written),
    err: (written) => void stderr.write(written),
    columns: stdout.isTTY ? stdout.columns : undefined,
    hasColour: stdout.isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
  },
  clock: systemClock,
  random: systemRandom,
  folder: process.cwd(),
  version: packageJson.version,
  stopped: () =>
    new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
    }),
  onHangup: (task) => {
    // A terminal that closes sends the same signal; a program that was started there ends with it.
    if (!stdout.isTTY) process.on("SIGHUP", task);
  },
  readInput: () => text(process.stdin),
  streams: () => ({ input: process.stdin, output: stdout }),
});
