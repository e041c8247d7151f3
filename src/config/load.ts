import { dirname, resolve } from "node:path";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import { decisionPointShape, readDecisionPoints } from "./decision-point.ts";
import { healthCheckProblem } from "../connectors/http-health-check.ts";
import type { JsonObject } from "../domain/json.ts";
import { emptyPolicy, type PolicyDocument } from "../policy/document.ts";
import { policySchema } from "../policy/policy-schema.ts";
import { parsePolicy } from "../policy/parse.ts";
import { nearestHint } from "../policy/problem.ts";
import { plainObject } from "../policy/parse-values.ts";
import type { Config, CredentialConfig, McpSourceConfig, SourceConfig } from "./document.ts";
import { flowOf, flowShape } from "./flow.ts";
import { httpSource, httpTools } from "./http-source.ts";
import { limitsShape, readLimits } from "./limits.ts";
import { mcpShape, mcpSourceShape, readMcpSource, readMcpUsers } from "./mcp-source.ts";
import { reportInto, type ConfigProblem, type Finding, type Report } from "./problem.ts";
import { notifyShape, readNotify } from "./notify.ts";
import { personOf, personShape } from "./person.ts";
import { protectionShape } from "./protection.ts";
import { about, list, mapOf, object, optional, required, text, truth, word, type Read, type Shape, shortText } from "./shape.ts";
import { isLoopback, listenShape, secretReference, sharedLimitsShape, storeShape } from "./values.ts";
import { readYaml, type YamlText } from "./yaml-text.ts";

/** Where the configuration comes from: a file, or its text as if it stood at `path`. */
export type ConfigSource = { readonly path: string } | { readonly path: string; readonly text: string };

/** What reading it may touch. */
export interface ConfigInputs {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<string>;
}

/**
 * A configuration, or everything that is wrong with it. `withoutPolicy` is there when nothing but the policy is wrong: the rest, whose `policyRaw` is undefined, for who
 * has a policy to go on with. `texts` holds the files that were read, for showing problems in place. */
export type LoadedConfig =
  | { readonly config: Config; readonly texts: Readonly<Record<string, string>> }
  | {
      readonly problems: readonly ConfigProblem[];
      readonly withoutPolicy: Config | undefined;
      readonly texts: Readonly<Record<string, string>>;
    };

const name = { what: "name", pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$" };
const roleName = shortText();

const credentialShape = object({
  secret: required(about("Where the API key is kept.", secretReference)),
  tenant: required(
    shortText({
      problemOf: (value) => (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value) ? undefined : "a tenant is made of letters, digits and `_.-`"),
    }),
  ),
  actsFor: optional(about('Roles it may act for; `["*"]` for every one.', list(roleName))),
  approves: optional(about("Approver groups it may answer for. Never together with `actsFor`.", list(roleName))),
  person: optional(personShape),
  administers: optional(about("May change the installation. Never together with `actsFor`.", truth)),
  words: optional(about("Whether what it says of the user's words is believed.", word(["attested", "claimed"]))),
});

const versionShape: Shape<1> = {
  schema: { const: 1 },
  read(raw, report) {
    if (raw === 1) return 1;
    report.add("this is not a version that is known here", "write `version: 1`");
    return undefined;
  },
};

const notYet = "describe the operations you need under `http:`";
const sourceMembers = object(
  {
    http: optional(about("Operations of an HTTP service.", httpSource)),
    mcp: optional(about("An upstream MCP server.", mcpSourceShape)),
  },
  { openapi: notYet, grpc: notYet, sql: notYet },
);
const sourceShape: typeof sourceMembers = {
  schema: { ...sourceMembers.schema, minProperties: 1, maxProperties: 1 },
  read(raw, report) {
    const given = plainObject(raw) ?? { http: {} };
    if (!Object.hasOwn(given, "http") && !Object.hasOwn(given, "mcp")) report.add("`http` or `mcp` is missing", "add `http:` or `mcp:`");
    return sourceMembers.read(raw, report);
  },
};
const policyShape: Shape<unknown> = {
  schema: { anyOf: [policySchema, { type: "string", description: "Path to a file that holds the policy." }] },
  read: (raw) => raw,
};

/** The shape of the whole file; `resolvePath` makes its paths absolute. */
function configShape(resolvePath: (path: string) => string) {
  const path = (what: string): Shape<string> => about(what, text());
  return object(
    {
      version: required(about("Version of this format.", versionShape)),
      store: required(
        about(
          "Where state lives: `memory` (nothing survives), `sqlite:path`, or `postgres://user@host/database` (several processes).",
          storeShape(resolvePath),
        ),
      ),
      sharedLimits: optional(
        about(
          "Beside a `postgres://` store: a Redis server through which its processes tell each other rates and breakers sooner. An address without a password, or the `secret://` reference of one.",
          sharedLimitsShape,
        ),
      ),
      listen: optional(about("Where the gateway listens. Default `127.0.0.1:7320`.", listenShape)),
      hosts: optional(
        about(
          "Names besides loopback under which it may be asked.",
          list(
            text({
              problemOf: (host) => (/^[A-Za-z0-9.-]+$/.test(host) ? undefined : "a host is a name without scheme and port"),
            }),
          ),
        ),
      ),
      keys: optional(path("Key file of the installation, made if absent. Default: the path of the sqlite store with `.keys` added.")),
      credentials: optional(mapOf(credentialShape, name)),
      sources: optional(mapOf(sourceShape, name)),
      notify: optional(notifyShape),
      decisionPoints: optional(
        about("What decides besides the policy, outside of it. Each can only deny; unreachable denies.", mapOf(decisionPointShape, name)),
      ),
      upstreams: optional(
        about("By source: when it is left alone, and how many calls it takes at once. Default: the limits.", mapOf(protectionShape, name)),
      ),
      mcp: optional(about("MCP towards clients, at `/mcp` and over stdio.", mcpShape)),
      tools: optional(
        object({
          modules: optional(about("Modules that export tools made by `tool()`.", list(path("A module."), fixedBounds.configShortItemsMax))),
        }),
      ),
      policy: optional(about("The policy, or a path to its file. Without one nothing is granted.", policyShape)),
      flow: optional(flowShape),
      limits: optional(limitsShape),
      readOnly: optional(about("This process lets nothing but reads through. Default `false`.", truth)),
      anchors: optional(
        about(
          "Places outside the store where ledger checkpoints are kept.",
          list(object({ file: required(path("A file to append to.")) }), 20),
        ),
      ),
    },
    { runs: "leave it out", budgets: "put budgets under `policy.budgets`", separation: "leave it out" },
  );
}

/** The JSON Schema of the whole file, as its shape says. */
export function configFileSchema(): JsonObject {
  return configShape((path) => path).schema;
}

type Settings = Read<ReturnType<typeof configShape>>;

/**
 * Reads `signalbox.yaml`. Reports every problem at once, each with line, column and mend; nothing of a configuration with a problem is used.
 * `SIGNALBOX_LISTEN` and `SIGNALBOX_STORE` override the file.
 */
export async function loadConfig(source: ConfigSource, inputs: ConfigInputs): Promise<LoadedConfig> {
  const texts: Record<string, string> = {};
  const content = "text" in source ? source.text : await readOr(source.path, inputs);
  if (typeof content !== "string") return { problems: [content], withoutPolicy: undefined, texts };
  texts[source.path] = content;
  const yaml = readYaml(source.path, content, defaultLimits);
  if ("problems" in yaml) return { problems: yaml.problems, withoutPolicy: undefined, texts };

  const findings: Finding[] = [];
  const report = reportInto(findings);
  const resolvePath = (path: string): string => resolve(dirname(source.path), path);
  const overridden = override(yaml.value, inputs.environment);
  const settings = configShape(resolvePath).read(overridden, report);
  const problems: ConfigProblem[] = [];
  const policy =
    settings === undefined
      ? undefined
      : await readPolicy(settings.policy, { report, resolvePath, inputs, texts, problems, path: source.path });
  const config = settings === undefined || policy === undefined ? undefined : assemble(settings, { ...policy, report, resolvePath });
  problems.push(...findings.map((finding) => placed(yaml, finding, inputs.environment)));
  if (problems.length === 0 && config !== undefined) return { config, texts };
  const isPolicyAlone = findings.every((finding) => /^\/policy(\/|$)/.test(finding.path));
  return {
    problems: inOrder(problems).slice(0, defaultLimits.configProblemsMax),
    withoutPolicy: config !== undefined && isPolicyAlone ? { ...config, policyRaw: undefined } : undefined,
    texts,
  };
}

async function readOr(path: string, inputs: ConfigInputs): Promise<string | ConfigProblem> {
  try {
    return await inputs.readFile(path);
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown };
    const nameAnother = "name another file with `--config`";
    const [message, mend] =
      code === "ENOENT"
        ? ["there is no such file", `run \`signalbox init\`, or ${nameAnother}`]
        : code === "EISDIR"
          ? ["this is a folder", nameAnother]
          : ["the file cannot be read", "check its permissions"];
    return { file: path, line: 0, column: 0, path: "", message, mend };
  }
}

const variables: Readonly<Record<string, string>> = { "/listen": "SIGNALBOX_LISTEN", "/store": "SIGNALBOX_STORE" };

function override(raw: unknown, environment: ConfigInputs["environment"]): unknown {
  const object = plainObject(raw);
  if (object === undefined) return raw;
  const changes = Object.entries(variables).flatMap(([path, variable]) =>
    environment[variable] === undefined ? [] : [[path.slice(1), environment[variable]]],
  );
  return changes.length === 0 ? object : { ...object, ...Object.fromEntries(changes) };
}

function placed(yaml: YamlText, finding: Finding, environment: ConfigInputs["environment"]): ConfigProblem {
  const variable = variables[finding.path];
  if (variable !== undefined && environment[variable] !== undefined)
    return { file: "environment", line: 0, column: 0, path: variable, message: finding.message, mend: finding.mend };
  return yaml.place(finding);
}

function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.toSorted((left, right) =>
    left.file < right.file ? -1 : left.file > right.file ? 1 : left.line - right.line || left.column - right.column,
  );
}

interface PolicyParts {
  readonly report: Report;
  readonly resolvePath: (path: string) => string;
  readonly inputs: ConfigInputs;
  readonly texts: Record<string, string>;
  readonly problems: ConfigProblem[];
  readonly path: string;
}

async function readPolicy(
  raw: unknown,
  parts: PolicyParts,
): Promise<{ readonly policy: PolicyDocument; readonly policyRaw: unknown } | undefined> {
  if (raw === undefined) return { policy: emptyPolicy, policyRaw: { roles: {} } };
  if (typeof raw !== "string") {
    const parsed = parsePolicy(raw, defaultLimits);
    if ("policy" in parsed) return { policy: parsed.policy, policyRaw: raw };
    for (const problem of parsed.problems) at(parts.report.at("policy"), problem.path).add(problem.message);
    return { policy: emptyPolicy, policyRaw: raw };
  }
  const path = parts.resolvePath(raw);
  const content = await readOr(path, parts.inputs);
  if (typeof content !== "string") {
    parts.report.at("policy").add(`\`${raw}\`: ${content.message}`, "name a file that holds a policy");
    return { policy: emptyPolicy, policyRaw: {} };
  }
  parts.texts[path] = content;
  const yaml = readYaml(path, content, defaultLimits);
  if ("problems" in yaml) parts.problems.push(...yaml.problems);
  else {
    const parsed = parsePolicy(yaml.value, defaultLimits);
    if ("policy" in parsed) return { policy: parsed.policy, policyRaw: yaml.value };
    parts.problems.push(...parsed.problems.map((problem) => yaml.place({ ...problem, mend: "" })));
  }
  return { policy: emptyPolicy, policyRaw: {} };
}

function at(report: Report, pointer: string): Report {
  return pointer
    .split("/")
    .slice(1)
    .reduce((deeper, step) => deeper.at(step.replaceAll("~1", "/").replaceAll("~0", "~")), report);
}

interface AssemblyParts {
  readonly policy: PolicyDocument;
  readonly policyRaw: unknown;
  readonly report: Report;
  readonly resolvePath: (path: string) => string;
}

function assemble(settings: Settings, parts: AssemblyParts): Config | undefined {
  const { report, resolvePath } = parts;
  const limits = readLimits(settings.limits, report.at("limits"));
  const listen = settings.listen ?? { host: "127.0.0.1", port: 7320 };
  const hosts = settings.hosts ?? [];
  if (!isLoopback(listen.host) && hosts.length === 0)
    report
      .at("listen")
      .add(
        `\`${listen.host}\` can be reached from other machines, but no name is allowed in requests`,
        "list the names under `hosts:`, or listen on `127.0.0.1`",
      );
  const credentials = readCredentials(settings.credentials ?? [], report.at("credentials"));
  const { sources, mcpSources } = readSources(settings.sources ?? [], { limits, report: report.at("sources"), resolvePath });
  const mcpUsers = readMcpUsers(settings.mcp, credentials, report.at("mcp"));
  if (settings.store === undefined) return undefined;
  if (settings.store.kind === "postgres" && settings.keys === undefined)
    report.at("store").add("every process on this database needs the same keys", "name the key file that they share with `keys:`");
  if (settings.store.kind !== "postgres" && settings.sharedLimits !== undefined)
    report.at("sharedLimits").add("no other process can share this store", "leave it out, or use a `postgres://` store");
  return {
    version: 1,
    store: settings.store,
    sharedLimits: settings.sharedLimits,
    listen,
    hosts,
    keys:
      settings.keys === undefined
        ? settings.store.kind === "sqlite"
          ? `${settings.store.path}.keys`
          : undefined
        : resolvePath(settings.keys),
    credentials,
    sources,
    notify: readNotify(settings.notify, report.at("notify")),
    decisionPoints: readDecisionPoints(settings.decisionPoints ?? [], { report: report.at("decisionPoints"), resolvePath }),
    upstreams: readUpstreams(settings, report.at("upstreams")),
    mcpSources,
    mcpUsers,
    modules: (settings.tools?.modules ?? []).map(resolvePath),
    policy: parts.policy,
    policyRaw: parts.policyRaw,
    ...flowOf(settings.flow),
    limits,
    readOnly: settings.readOnly ?? false,
    anchors: (settings.anchors ?? []).flatMap(({ file }) =>
      file === undefined ? [] : [{ kind: "file" as const, path: resolvePath(file) }],
    ),
  };
}

function readCredentials(given: readonly (readonly [string, Read<typeof credentialShape>])[], report: Report): readonly CredentialConfig[] {
  const bySecret = new Map<string, string>();
  return given.flatMap(([id, settings]) => {
    const { secret, tenant, actsFor = [], approves = [], administers = false, person } = settings;
    const here = report.at(id);
    if (actsFor.length > 0 && approves.length > 0)
      here
        .at("approves")
        .addAtName("a credential that calls may not approve", "make a second credential with `approves:` for the person who answers");
    if (person !== undefined && approves.length === 0)
      here
        .at("person")
        .addAtName("only a credential that approves stands for a person", "give it `approves: [group]`, or leave `person:` out");
    if (actsFor.length > 0 && administers)
      here.at("administers").addAtName("a credential that calls may not administer", "make a second credential with `administers: true`");
    if (actsFor.length === 0 && approves.length === 0 && !administers)
      here.add("this credential may do nothing", "give it `actsFor: [role]`, `approves: [group]` or `administers: true`");
    if (secret === undefined || tenant === undefined) return [];
    const other = bySecret.get(secret);
    if (other !== undefined) here.at("secret").add(`\`${other}\` has the same secret`, "give each credential a key of its own");
    bySecret.set(secret, id);
    return [{ name: id, secret, tenant, actsFor, approves, administers, person: personOf(person), words: settings.words ?? "claimed" }];
  });
}

function readUpstreams(settings: Settings, report: Report): Config["upstreams"] {
  const known = (settings.sources ?? []).map(([id]) => id);
  const upstreams = settings.upstreams ?? [];
  for (const [id, { healthCheck }] of upstreams) {
    const problem = healthCheck === undefined ? undefined : healthCheckProblem(healthCheck);
    if (problem !== undefined)
      report
        .at(id)
        .at("healthCheck")
        .at("url")
        .add(`this address cannot be asked: ${problem}`, "use https, or name exactly its host and port under `allowPrivate:`");
    if (!known.includes(id)) report.at(id).addAtName(`no source is called \`${id}\`${nearestHint(id, known)}`, "name one of `sources:`");
  }
  return Object.fromEntries(upstreams);
}

function readSources(
  given: readonly (readonly [string, Read<typeof sourceShape>])[],
  parts: { readonly limits: Limits; readonly report: Report; readonly resolvePath: (path: string) => string },
): { readonly sources: readonly SourceConfig[]; readonly mcpSources: readonly McpSourceConfig[] } {
  const { limits, report, resolvePath } = parts;
  const sources: SourceConfig[] = [];
  const mcpSources: McpSourceConfig[] = [];
  for (const [id, { http, mcp }] of given) {
    const here = report.at(id);
    if (http !== undefined && mcp !== undefined) here.add("a source is one thing: `http` or `mcp`", "make a second source of the other");
    if (http !== undefined)
      sources.push({ name: id, kind: "http", tools: httpTools({ name: id, settings: http, limits }, here.at("http")) });
    const server = mcp === undefined ? undefined : readMcpSource(id, mcp, { report: here.at("mcp"), resolvePath });
    if (server !== undefined) mcpSources.push(server);
  }
  return { sources, mcpSources };
}
