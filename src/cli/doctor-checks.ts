import { existsSync, statSync } from "node:fs";
import { access, constants, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { isoTime } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Config } from "../config/document.ts";
import type { Tool } from "../domain/tool.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import { resolveApiKeys } from "../gateway/serve.ts";
import { approverGroupDefault } from "../policy/document.ts";
import { isUserReference } from "../secrets/user-reference.ts";
import { createSecretResolver } from "../secrets/resolver.ts";
import { readSecretFile } from "../secrets/secret-file.ts";
import { takeWriterLock } from "../store/sqlite-lock.ts";
import type { Invocation } from "./command.ts";
import { policyProblems } from "./policy-problems.ts";
import { configuredTools, existingKeys, openReadOnly, readConfig } from "./installation.ts";

/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do; empty when there is nothing. */
  readonly mend: string;
}

/** A check of a configuration that loads. It answers with what it found; a throw of ours is its failure. */
type Check = (config: Config, invocation: Invocation, texts: Readonly<Record<string, string>>) => Promise<readonly Finding[]>;

const ok = (check: string, message: string): Finding => ({ check, status: "ok", message, mend: "" });
const warn = (check: string, message: string, mend: string): Finding => ({ check, status: "warn", message, mend });
const fail = (check: string, message: string, mend: string): Finding => ({ check, status: "fail", message, mend });

/** Everything that `doctor` looks at, in order. What needs the configuration is left out when that does not load. */
export async function examine(invocation: Invocation): Promise<readonly Finding[]> {
  const machine = [checkNode(), checkClock(invocation)];
  const loaded = await readConfig(invocation);
  if ("problems" in loaded) {
    const problems = loaded.problems.map(({ file, line, column, message, mend }) =>
      fail("configuration", `${file}${line > 0 ? `:${line}:${column}` : ""}: ${message}`, mend),
    );
    return [...machine, ...problems];
  }
  const { config, texts } = loaded;
  const results = [...machine, ok("configuration", "loads")];
  for (const [name, check] of checks) results.push(...(await guarded(name, () => check(config, invocation, texts))));
  return results;
}

const checks: readonly (readonly [string, Check])[] = [
  ["store", checkStore],
  ["keys", checkKeys],
  ["credentials", checkCredentials],
  ["sources", checkSources],
  ["tools", checkTools],
  ["address", checkAddress],
  ["ledger", checkLedger],
];

async function guarded(name: string, check: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    // Whatever a part of the installation objects to is what this command is for.
    if (error instanceof ToolCallError)
      return error.message.split("; ").length > 1 && error.code === "CONFIG_INVALID"
        ? [fail(name, error.message, "mend each of them")]
        : [fail(name, error.message, "")];
    return [fail(name, error instanceof Error ? error.message : String(error), "check files and permissions")];
  }
}

function checkNode(): Finding {
  const version = process.versions.node;
  return Number(version.split(".")[0]) >= 24
    ? ok("node", version)
    : fail("node", `Node.js ${version} is too old`, "use Node.js 24 or later");
}

function checkClock(invocation: Invocation): Finding {
  const nowMs = invocation.clock.now();
  return nowMs >= fixedBounds.clockMsMin
    ? ok("clock", isoTime(nowMs))
    : fail("clock", `the clock says ${isoTime(nowMs)}`, "set the clock; expiries and the ledger rely on it");
}

async function checkDatabase(config: Config): Promise<readonly Finding[]> {
  const store = openReadOnly(config);
  try {
    const writers = await store.writers();
    return [ok("store", `PostgreSQL answers, ${writers.length} writer${writers.length === 1 ? "" : "s"}`)];
  } catch (cause) {
    return [
      fail("store", cause instanceof Error ? cause.message : "the database does not answer", "check the address, the user and the server"),
    ];
  } finally {
    await store.close();
  }
}

async function checkStore(config: Config): Promise<readonly Finding[]> {
  if (config.store.kind === "memory")
    return [warn("store", "`memory` forgets everything at the end, and refuses irreversible tools", "use `store: sqlite:./signalbox.db`")];
  if (config.store.kind === "postgres") return await checkDatabase(config);
  const { path } = config.store;
  const folder = dirname(path);
  if (!existsSync(folder)) return [fail("store", `the folder \`${folder}\` does not exist`, `mkdir -p ${folder}`)];
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isWritable)
    return [fail("store", `the folder \`${folder}\` cannot be written`, "give the user that runs signalbox the right to write there")];
  const disk = await statfs(folder);
  const freeBytes = disk.bavail * disk.bsize;
  const space =
    freeBytes >= fixedBounds.freeBytesMin
      ? []
      : [warn("store", `${Math.floor(freeBytes / 1024 / 1024)} MiB are free on its disk`, "make room: without a ledger nothing runs")];
  if (!existsSync(path)) return [ok("store", `\`${path}\` will be made at the first start`), ...space];
  openReadOnly(config)
    .close()
    .catch(() => undefined);
  return [ok("store", `\`${path}\` opens`), writerFinding(path), ...space];
}

function writerFinding(path: string): Finding {
  try {
    takeWriterLock(path).release();
    return ok("store", "nobody writes it now");
  } catch (error) {
    return warn("store", (error as Error).message, "fine if that is the gateway that you mean to run");
  }
}

async function checkKeys(config: Config, invocation: Invocation): Promise<readonly Finding[]> {
  if (config.keys === undefined) return [ok("keys", "live as long as the process")];
  if (!existsSync(config.keys)) return [ok("keys", `\`${config.keys}\` will be made at the first start; back it up then`)];
  const mode = statSync(config.keys).mode & 0o777;
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    return [fail("keys", `\`${config.keys}\` can be read by others (mode ${mode.toString(8)})`, `chmod 600 ${config.keys}`)];
  const keyring = await existingKeys(config, invocation);
  return [ok("keys", `\`${config.keys}\` holds ${keyring.publicKeys.length} key${keyring.publicKeys.length === 1 ? "" : "s"}`)];
}

async function checkCredentials(config: Config, invocation: Invocation): Promise<readonly Finding[]> {
  if (config.credentials.length === 0)
    return [fail("credentials", "there are none, so nobody can use the gateway", "add one under `credentials:`")];
  const findings = await secretFindings(
    "credentials",
    config.credentials.map((each) => [each.name, each.secret]),
    config,
    invocation,
  );
  const resolved = findings.some((finding) => finding.status === "fail")
    ? []
    : await guarded(
        "credentials",
        async () => (await resolveApiKeys(config, invocation), [ok("credentials", `${config.credentials.length} API keys resolve`)]),
      );
  const roles = Object.keys(config.policy.roles);
  const unknown = config.credentials.flatMap((each) =>
    each.actsFor
      .filter((role) => role !== "*" && !roles.includes(role))
      .map((role) =>
        warn(
          "credentials",
          `\`${each.name}\` acts for the role \`${role}\`, which the policy does not have`,
          `add \`${role}\` under \`policy.roles\``,
        ),
      ),
  );
  return [...findings, ...resolved, ...unknown];
}

async function checkSources(config: Config, invocation: Invocation): Promise<readonly Finding[]> {
  const secrets = new Map(
    config.sources.flatMap((source) =>
      source.tools.flatMap((tool) => referencesOf(tool.http.auth).map((secret) => [secret, source.name] as const)),
    ),
  );
  for (const { name, mcp } of config.mcpSources) {
    const { reach } = mcp;
    const references = reach.kind === "http" ? [reach.auth?.secret ?? ""] : Object.values(reach.environment ?? {});
    for (const reference of references) if (reference.startsWith("secret://")) secrets.set(reference, name);
  }
  return await secretFindings(
    "sources",
    [...secrets].map(([secret, name]) => [name, secret]),
    config,
    invocation,
  );
}

/** What can be looked up without a user: not the secrets of each of them. */
function referencesOf(auth: Config["sources"][number]["tools"][number]["http"]["auth"]): readonly string[] {
  if (auth === undefined) return [];
  if (!isUserReference(auth.secret)) return [auth.secret];
  return auth.exchange?.client === undefined ? [] : [auth.exchange.client];
}

async function secretFindings(
  check: string,
  secrets: readonly (readonly [string, string])[],
  config: Config,
  invocation: Invocation,
): Promise<readonly Finding[]> {
  const warnings: string[] = [];
  const resolver = createSecretResolver({
    environment: invocation.environment,
    readFile: readSecretFile,
    clock: invocation.clock,
    limits: config.limits,
    onWarning: (text) => warnings.push(text),
  });
  const findings: Finding[] = [];
  for (const [name, secret] of secrets) {
    try {
      await resolver.resolve(secret);
    } catch (error) {
      findings.push(fail(check, `\`${name}\`: ${(error as Error).message}`, "provide the secret where the reference points"));
    }
  }
  return [...findings, ...warnings.map((text) => warn(check, text, "chmod 600 the file"))];
}

async function checkTools(config: Config, invocation: Invocation, texts: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
  const findings =
    tools.length === 0 && config.mcpSources.length === 0
      ? [warn("tools", "there are none", "add `sources:` or `tools.modules`")]
      : [ok("tools", `${tools.length} load`)];
  const problems = policyProblems({ config, texts }, tools).map(({ file, line, column, message }) =>
    warn("policy", `${file}:${line}:${column}: ${message}`, ""),
  );
  return [...findings, ...(problems.length === 0 ? [ok("policy", `fits the tools`)] : problems), ...approverFindings(config, tools)];
}

// A question that nobody can answer blocks the call until it expires.
function approverFindings(config: Config, tools: readonly Tool[]): readonly Finding[] {
  const asks =
    tools.some((tool) => tool.tier === "irreversible" || tool.tier === "privileged") ||
    config.policy.rules.some((rule) => rule.effect === "ask");
  if (!asks) return [];
  const groups = new Set(config.policy.rules.flatMap((rule) => (rule.effect === "ask" ? (rule.approvers ?? [approverGroupDefault]) : [])));
  groups.add(approverGroupDefault);
  const answered = new Set(config.credentials.flatMap((each) => each.approves));
  return [...groups]
    .filter((group) => !answered.has(group))
    .map((group) =>
      warn("approvals", `no credential answers for the group \`${group}\``, `add a credential with \`approves: [${group}]\``),
    );
}

async function checkAddress(config: Config): Promise<readonly Finding[]> {
  const { host, port } = config.listen;
  const problem = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "an error"));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
  if (problem === undefined) return [ok("address", `\`${host}:${port}\` is free`)];
  if (problem === "EADDRINUSE")
    return [
      warn(
        "address",
        `another program listens on \`${host}:${port}\``,
        "fine if that is the gateway; else set `listen` or SIGNALBOX_LISTEN",
      ),
    ];
  return [fail("address", `cannot listen on \`${host}:${port}\` (${problem})`, "set `listen` or SIGNALBOX_LISTEN")];
}

async function checkLedger(config: Config, invocation: Invocation): Promise<readonly Finding[]> {
  const anchors =
    config.anchors.length > 0
      ? [ok("ledger", `${config.anchors.length} anchor${config.anchors.length === 1 ? "" : "s"}`)]
      : [
          warn(
            "ledger",
            "no anchor: cutting off the ledger's end, or an older copy of it, would go unnoticed",
            "add `anchors: [{ file: … }]`, best on another machine's disk",
          ),
        ];
  if (config.store.kind === "memory") return [warn("ledger", "it ends with the process", "use `store: sqlite:./signalbox.db`")];
  if (config.store.kind === "sqlite" && !existsSync(config.store.path)) return anchors;
  const store = openReadOnly(config);
  try {
    const [newest] = await store.entries({ newestFirst: true, limit: 1 });
    const letters = await letterFindings(config, store);
    const isBack = newest !== undefined && newest.atMs > invocation.clock.now() + 60_000;
    return isBack
      ? [
          ...anchors,
          ...letters,
          fail(
            "clock",
            `the ledger's newest entry is of ${isoTime(newest.atMs)}, later than the clock says`,
            "set the clock before anything expires wrongly",
          ),
        ]
      : [...anchors, ...letters];
  } finally {
    await store.close();
  }
}

/** What waits for people, of the tenants that credentials name. */
async function letterFindings({ credentials, limits }: Config, store: ReturnType<typeof openReadOnly>): Promise<readonly Finding[]> {
  const tenants = [...new Set(credentials.map(({ tenant }) => tenant))];
  const counts = await Promise.all(tenants.map((tenant) => store.scan({ space: "dead-letter", tenant, limit: limits.deadLettersMax })));
  const count = counts.reduce((sum, rows) => sum + rows.length, 0);
  if (count === 0) return [ok("dead-letters", "none are open")];
  return [warn("dead-letters", `${count} wait for a person`, "look into them with `signalbox dead-letters list`")];
}
