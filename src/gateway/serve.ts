import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { systemClock, type Clock } from "../base/clock.ts";
import { systemEnvironment, type Environment } from "../base/environment.ts";
import { createIdSource } from "../base/ids.ts";
import { systemRandom, type Random } from "../base/random.ts";
import type { Signalbox } from "../call/box/box.ts";
import { optionsFromConfig } from "../call/box/from-config.ts";
import { createSignalbox } from "../call/box/signalbox.ts";
import type { Config, CredentialConfig } from "../config/document.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Approval } from "../domain/approval.ts";
import type { Credential } from "../domain/principal.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { readAnchorFile } from "../ledger/anchor.ts";
import type { Checkpoint } from "../ledger/checkpoint.ts";
import { openKeyFile } from "../ledger/key-file.ts";
import { memoryKeyring, type Keyring } from "../ledger/keyring.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { createSecretResolver } from "../secrets/resolver.ts";
import { readSecretFile } from "../secrets/secret-file.ts";
import { openSqliteReader } from "../store/sqlite.ts";
import { createApiKeys, type ApiKeys, type KeyedCredential } from "./api-keys.ts";
import { createGateway } from "./gateway.ts";
import { sharedVerifier, type LedgerVerifier } from "./ledger-verifier.ts";
import { causeFacts, createJsonLogger, type Logger } from "./log.ts";
import type { McpUsers } from "./mcp/conversations.ts";
import { createMcpFace } from "./mcp/face.ts";
import { serveStdio, type StdioServing } from "./mcp/stdio.ts";
import { startPolicyReload } from "./policy-reload.ts";

/** What serving needs from outside. */
export interface ServeOptions {
  /** Path of the `signalbox.yaml` that the configuration was read from. */
  readonly path: string;
  /** Default: the process's environment. */
  readonly environment?: Environment;
  /** Where log lines go: JSON, one a line. Default: standard error. */
  readonly writeLog?: (text: string) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Version of the program, for the API document. */
  readonly version: string;
  /** The policy of the configuration is broken: the one in force in the store is gone on with. Default false. */
  readonly keepsPolicy?: boolean;
}

/** A gateway that is up. */
export interface Serving {
  readonly box: Signalbox;
  readonly config: Config;
  /** Such as `http://127.0.0.1:7320`. */
  readonly address: string;
  /**
   * Serves one MCP client over streams, besides. `as`: in the name of which credential; default the only one under `mcp.credentials`. `CONFIG_INVALID` where
   * it is none of them, or which one is meant cannot be told.
   */
  serveStdio(options: { readonly as: string | undefined; readonly input: Readable; readonly output: Writable }): StdioServing;
  /** Reads the configuration's files again and puts their policy and credentials in force; what is wrong with them is in the log. Never rejects. */
  reload(): Promise<void>;
  /** Stops accepting, lets accepted calls finish, flushes, closes. Idempotent. */
  close(): Promise<void>;
}

function loadFrom(path: string, environment: Environment): Promise<LoadedConfig> {
  return loadConfig({ path }, { environment, readFile: (file) => readFile(file, "utf8") });
}

/**
 * Brings a gateway up. A policy and credentials that change in the configuration's files are taken over while it runs. Closes the box again when the gateway cannot start.
 *
 * @throws ToolCallError `CONFIG_INVALID` with everything that only shows when it is used: secrets, keys, modules, tools.
 */
export async function serveConfig(config: Config, options: ServeOptions): Promise<Serving> {
  const { clock = systemClock, random = systemRandom, environment = systemEnvironment(), version } = options;
  requireCredentials(config);
  const { limits, listen, hosts } = config;
  const logger = createJsonLogger({ write: options.writeLog ?? ((text) => void process.stderr.write(text)), clock, limits });
  const keys = await resolveApiKeys(config, { environment, clock, logger });
  const keyring = config.keys === undefined ? memoryKeyring(random) : await openKeyFile({ path: config.keys, clock, random });
  const fromConfig = await optionsFromConfig(config, clock, environment);
  const box = await createSignalbox({
    ...fromConfig,
    keepsPolicy: options.keepsPolicy ?? false,
    keys: keyring,
    environment,
    clock,
    random,
    onTrouble: troubleLog(logger),
    onApprovalAsked: askedLog(logger),
  });
  const verifier = verifierOf(config, box, keyring);
  const ids = createIdSource(clock, random);
  const stateKey = stateKeyOf(keyring);
  const onFault = (cause: unknown): void => logFault(logger, cause);
  const mcp = createMcpFace({ box, users: mcpUsersOf(config), stateKey, limits, clock, version, onFault });
  const gateway = createGateway({ box, keys, listen, hosts, limits, clock, ids, logger, verifier, version, mcp });
  try {
    await gateway.start();
  } catch (error) {
    await box.close();
    throw error;
  }
  const { path } = options;
  const replaceCredentials = async (next: Config): Promise<void> => {
    requireCredentials(next);
    keys.replace(await resolveCredentials(next, { environment, clock, logger }));
  };
  const load = (): Promise<LoadedConfig> => loadFrom(path, environment);
  const reloading = startPolicyReload({ box, path, config, load, replaceCredentials, clock, logger });
  async function close(): Promise<void> {
    const reloaded = reloading.close();
    logger.log({ level: "info", event: "shutdown-begun" });
    gateway.retire();
    // Another process takes the calls as soon as a balancer has seen it; until then they are taken here.
    if (config.store.kind === "postgres") await new Promise<void>((resolve) => clock.after(limits.drainNoticeMs, resolve));
    await gateway.close();
    await reloaded;
    try {
      await box.close();
    } finally {
      logger.flush();
    }
  }
  let closing: Promise<void> | undefined;
  return {
    box,
    config,
    address: gateway.address as string,
    serveStdio: ({ as, input, output }) => serveStdio({ face: mcp, credential: stdioCredential(config, as), input, output, limits, ids }),
    reload: () => reloading.reload(),
    close: () => (closing ??= close()),
  };
}

function requireCredentials(config: Config): void {
  if (config.credentials.length === 0)
    throw toolCallError("CONFIG_INVALID", "nobody could use this gateway: no `credentials` are configured");
}

/** What resolving secrets works with. */
interface SecretParts {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** The API keys of every credential, resolved from their secrets. All that cannot be resolved are named together (`CONFIG_INVALID`). */
export async function resolveApiKeys(config: Config, parts: SecretParts): Promise<ApiKeys> {
  return createApiKeys(await resolveCredentials(config, parts), { limits: config.limits, clock: parts.clock });
}

async function resolveCredentials(config: Config, parts: SecretParts): Promise<readonly KeyedCredential[]> {
  const { environment, clock, logger } = parts;
  const onWarning = (): void => logger?.log({ level: "warn", event: "secret-file-exposed" });
  const resolver = createSecretResolver({ environment, readFile: readSecretFile, clock, limits: config.limits, onWarning });
  const settled = await Promise.allSettled(
    config.credentials.map(async (each) => ({ credential: credentialOf(each), key: await resolver.resolve(each.secret) })),
  );
  const problems = settled.flatMap((each, index) =>
    each.status === "rejected" ? [`credential \`${config.credentials[index]?.name ?? ""}\`: ${(each.reason as Error).message}`] : [],
  );
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", problems.join("; "));
  return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

/** Seals what MCP clients hand back. Ed25519 signs one text always alike, so every replica with the same key file has the same key, and nobody else. */
function stateKeyOf(keyring: Keyring): Buffer {
  return createHash("sha256").update(keyring.sign("signalbox: what mcp clients hand back").signature).digest();
}

function mcpUsersOf(config: Config): McpUsers {
  return new Map(config.mcpUsers.map(({ credential, ...user }) => [credential, user]));
}

function stdioCredential(config: Config, as: string | undefined): Credential {
  const names = config.mcpUsers.map(({ credential }) => credential);
  const name = as ?? (names.length === 1 ? names[0] : undefined);
  const found = config.credentials.find((each) => each.name === name && names.includes(each.name));
  if (found === undefined) {
    const possible = names.length === 0 ? "add one under `mcp.credentials`" : `possible: ${names.map((each) => `\`${each}\``).join(", ")}`;
    throw toolCallError(
      "CONFIG_INVALID",
      `${name === undefined ? "say in whose name MCP is served over stdio" : `\`${name}\` may not use MCP`}; ${possible}`,
    );
  }
  return credentialOf(found);
}

function logFault(logger: Logger, cause: unknown): void {
  logger.log({ level: "error", event: "fault-noticed", where: "mcp", ...causeFacts(cause) });
}

function credentialOf(config: CredentialConfig): Credential {
  const { name, tenant, actsFor, approves, administers, words, person } = config;
  return { id: name, tenant, actsFor, approves, administers, words, authenticatedAtMs: undefined, person };
}

/** Every checkpoint in the anchors that exist already, in order. */
export async function anchoredCheckpoints(config: Config): Promise<readonly Checkpoint[]> {
  const lists = await Promise.all(config.anchors.filter(({ path }) => existsSync(path)).map(({ path }) => readAnchorFile(path)));
  return lists.flat().toSorted((left, right) => left.number - right.number);
}

/** One line for each call that waits for a person; what it would do stands in the approval. */
function askedLog(logger: Logger): (approval: Approval) => void {
  return ({ id, callId, tool, gate }) => logger.log({ level: "info", event: "approval-asked", approval: id, call: callId, tool, gate });
}

function troubleLog(
  logger: Logger,
): (trouble: { readonly kind: string; readonly where: string; readonly note: string; readonly cause?: unknown }) => void {
  return ({ kind, where, note, cause }) => {
    logger.log({
      level: kind === "fault" ? "error" : "warn",
      event: `${kind}-noticed`,
      where,
      // What is said of a source is ours, and tells what to do.
      ...((kind === "source" || kind === "notice") && { note }),
      ...(cause !== undefined && causeFacts(cause)),
    });
  };
}

/** Verification reads through a connection of its own, so that calls go on meanwhile. */
function verifierOf(config: Config, box: Signalbox, keyring: Keyring): LedgerVerifier {
  return sharedVerifier(async () => {
    // What stands there now is signed first, so that no tail is left out.
    await box.checkpoint();
    const reader = config.store.kind === "sqlite" ? openSqliteReader({ path: config.store.path }) : box.store;
    try {
      const options = { anchors: await anchoredCheckpoints(config), publicKeys: keyring.publicKeys, limits: config.limits };
      return (await verifyLedger(reader, options)) as unknown as JsonObject;
    } finally {
      if (reader !== box.store) await reader.close();
    }
  });
}
