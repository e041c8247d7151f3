import { lintTool } from "../registry/lint.ts";
import { configFlag, type Command } from "./command.ts";
import { configuredTools, requireConfig } from "./installation.ts";
import { show, table } from "./terminal.ts";

const list: Command = {
  name: "tools list",
  summary: "List the tools of the configuration",
  flags: configFlag,
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
    const data = tools.map(({ name, version, tier, idempotency, source, description, inputSchema, fingerprint }) => ({
      name,
      version,
      tier,
      idempotency,
      source,
      description,
      inputSchema,
      fingerprint,
    }));
    show(invocation, { tools: data }, () =>
      data.length === 0
        ? "no tools\n"
        : table([
            ["TOOL", "VERSION", "TIER", "IDEMPOTENCY", "DESCRIPTION"],
            ...data.map((each) => [each.name, each.version, each.tier, each.idempotency, each.description.slice(0, 80)]),
          ]),
    );
    return "ok";
  },
};

const lint: Command = {
  name: "tools lint",
  summary: "Score each tool's definition from 0 to 9 and say what to mend",
  flags: { ...configFlag, min: { value: "SCORE", about: "fail when a tool has fewer points; default 0" } },
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
    const reports = tools.map((tool) => ({ tool: tool.name, ...lintTool(tool) }));
    show(invocation, { reports }, () =>
      reports
        .map(
          (report) =>
            `${report.score}/9 ${report.tool}\n${table(report.findings.map((finding) => ["  ", finding.rule, finding.message, finding.mend]))}`,
        )
        .join(""),
    );
    return reports.every((report) => report.score >= Number(invocation.texts["min"] ?? 0)) ? "ok" : "failed";
  },
};

/** Commands about tools. */
export const toolCommands: readonly Command[] = [list, lint];
