import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parse } from "yaml";
import { toolCallError } from "../errors/tool-call-error.ts";
import { renderProblems } from "../config/problem.ts";
import { createPolicyEngine } from "../policy/engine.ts";
import { parseTestTable, runTestTable } from "../policy/test-table.ts";
import { configFlag, type Command } from "./command.ts";
import { explainCommand } from "./explain-command.ts";
import { configuredTools, readConfig, requireConfig, showProblems } from "./installation.ts";
import { policyProblems } from "./policy-problems.ts";
import { paint, plain, show, table } from "./terminal.ts";

const check: Command = {
  name: "policy check",
  summary: "Say what the policy gets wrong for the tools there are",
  flags: configFlag,
  async run(invocation) {
    const loaded = await readConfig(invocation);
    if (!("config" in loaded)) {
      showProblems(loaded, invocation);
      return "config";
    }
    const { config } = loaded;
    const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
    const problems = policyProblems(loaded, tools);
    const later = config.mcpSources.map(({ name }) => `\`${name}\``).join(", ");
    const beside = later === "" ? "" : `; those of ${later} are known to a running gateway only`;
    show(invocation, { problems }, () =>
      problems.length === 0 ? `policy fits ${tools.length} tools${beside}\n` : `${renderProblems(problems, loaded.texts)}\n`,
    );
    return problems.length === 0 ? "ok" : "failed";
  },
};

const test: Command = {
  name: "policy test",
  summary: "Run a table of expected decisions against the policy",
  takes: ["FILE"],
  flags: configFlag,
  about: "The table is YAML: `cases: [{name, user, roles, tool, args, facts, expect: allow|modify|ask|defer|deny, rule}]`.",
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const path = resolve(invocation.folder, invocation.positionals[0] as string);
    const parsed = parseTestTable(parse(await readText(path)));
    if ("problems" in parsed) {
      show(invocation, parsed, () => table(parsed.problems.map((problem) => [`${path}${problem.path}`, problem.message])));
      return "config";
    }
    const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
    const results = runTestTable(createPolicyEngine(config.policy, { limits: config.limits }), tools, parsed.cases);
    const failedCount = results.filter((result) => !result.isPassed).length;
    const { terminal } = invocation;
    show(
      invocation,
      { results },
      () =>
        `${results.map((result) => `${result.isPassed ? paint(terminal, "green", "pass") : paint(terminal, "red", "FAIL")}  ${plain(result.name)}${result.isPassed ? "" : `: ${plain(result.message)}`}\n`).join("")}${results.length - failedCount} passed, ${failedCount} failed\n`,
    );
    return failedCount === 0 ? "ok" : "failed";
  },
};

const showPolicy: Command = {
  name: "policy show",
  summary: "Show the policy as it is understood, with its version",
  flags: configFlag,
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const { version } = createPolicyEngine(config.policy, { limits: config.limits });
    const { roles, rules } = config.policy;
    show(invocation, { version, policy: config.policy }, () => {
      const granted = table([["ROLE", "GRANTS"], ...Object.entries(roles).map(([role, globs]) => [role, globs.join(", ")])]);
      const listed = table([
        ["RULE", "ON", "EFFECT", "WHEN"],
        ...rules.map((rule) => [rule.id, rule.on.join(", "), rule.effect, rule.when ?? "always"]),
      ]);
      return `version ${version.slice(0, 12)}\n\n${granted}\n${listed}`;
    });
    return "ok";
  },
};

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw toolCallError("REQUEST_INVALID", `\`${path}\` cannot be read`, { cause });
  }
}

/** Commands about the policy. */
export const policyCommands: readonly Command[] = [check, test, explainCommand, showPolicy];
