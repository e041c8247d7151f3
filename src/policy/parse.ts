import type { Limits } from "../base/limits.ts";
import type { PolicyDocument } from "./document.ts";
import type { Problem } from "./problem.ts";
import { parseBudgets, parseFacts, parseLimits, parseRoles } from "./parse-parts.ts";
import { parseRules } from "./parse-rules.ts";
import { members } from "./parse-values.ts";
import { reportInto } from "./problem.ts";

/** What became of reading a policy. */
export type ParsedPolicy = { readonly policy: PolicyDocument } | { readonly problems: readonly Problem[] };

const known = ["version", "roles", "facts", "rules", "limits", "budgets"];
const later = { separation: "separation of data is not supported yet", include: "includes are not supported yet" };

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
  const policy: PolicyDocument = {
    version: 1,
    roles: parseRoles(top["roles"], report.at("roles")),
    facts,
    rules: parseRules(top["rules"], { limits, factNames: Object.keys(facts) }, report.at("rules")),
    limits: parseLimits(top["limits"], report.at("limits")),
    budgets: parseBudgets(top["budgets"], report.at("budgets")),
  };
  return problems.length > 0 ? { problems } : { policy };
}
