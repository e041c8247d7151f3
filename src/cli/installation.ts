import { systemClock } from "../base/clock.ts";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { optionsFromConfig } from "../call/box/from-config.ts";
import type { Config } from "../config/document.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { renderProblems } from "../config/problem.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { openKeyFile } from "../ledger/key-file.ts";
import type { Keyring } from "../ledger/keyring.ts";
import { openPostgresReader } from "../store/postgres-reader.ts";
import { openSqliteReader } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import type { Invocation } from "./command.ts";

/** The path of the configuration that a command means. */
export function configPath(invocation: Invocation): string {
  return resolve(invocation.folder, invocation.texts["config"] ?? invocation.environment["SIGNALBOX_CONFIG"] ?? "signalbox.yaml");
}

/** Loads the configuration, problems included. */
export function readConfig(invocation: Invocation): Promise<LoadedConfig> {
  return loadConfig({ path: configPath(invocation) }, { environment: invocation.environment, readFile: (path) => readFile(path, "utf8") });
}

/** The configuration; undefined after every problem was shown. */
export async function requireConfig(invocation: Invocation): Promise<Config | undefined> {
  const loaded = await readConfig(invocation);
  if ("config" in loaded) return loaded.config;
  showProblems(loaded, invocation);
  return undefined;
}

/** Shows what is wrong with a configuration. */
export function showProblems(loaded: Extract<LoadedConfig, { readonly problems: unknown }>, { terminal, isJson }: Invocation): void {
  if (isJson) terminal.out(`${JSON.stringify({ problems: loaded.problems }, undefined, 2)}\n`);
  else
    terminal.err(
      `${renderProblems(loaded.problems, loaded.texts)}\n\n${loaded.problems.length} problem${loaded.problems.length === 1 ? "" : "s"}\n`,
    );
}

/** Every tool that the configuration stands for; modules are imported. */
export async function configuredTools(config: Config, invocation: Invocation): Promise<readonly RegisteredTool[]> {
  return (await optionsFromConfig(config, invocation.clock)).tools ?? [];
}

/** The store's file opened to read beside whoever writes it. Where a store is asked to write, it refuses. */
export function openReadOnly(config: Config): Store {
  if (config.store.kind === "memory")
    throw toolCallError(
      "CONFIG_INVALID",
      "the store is `memory`: nothing of it can be read from outside; ask the gateway, or use `sqlite:<path>`",
    );
  const { store } = config;
  const reader =
    store.kind === "sqlite"
      ? openSqliteReader({ path: store.path })
      : openPostgresReader({ connectionString: store.url, clock: systemClock });
  const refuse = (): Promise<never> => Promise.reject(toolCallError("REQUEST_INVALID", "this command only reads the store"));
  return { ...reader, kind: store.kind, survivesRestart: true, commit: refuse, dropEntries: refuse, purge: refuse, backup: refuse };
}

/** The installation's keys, never made here. */
export async function existingKeys(config: Config, invocation: Invocation): Promise<Keyring> {
  if (config.keys === undefined || !existsSync(config.keys))
    throw toolCallError("CONFIG_INVALID", `there is no key file at \`${config.keys ?? "keys"}\`; it is made when the gateway first starts`);
  return await openKeyFile({ path: config.keys, clock: invocation.clock, random: invocation.random });
}
