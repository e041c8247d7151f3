import { fixedBounds } from "../base/fixed-bounds.ts";
import type { HttpAuth } from "../connectors/http-options.ts";
import type { McpReach } from "../connectors/mcp/options.ts";
import type { Tier } from "../domain/tool.ts";
import { admissionPolicies } from "../registry/admission.ts";
import type { McpSourceConfig, McpUserConfig } from "./document.ts";
import { hostPortProblem, urlProblem } from "./http-source.ts";
import { authShape, checkRights, runsAsShape, sourceAuthShape } from "./source-auth.ts";
import { isUserReference } from "../secrets/user-reference.ts";
import type { Report } from "./problem.ts";
import { meaningOf, meaningShape } from "./tool-meaning.ts";
import { about, list, mapOf, object, optional, required, text, truth, whole, word, type Read, shortText } from "./shape.ts";
import { secretReference } from "./values.ts";

const tier = word(["read", "reversible", "irreversible", "privileged"]);
const glob = { what: "glob over the server's own tool names", pattern: "^[A-Za-z0-9_.:/*-]{1,128}$" };
const variable = { what: "name of a variable", pattern: "^[A-Za-z_][A-Za-z0-9_]{0,100}$" };

/** The shape of an `mcp:` source: an upstream server, as a child process or behind HTTP. */
export const mcpSourceShape = object({
  command: optional(
    about("Program and arguments of a server over stdio; started without a shell.", list(text(), fixedBounds.configShortItemsMax)),
  ),
  folder: optional(about("Folder in which it is started. Default: that of this file.", text())),
  environment: optional(
    about(
      "Its variables, besides PATH, HOME and the like; a value may be a `secret://` reference. Nothing else of our environment is passed on.",
      mapOf(text(), variable),
    ),
  ),
  url: optional(about("Address of a server behind HTTP, such as `https://mcp.example.com/mcp`.", text({ problemOf: urlProblem }))),
  runsAs: optional(runsAsShape),
  auth: optional(
    about(
      "How requests prove who sends them; a bare reference is a bearer token. With `runsAs: user` a secret of each user.",
      sourceAuthShape,
    ),
  ),
  listAuth: optional(
    about(
      "With `runsAs: user`: the service's own credential, which lists the tools and is sent with no call. Default: they are listed without one.",
      authShape,
    ),
  ),
  allowPrivate: optional(
    about("Exact `host:port` that may be asked although private or without TLS.", list(text({ problemOf: hostPortProblem }))),
  ),
  tier: optional(about("What a wrong call may cost. Default `irreversible`; what the server says of itself is not asked.", tier)),
  tiers: optional(about("The same for single tools, by glob over the server's names; the first that fits counts.", mapOf(tier, glob))),
  allow: optional(about("Globs over the server's names of its tools; others are left out. Default all.", list(shortText()))),
  admit: optional(
    about(
      "What may be used without a review: `review` nothing (default), `reads` new tools of tier `read`, `all` every new tool. A changed definition always waits.",
      word(admissionPolicies),
    ),
  ),
  egress: optional(about("Whether the arguments leave for the outside. Default: for a server behind HTTP.", truth)),
  errorEffect: optional(
    about(
      "What an error that the server reports says of the effect of a call that is no read. Default `unknown`.",
      word(["none", "unknown"]),
    ),
  ),
  timeoutMs: optional(about("One attempt.", whole({ min: 1, max: fixedBounds.attemptTimeoutMsMax }))),
  tools: optional(
    about(
      "What you say of its tools, by the server's names; the server is not asked about any of it. `signalbox tools roles` suggests lines.",
      mapOf(meaningShape, { what: "name of a tool as the server gives it", pattern: "^.{1,200}$" }),
    ),
  ),
});

type McpSettings = Read<typeof mcpSourceShape>;

/** One `mcp:` source, checked as a whole; undefined after reporting what is wrong. */
export function readMcpSource(
  name: string,
  settings: McpSettings,
  parts: { readonly report: Report; readonly resolvePath: (path: string) => string },
): McpSourceConfig | undefined {
  const { report } = parts;
  const reach = reachOf(settings, parts);
  checkEnvironment(settings, report);
  if (settings.command === undefined) checkHttpRights(settings, report);
  else checkService(settings, report);
  if (reach === undefined) return undefined;
  const { tier: whole, tiers = [], allow, admit, egress, errorEffect, timeoutMs, tools = [] } = settings;
  return {
    name,
    mcp: { name, reach, errorEffect: errorEffect ?? "unknown" },
    admit: admit ?? "review",
    allow: allow ?? ["*"],
    tier: whole ?? "irreversible",
    tiers: tiers as readonly (readonly [string, Tier])[],
    isEgress: egress ?? reach.kind === "http",
    runsAs: settings.runsAs ?? "service",
    timeoutMs,
    tools: Object.fromEntries(tools.map(([tool, said]) => [tool, meaningOf(said)])),
  };
}

function reachOf(
  settings: McpSettings,
  { report, resolvePath }: { readonly report: Report; readonly resolvePath: (path: string) => string },
): McpReach | undefined {
  const { command, folder, environment = [], url, auth, listAuth, runsAs, allowPrivate } = settings;
  if ((command === undefined) === (url === undefined)) {
    report.add("exactly one of `command` and `url` is needed", "write `command: [program, argument]` or `url: https://…`");
    return undefined;
  }
  if (command !== undefined) {
    for (const member of ["auth", "listAuth", "allowPrivate"] as const)
      if (settings[member] !== undefined)
        report.at(member).addAtName(`\`${member}\` is for servers behind HTTP`, "leave it out; give secrets under `environment:`");
    const [program, ...args] = command;
    if (program === undefined) {
      report.at("command").add("the command names no program", "such as `[mcp-server-filesystem, ./docs]`");
      return undefined;
    }
    return { kind: "stdio", command: [program, ...args], folder: resolvePath(folder ?? "."), environment: Object.fromEntries(environment) };
  }
  for (const member of ["folder", "environment"] as const)
    if (settings[member] !== undefined) report.at(member).addAtName(`\`${member}\` is for servers over stdio`, "leave it out");
  const isOfUsers = runsAs === "user";
  return {
    kind: "http",
    url: url as string,
    auth: (isOfUsers ? listAuth : auth) as HttpAuth | undefined,
    ...(isOfUsers && { userAuth: auth as HttpAuth | undefined }),
    allowPrivate,
  };
}

function checkHttpRights({ runsAs, auth, listAuth }: McpSettings, report: Report): void {
  checkRights({ runsAs, auth: auth as HttpAuth | undefined }, report);
  if (listAuth === undefined) return;
  const at = report.at("listAuth");
  if (runsAs !== "user") at.addAtName("`listAuth` is for `runsAs: user`; without it `auth` lists as well", "leave it out");
  else if (isUserReference(listAuth.secret)) at.add("the tools are listed before any user calls", "name one secret of the service");
}

/** One process serves all users, so what it proves itself with is the service's. */
function checkService({ runsAs, environment = [] }: McpSettings, report: Report): void {
  if (runsAs === "user")
    report
      .at("runsAs")
      .add("one process serves all users, so it cannot act as each of them", "say `runsAs: service`, or reach the server at a `url:`");
  const secret = environment.find(([, value]) => value.startsWith("secret://"));
  if (runsAs !== undefined || secret === undefined) return;
  const at = report.at("environment").at(secret[0]);
  at.addAtName("this sends a credential, and nothing says whose rights it stands for", "add `runsAs: service`");
}

function checkEnvironment({ environment = [] }: McpSettings, report: Report): void {
  for (const [name, value] of environment) {
    if (value.startsWith("secret://")) secretReference.read(value, report.at("environment").at(name));
    else if (/(?:key|token|secret|password)$/i.test(name))
      report
        .at("environment")
        .at(name)
        .add("a secret stands here by value", "write `secret://env/NAME` or `secret://file/path`; the file itself holds no secret");
  }
}

const roleName = shortText();
const credentialName = { what: "name of a credential", pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$" };

/** The shape of `mcp:`: who may use MCP, and for which user, since its clients name none. */
export const mcpShape = object({
  credentials: required(
    about(
      "Users by credential.",
      mapOf(
        object({
          user: required(shortText()),
          roles: required(list(roleName, 100)),
          interactive: optional(
            about(
              "Whether the client behind it shows forms to this very user and never lets its model answer them: then the user confirms calls there (`confirm: self`). Default false.",
              truth,
            ),
          ),
        }),
        credentialName,
      ),
    ),
  ),
});

/** The users of MCP clients. A role that the credential may not act for is reported. */
export function readMcpUsers(
  settings: Read<typeof mcpShape> | undefined,
  credentials: readonly { readonly name: string; readonly actsFor: readonly string[] }[],
  report: Report,
): readonly McpUserConfig[] {
  return (settings?.credentials ?? []).flatMap(([name, { user, roles, interactive }]) => {
    const here = report.at("credentials").at(name);
    const credential = credentials.find((each) => each.name === name);
    if (credential === undefined) here.addAtName(`there is no credential \`${name}\``, "name one of `credentials:`");
    else if (credential.actsFor.length === 0) here.addAtName(`the credential \`${name}\` does not call`, "name one with `actsFor:`");
    else {
      for (const [index, role] of (roles ?? []).entries())
        if (!credential.actsFor.includes("*") && !credential.actsFor.includes(role))
          here
            .at("roles")
            .at(index)
            .add(`the credential \`${name}\` may not act for \`${role}\``, "add it to its `actsFor:`, or leave it out here");
    }
    return user === undefined || roles === undefined ? [] : [{ credential: name, user, roles, isInteractive: interactive ?? false }];
  });
}
