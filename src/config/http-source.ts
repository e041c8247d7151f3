import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Tier } from "../domain/tool.ts";
import type { HttpOptions } from "../connectors/http-options.ts";
import { completeTool, type ToolParts } from "../registry/complete.ts";
import { definitionProblems } from "../registry/definition-problems.ts";
import { plainObject } from "../policy/parse-values.ts";
import type { HttpToolConfig } from "./document.ts";
import type { Report } from "./problem.ts";
import { argumentsShape, asksShape, labelsShape, meaningOf, narrowsShape, redactShape } from "./tool-meaning.ts";
import { breakerShape, bulkheadShape, cacheShape, hedgeShape } from "./protection.ts";
import {
  about,
  either,
  list,
  listed,
  mapOf,
  mapped,
  object,
  optional,
  required,
  text,
  truth,
  whole,
  word,
  type Read,
  type Shape,
  shortText,
} from "./shape.ts";
import { checkRights, runsAsShape, sourceAuthShape } from "./source-auth.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
const toolName = { what: "tool name", pattern: "^[A-Za-z][A-Za-z0-9_.-]{0,63}$" };
const memberName = { what: "argument name", pattern: "^.{1,100}$" };
const headerName = { what: "header name", pattern: "^[A-Za-z0-9-]{1,64}$" };

/** Any JSON value; YAML gives nothing else that could pass. */
const json: Shape<Json> = { schema: {}, read: (raw) => raw as Json };

const schemaObject: Shape<JsonObject> = {
  schema: { type: "object" },
  read(raw, report) {
    const found = plainObject(raw);
    if (found === undefined) report.add("expected a JSON Schema: an object", "begin with `type: object` and `properties:`");
    return found as JsonObject | undefined;
  },
};

const isObject = (raw: unknown): boolean => typeof raw === "object" && raw !== null;
const place = either(
  isObject,
  mapped(object({ from: required(text()) }), ({ from }) => (from === undefined ? undefined : { from })),
  text(),
);

const toolShape = object({
  method: required(word(methods)),
  path: required(
    about(
      "Path below the source's url, with arguments as segments: `/orders/{orderId}`.",
      text({ problemOf: (path) => (path.startsWith("/") ? undefined : "a path begins with `/`") }),
    ),
  ),
  tier: required(about("What a wrong call may cost; decides who is asked.", word(["read", "reversible", "irreversible", "privileged"]))),
  description: required(about("What it does and when not to use it, for the model.", text())),
  input: optional(about("JSON Schema of the arguments. Default: no arguments.", schemaObject)),
  output: optional(about("JSON Schema of the result. Default: not checked.", schemaObject)),
  title: optional(shortText()),
  whenToUse: optional(text()),
  whenNotToUse: optional(text()),
  owner: optional(about("Who hears of its failures.", shortText())),
  postcondition: optional(about("CEL over `args` and `result` that must hold of a success.", text())),
  version: optional(shortText()),
  arguments: optional(argumentsShape),
  narrows: optional(narrowsShape),
  asks: optional(asksShape),
  labels: optional(labelsShape),
  redact: optional(redactShape),
  idempotency: optional(about("What makes a repeat of the same call safe.", word(["natural", "key", "lookup", "none"]))),
  lookupTool: optional(shortText()),
  idempotencyHeader: optional(shortText()),
  query: optional(mapOf(place, memberName)),
  headers: optional(mapOf(place, headerName)),
  body: optional(
    either(
      isObject,
      mapped(object({ from: required(text()) }), ({ from }) => (from === undefined ? undefined : { from })),
      word(["rest", "none"]),
    ),
  ),
  bodyExtra: optional(mapOf(json, memberName)),
  /** @see RFC 9110, section 15: what succeeds or leads elsewhere. */
  successStatuses: optional(list(whole({ min: 200, max: 399 }))),
  resultPointer: optional(text({ problemOf: (pointer) => (pointer.startsWith("/") ? undefined : "a JSON pointer begins with `/`") })),
  suspicious: optional(word(["warn", "fail"])),
  sensitive: optional(truth),
  repeatable: optional(truth),
  egress: optional(truth),
  permission: optional(shortText()),
  ratePerMinute: optional(whole({ min: 1, max: fixedBounds.configCountMax })),
  breaker: optional(breakerShape),
  bulkhead: optional(bulkheadShape),
  hedge: optional(hedgeShape),
  cache: optional(cacheShape),
  invalidates: optional(
    about(
      "Globs over tools whose cached results a call makes old. Default: all of the source.",
      list(shortText(), fixedBounds.configShortItemsMax),
    ),
  ),
  costMicrosUsd: optional(whole({ min: 0, max: fixedBounds.configCostMicrosUsdMax })),
  timeoutMs: optional(about("One attempt.", whole({ min: 1, max: fixedBounds.attemptTimeoutMsMax }))),
});

type ToolSettings = Read<typeof toolShape>;

const sourceShape = object({
  url: required(about("Base address, such as `https://api.example.com/v2`.", text({ problemOf: urlProblem }))),
  runsAs: optional(runsAsShape),
  auth: optional(about("How requests prove who sends them; a bare reference is a bearer token.", sourceAuthShape)),
  allowPrivate: optional(
    about("Exact `host:port` that may be asked although private or without TLS.", list(text({ problemOf: hostPortProblem }))),
  ),
  egressHosts: optional(about("Hosts that may be asked, redirects included. Default: the host of `url`.", list(text()))),
  tools: required(mapOf(toolShape, toolName)),
});

type SourceSettings = Read<typeof sourceShape>;

/** The shape of an `http:` source; what it reads becomes tools through `httpTools`. */
export const httpSource: Shape<SourceSettings> = sourceShape;

/** The tools of an HTTP source. Each definition is checked as a registered tool's would be. */
export function httpTools(
  source: { readonly name: string; readonly settings: SourceSettings; readonly limits: Limits },
  report: Report,
): readonly HttpToolConfig[] {
  const { name, settings, limits } = source;
  checkRights(settings, report);
  return (settings.tools ?? []).flatMap(([short, tool]) => {
    const at = report.at("tools").at(short);
    if (
      settings.url === undefined ||
      tool.method === undefined ||
      tool.path === undefined ||
      tool.tier === undefined ||
      tool.description === undefined
    )
      return [];
    const { tier, description } = tool;
    const parts = toolParts({ name: `${name}.${short}`, source: name, tier, description, runsAs: settings.runsAs ?? "service", tool });
    const problems = definitionProblems(completeTool(parts, limits), limits);
    for (const problem of problems) at.add(problem);
    reportPlaces(tool, parts.inputSchema, at);
    return [{ parts, http: httpOptions(settings, { url: settings.url, method: tool.method, path: tool.path, tool }) }];
  });
}

function toolParts(from: {
  readonly name: string;
  readonly source: string;
  readonly tier: Tier;
  readonly description: string;
  readonly runsAs: "user" | "service";
  readonly tool: ToolSettings;
}): ToolParts {
  const { tool } = from;
  return {
    name: from.name,
    source: from.source,
    tier: from.tier,
    description: from.description,
    inputSchema: tool.input ?? { type: "object", properties: {} },
    outputSchema: tool.output,
    ...meaningOf(tool),
    title: tool.title,
    whenToUse: tool.whenToUse,
    whenNotToUse: tool.whenNotToUse,
    owner: tool.owner,
    postcondition: tool.postcondition,
    lookupTool: tool.lookupTool,
    permission: tool.permission,
    ratePerMinute: tool.ratePerMinute,
    breaker: tool.breaker,
    bulkhead: tool.bulkhead,
    hedge: tool.hedge,
    cache: tool.cache,
    invalidates: tool.invalidates,
    isSensitive: tool.sensitive ?? false,
    isRepeatable: tool.repeatable ?? false,
    isEgress: tool.egress ?? false,
    runsAs: from.runsAs,
    costMicrosUsd: tool.costMicrosUsd ?? 0,
    ...(tool.version !== undefined && { version: tool.version }),
    ...(tool.idempotency !== undefined && { idempotency: tool.idempotency }),
    ...(tool.timeoutMs !== undefined && { timeouts: { attemptMs: tool.timeoutMs } }),
  };
}

function httpOptions(
  settings: SourceSettings,
  from: { readonly url: string; readonly method: HttpOptions["method"]; readonly path: string; readonly tool: ToolSettings },
): HttpOptions {
  const { tool } = from;
  return {
    method: from.method,
    url: from.url.replace(/\/+$/, "") + from.path,
    ...(settings.auth !== undefined && { auth: settings.auth }),
    ...(settings.allowPrivate !== undefined && { allowPrivate: settings.allowPrivate }),
    ...(settings.egressHosts !== undefined && { egressHosts: settings.egressHosts }),
    ...(tool.query !== undefined && { query: Object.fromEntries(tool.query) }),
    ...(tool.headers !== undefined && { headers: Object.fromEntries(tool.headers) }),
    ...(tool.body !== undefined && { body: tool.body }),
    ...(tool.bodyExtra !== undefined && { bodyExtra: Object.fromEntries(tool.bodyExtra) }),
    ...(tool.idempotencyHeader !== undefined && { idempotencyHeader: tool.idempotencyHeader }),
    ...(tool.successStatuses !== undefined && { successStatuses: tool.successStatuses }),
    ...(tool.resultPointer !== undefined && { resultPointer: tool.resultPointer }),
    ...(tool.suspicious !== undefined && { suspicious: tool.suspicious }),
  };
}

// A request that names an argument which the schema does not have could never be sent.
function reportPlaces(tool: ToolSettings, input: JsonObject, report: Report): void {
  const declared = Object.keys((input["properties"] ?? {}) as object);
  const needed = Array.isArray(input["required"]) ? (input["required"] as readonly Json[]) : [];
  const unknown = (name: string): string | undefined => (declared.includes(name) ? undefined : `\`${name}\` is no argument of this tool`);
  const known = declared.length === 0 ? "declare it under `input.properties`" : `declared: ${listed(declared)}`;
  for (const [, name = ""] of (tool.path ?? "").matchAll(/\{([^}]*)\}/g)) {
    const problem = unknown(name);
    if (problem !== undefined) report.at("path").add(problem, known);
    else if (!needed.includes(name))
      report.at("path").add(`\`${name}\` is part of the path but not required`, `add \`${name}\` to \`input.required\``);
  }
  for (const member of ["query", "headers"] as const) {
    for (const [name, value] of tool[member] ?? []) {
      const problem = typeof value === "object" ? unknown(value.from) : undefined;
      if (problem !== undefined) report.at(member).at(name).add(problem, known);
    }
  }
  for (const [name] of tool.arguments ?? []) {
    const problem = unknown(name);
    if (problem !== undefined) report.at("arguments").at(name).add(problem, known);
  }
}

/** Why a text is no base address. */
export function urlProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return "expected an absolute address such as `https://api.example.com`";
  const url = new URL(value);
  if (url.protocol !== "https:" && url.protocol !== "http:") return `\`${url.protocol}\` is not supported; use \`https:\``;
  if (url.username !== "" || url.password !== "") return "a secret does not belong into an address; use `auth:`";
  return url.search === "" && url.hash === "" ? undefined : "the base address has no query and no fragment; use `query:` of the tool";
}

/** Why a text is no `host:port`. */
export function hostPortProblem(value: string): string | undefined {
  return /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(value) ? undefined : "expected exactly `host:port`, such as `127.0.0.1:8081`";
}
