import { defaultLimits } from "../base/limits.ts";
import type { Config } from "../config/document.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { readYaml } from "../config/yaml-text.ts";
import type { Tool } from "../domain/tool.ts";
import { checkPolicy } from "../policy/check.ts";

/**
 * What a policy that can be read still gets wrong for the tools of the configuration, each with its line. Tools of MCP servers are known to a running gateway
 * only, so what names them is not missed.
 *
 * @param loaded the configuration with the texts it was read from; a policy in a file of its own is the second of them.
 */
export function policyProblems(
  loaded: { readonly config: Config; readonly texts: Readonly<Record<string, string>> },
  tools: readonly Tool[],
): readonly ConfigProblem[] {
  const { config, texts } = loaded;
  const isLater = (name: string): boolean =>
    config.mcpSources.some((source) => name.startsWith(`${source.name}.`) || name === `source:${source.name}`);
  const found = checkPolicy(config.policy, tools, config.limits).filter(({ missing }) => missing === undefined || !isLater(missing));
  const files = Object.entries(texts);
  const [file, text] = files[1] ?? files[0] ?? ["", ""];
  const yaml = readYaml(file, text, defaultLimits);
  const above = files.length > 1 ? "" : "/policy";
  return found.map(({ path, message }) => {
    const finding = { path: above + path, message, mend: "" };
    return "problems" in yaml ? { file, line: 0, column: 0, ...finding } : yaml.place(finding);
  });
}
