import type { Limits } from "../base/limits.ts";
import type { PolicyDocument } from "./document.ts";
import type { Problem } from "./problem.ts";
import { parseBudgets, parseDirectory, parseFacts, parseLimits, parseRoles } from "./parse-parts.ts";
import { parseSeparation, parseSequences } from "./parse-history.ts";
import { parseRules } from "./parse-rules.ts";
import { members } from "./parse-values.ts";
import { reportInto, type Report } from "./problem.ts";

/** What became of reading a policy. */
export type ParsedPolicy = { readonly policy: PolicyDocument } | { readonly problems: readonly Problem[] };

const known = ["version", "roles", "facts", "directory", "rules", "sequences", "separation", "limits", "budgets"];
const later = { include: "includes are not supported yet" };

/**
 * Reads a policy from data (the parsed YAML or JSON). Every problem is reported at once, each with its place; unknown members are refused, since a
 * mistyped rule that is silently ignored is a hole. Conditions are parsed here, so a policy that was read never fails on syntax later.
 */
export function parsePolicy(raw: unknown, limits: Limits): ParsedPolicy {
  const problems: Problem[] = [];
  const report = reportInto(problems);
  const top = members(raw, { known, later }, report);
  if (top === undefined) return { problems };
  if (top["version"] !== undefined && top["version"] !== 1) report.at("version").add("the version of a policy is `1`");
  const facts = parseFacts(top["facts"], limits, report.at("facts"));
  const surroundings = { limits, factNames: Object.keys(facts) };
  const directory = parseDirectory(top["directory"], limits, report.at("directory"));
  const policy: PolicyDocument = {
    version: 1,
    roles: parseRoles(top["roles"], report.at("roles")),
    facts,
    ...(directory !== undefined && { directory }),
    rules: parseRules(top["rules"], surroundings, report.at("rules")),
    sequences: parseSequences(top["sequences"], surroundings, report.at("sequences")),
    separation: parseSeparation(top["separation"], limits, report.at("separation")),
    limits: parseLimits(top["limits"], report.at("limits")),
    budgets: parseBudgets(top["budgets"], report.at("budgets")),
  };
  reportSharedIds(policy, report);
  return problems.length > 0 ? { problems } : { policy };
}

/** A reason names its rule by id alone, so no two rules of any kind share one; `rules` has looked among its own. */
function reportSharedIds(policy: PolicyDocument, report: Report): void {
  const taken = new Set(policy.rules.map((rule) => rule.id));
  for (const part of ["sequences", "separation"] as const) {
    for (const [index, { id }] of policy[part].entries()) {
      if (taken.has(id)) report.at(part).at(index).at("id").add(`the id \`${id}\` is taken by another rule; ids are unique`);
      taken.add(id);
    }
  }
}
