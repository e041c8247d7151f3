import { open } from "node:fs/promises";
import { limitTable, type LimitRow } from "../base/limits.ts";
import { configSchema } from "../config/schema.ts";
import { configTemplate } from "../config/template.ts";
import { codes, type CodeRow } from "../errors/codes.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { nearest } from "../schema/nearest.ts";
import { configFlag, type Command } from "./command.ts";
import { configPath } from "./installation.ts";
import { show, table } from "./terminal.ts";

const nextSteps = `next: make the keys that it names, in a shell, and start
  for name in AGENT LEAD OPERATOR; do echo "export SIGNALBOX_\${name}_KEY=$(openssl rand -hex 24)"; done > keys.env
  . ./keys.env
  signalbox doctor && signalbox serve
`;

const init: Command = {
  name: "init",
  summary: "Write a commented signalbox.yaml to begin with",
  flags: configFlag,
  about: "Never replaces a file that exists.",
  async run(invocation) {
    const path = configPath(invocation);
    try {
      const file = await open(path, "wx");
      try {
        await file.writeFile(configTemplate);
      } finally {
        await file.close();
      }
    } catch (cause) {
      const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
      throw toolCallError(
        "CONFIG_INVALID",
        isThere
          ? `\`${path}\` exists already; remove it first, or name another with --config`
          : `\`${path}\` cannot be written; check the folder`,
        { cause },
      );
    }
    show(invocation, { written: path }, () => `wrote ${path}\n${nextSteps}`);
    return "ok";
  },
};

const version: Command = {
  name: "version",
  summary: "Print the version",
  async run(invocation) {
    show(
      invocation,
      { signalbox: invocation.version, node: process.versions.node },
      () => `signalbox ${invocation.version} (Node.js ${process.versions.node})\n`,
    );
    return "ok";
  },
};

const errors: Command = {
  name: "errors",
  summary: "Explain an error code, or list all",
  takes: ["[CODE]"],
  async run(invocation) {
    const rows = Object.entries(codes as Readonly<Record<string, CodeRow>>);
    const [wanted] = invocation.positionals;
    const found = wanted === undefined ? rows : rows.filter(([code]) => code === wanted.toUpperCase());
    if (found.length === 0) {
      const closest = nearest(
        String(wanted),
        rows.map(([code]) => code),
        1,
      )[0];
      throw toolCallError(
        "REQUEST_INVALID",
        `no error code \`${String(wanted).slice(0, 60)}\`${closest === undefined ? "" : `; nearest: \`${closest}\``}`,
      );
    }
    show(invocation, Object.fromEntries(found), () =>
      table([
        ["CODE", "FAULT", "RETRY", "HTTP", "WHAT HAPPENED"],
        ...found.map(([code, row]) => [code, row.fault, row.retry, String(row.http), row.about]),
      ]),
    );
    return "ok";
  },
};

const limits: Command = {
  name: "limits",
  summary: "List every bound with its default",
  async run(invocation) {
    const rows = Object.entries(limitTable as Readonly<Record<string, LimitRow>>);
    show(invocation, limitTable, () =>
      table([["NAME", "DEFAULT", "UNIT", "BOUNDS"], ...rows.map(([name, row]) => [name, String(row.value), row.unit, row.about])]),
    );
    return "ok";
  },
};

const schema: Command = {
  name: "schema",
  summary: "Print the JSON Schema of signalbox.yaml, for editors",
  async run(invocation) {
    invocation.terminal.out(`${JSON.stringify(configSchema, undefined, 2)}\n`);
    return "ok";
  },
};

/** Commands that need no installation. */
export const basicCommands: readonly Command[] = [init, version, errors, limits, schema];
