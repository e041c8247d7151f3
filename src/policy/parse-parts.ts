import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { DirectorySpec, FactSpec, PolicyDocument, SessionBudgetSpec } from "./document.ts";
import { domainProblem } from "./domains.ts";
import { factVariables, parseExpression } from "./expression.ts";
import { globProblem } from "./glob.ts";
import { entries, kindOf, members, nameProblem, text, textList, wholeNumber } from "./parse-values.ts";
import type { Report } from "./problem.ts";

const permissionPrefix = "permission:";

/** Reads `roles`: tool globs and `permission:NAME` entries by role. */
export function parseRoles(raw: unknown, report: Report): PolicyDocument["roles"] {
  const roles: [string, readonly string[]][] = [];
  for (const [name, grants] of entries(raw, "list of tool globs", report)) {
    const problem = nameProblem(name);
    if (problem !== undefined) report.at(name).add(problem);
    else roles.push([name, textList(grants, { orOne: true, problemOf: grantProblem }, report.at(name))]);
  }
  return Object.fromEntries(roles);
}

function grantProblem(grant: string): string | undefined {
  return grant.startsWith(permissionPrefix) ? nameProblem(grant.slice(permissionPrefix.length)) : globProblem(grant);
}

/** Reads `facts`: look-ups by name, their arguments as CEL. */
export function parseFacts(raw: unknown, limits: Limits, report: Report): PolicyDocument["facts"] {
  const facts: [string, FactSpec][] = [];
  for (const [name, spec] of entries(raw, "look-up", report)) {
    const place = report.at(name);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || nameProblem(name) !== undefined)
      place.add("a fact's name is used in expressions: letters, digits and `_`, beginning with a letter");
    const object = members(spec, { known: ["tool", "arguments", "absent", "cacheMs"] }, place);
    if (object === undefined) continue;
    const tool = text(object["tool"], fixedBounds.configNameCharsMax, place.at("tool")) ?? "";
    if (tool.includes("*")) place.at("tool").add("a fact is looked up by one tool; stars are not allowed here");
    const absent = object["absent"] === undefined ? undefined : text(object["absent"], fixedBounds.configNameCharsMax, place.at("absent"));
    const cacheMs = parseCacheMs(object["cacheMs"], limits, place.at("cacheMs"));
    const fact: FactSpec = {
      ...(cacheMs !== undefined && { cacheMs }),
      tool,
      arguments: parseFactArguments(object["arguments"], limits, place.at("arguments")),
    };
    facts.push([name, absent === undefined ? fact : { ...fact, absent }]);
  }
  return Object.fromEntries(facts);
}

function parseCacheMs(raw: unknown, limits: Limits, report: Report): number | undefined {
  const cacheMs = wholeNumber(raw, 1, report);
  if (cacheMs !== undefined && cacheMs > limits.factCacheMsMax)
    report.add(`a fact is kept for at most ${limits.factCacheMsMax} ms (\`factCacheMsMax\`)`);
  return cacheMs;
}

const directoryMembers = ["tool", "argument", "user", "groups", "roles", "cacheMs"];

/** Reads `directory`: who the people are that calls send to. */
export function parseDirectory(raw: unknown, limits: Limits, report: Report): DirectorySpec | undefined {
  if (raw === undefined || raw === null) return undefined;
  const object = members(raw, { known: directoryMembers }, report);
  if (object === undefined) return undefined;
  const tool = text(object["tool"], fixedBounds.configNameCharsMax, report.at("tool")) ?? "";
  if (tool.includes("*")) report.at("tool").add("people are looked up by one tool; stars are not allowed here");
  const groups = object["groups"] === undefined ? undefined : parsePointer(object["groups"], report.at("groups"));
  const roles = object["roles"] === undefined ? undefined : parsePointer(object["roles"], report.at("roles"));
  const cacheMs = parseCacheMs(object["cacheMs"], limits, report.at("cacheMs"));
  return {
    tool,
    argument: text(object["argument"], fixedBounds.configNameCharsMax, report.at("argument")) ?? "",
    user: parsePointer(object["user"], report.at("user")) ?? "",
    ...(groups !== undefined && { groups }),
    ...(roles !== undefined && { roles }),
    ...(cacheMs !== undefined && { cacheMs }),
  };
}

function parsePointer(raw: unknown, report: Report): string | undefined {
  const pointer = text(raw, fixedBounds.configNameCharsMax, report);
  if (pointer === undefined || /^(?:\/(?:[^~/]|~[01])+)+$/.test(pointer)) return pointer;
  report.add("expected a JSON pointer into what the tool answers, such as `/id`");
  return undefined;
}

function parseFactArguments(raw: unknown, limits: Limits, report: Report): FactSpec["arguments"] {
  const known: [string, string][] = [];
  for (const [name, source] of entries(raw, "CEL expression", report)) {
    const place = report.at(name);
    const expression = text(source, limits.ruleCharsMax, place);
    if (expression === undefined) continue;
    const parsed = parseExpression(expression, { variables: factVariables, factNames: [] }, limits);
    if ("problem" in parsed) place.add(parsed.problem);
    else known.push([name, expression]);
  }
  return Object.fromEntries(known);
}

/** Reads `limits`: actions that nobody may call, hosts that egress may reach. */
export function parseLimits(raw: unknown, report: Report): PolicyDocument["limits"] {
  if (raw === undefined || raw === null) return { blockedActions: [], allowedDomains: undefined };
  const object = members(raw, { known: ["blockedActions", "allowedDomains"] }, report);
  const blocked = object?.["blockedActions"];
  const domains = object?.["allowedDomains"];
  return {
    blockedActions: blocked === undefined ? [] : textList(blocked, { orOne: true, problemOf: globProblem }, report.at("blockedActions")),
    allowedDomains:
      domains === undefined
        ? undefined
        : textList(domains, { orOne: true, problemOf: domainProblem }, report.at("allowedDomains")).map((domain) => domain.toLowerCase()),
  };
}

const budgetsLater = {
  principal: "budgets per principal are not supported yet; use `session`",
  tool: "budgets per tool are not supported yet; a tool declares its own rate",
};
const sessionLater = { tokens: "token budgets are not supported yet; use `calls`, `usd` or `executionMs`" };

/** Reads `budgets`. Money is written in USD and kept in whole micros. */
export function parseBudgets(raw: unknown, report: Report): PolicyDocument["budgets"] {
  const none: SessionBudgetSpec = { calls: undefined, executionMs: undefined, costMicrosUsd: undefined };
  if (raw === undefined || raw === null) return { session: none };
  const object = members(raw, { known: ["session"], later: budgetsLater }, report);
  if (object?.["session"] === undefined) return { session: none };
  const place = report.at("session");
  const session = members(object["session"], { known: ["calls", "usd", "executionMs"], later: sessionLater }, place);
  if (session === undefined) return { session: none };
  return {
    session: {
      calls: wholeNumber(session["calls"], 1, place.at("calls")),
      executionMs: wholeNumber(session["executionMs"], 1, place.at("executionMs")),
      costMicrosUsd: microsUsd(session["usd"], place.at("usd")),
    },
  };
}

function microsUsd(raw: unknown, report: Report): number | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw !== "number" || !Number.isFinite(raw) || raw < 0 || raw > 1_000_000_000) {
    report.add(`expected an amount in USD of at least 0; got ${typeof raw === "number" ? `\`${raw}\`` : kindOf(raw)}`);
    return undefined;
  }
  return Math.round(raw * 1_000_000);
}
