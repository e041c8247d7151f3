import { serveConfig, type Serving } from "../gateway/serve.ts";
import { configFlag, type Command, type Invocation } from "./command.ts";
import { configPath, readConfig, showProblems } from "./installation.ts";
import { paint } from "./terminal.ts";

async function serveStdioUntil(stopped: Promise<void>, serving: Serving, invocation: Invocation): Promise<void> {
  const { input, output } = invocation.streams();
  try {
    const stdio = serving.serveStdio({ as: invocation.texts["as"], input, output });
    await Promise.race([stopped, stdio.done]);
  } catch (error) {
    await serving.close();
    throw error;
  } finally {
    // A reader that waits for more would keep the process.
    input.destroy();
  }
}

/** `signalbox serve`: the gateway, until the process is told to stop. */
export const serveCommand: Command = {
  name: "serve",
  summary: "Start the gateway",
  flags: {
    ...configFlag,
    stdio: { about: "also serve one MCP client over standard input and output; ends when the input ends" },
    as: { value: "CREDENTIAL", about: "with --stdio: in whose name; default the only one under `mcp.credentials`" },
  },
  about:
    "Logs JSON lines to standard error. SIGTERM or Ctrl-C stops it: what was accepted is finished first. A policy that changes in the configuration, or in the file that it names, is put in force at once, and so are `credentials`; what is broken is named in the log, and the last sound one stays, also over a restart. Without a terminal, SIGHUP reads the files again. Every other setting takes a restart.",
  async run(invocation) {
    const loaded = await readConfig(invocation);
    const config = "config" in loaded ? loaded.config : loaded.withoutPolicy;
    // With a broken policy the gateway goes on with the last sound one, and says in its log what is wrong with the new.
    if (config === undefined || (!("config" in loaded) && config.store.kind === "memory")) {
      if ("problems" in loaded) showProblems(loaded, invocation);
      return "config";
    }
    const { environment, clock, random, version, terminal } = invocation;
    const path = configPath(invocation);
    const keepsPolicy = !("config" in loaded);
    // Listened for before anything starts: a process told to stop while it starts closes what it has opened, as soon as it is up.
    const stopped = invocation.stopped();
    const serving = await serveConfig(config, {
      path,
      keepsPolicy,
      environment,
      clock,
      random,
      version,
      writeLog: (text) => terminal.err(text),
    });
    invocation.onHangup(() => void serving.reload());
    const { address } = serving;
    const words = `signalbox ${version} listens on ${paint(terminal, "bold", address)} (docs: ${address}/docs)\n`;
    const told = invocation.isJson ? `${JSON.stringify({ address })}\n` : words;
    if (invocation.switches["stdio"] === true) {
      // Standard output is the protocol's.
      terminal.err(told);
      await serveStdioUntil(stopped, serving, invocation);
    } else {
      terminal.out(told);
      await stopped;
    }
    await serving.close();
    return "ok";
  },
};
