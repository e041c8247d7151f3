import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Signalbox } from "../call/box/box.ts";
import type { Config } from "../config/document.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import { causeFacts, type Logger } from "./log.ts";

/**
 * Takes a changed policy and changed credentials over while the gateway runs. Whoever edits the file, or sends SIGHUP, gets what is new in force if it
 * is sound; if not, each problem is in the log with its place and the last sound one stays. SIGHUP also resolves the secrets of credentials anew, so that
 * a key in a file rotates. Calls under way keep the policy they were decided by. Every other setting is read at the start alone: a change of one is
 * named, and takes a restart.
 */
export interface PolicyReload {
  /** Reads the files now and puts their policy and credentials in force, also where another was activated over the API since. Never rejects. */
  reload(): Promise<void>;
  /** Stops watching. What is being read is given up, what is being put in force is; resolves after that. */
  close(): Promise<void>;
}

/** Watches a folder; returns how to stop. `name` is the file that changed, where the system says so. */
export type WatchFolder = (folder: string, onChange: (name: string | null) => void, onFailed: (cause: unknown) => void) => () => void;

/** What reloading works with. */
export interface ReloadParts {
  readonly box: Pick<Signalbox, "activatePolicy" | "health">;
  /** Path of the configuration. */
  readonly path: string;
  /** What the gateway was started with. */
  readonly config: Config;
  readonly load: () => Promise<LoadedConfig>;
  /** Resolves the credentials and takes them in place of those held. Rejects with `CONFIG_INVALID` where they cannot be; then nothing changes. */
  readonly replaceCredentials: (config: Config) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: the file system's own notices. */
  readonly watchFolder?: WatchFolder;
}

/** What Kubernetes swaps when a mounted ConfigMap changes; the files themselves are never touched. */
const mountedData = "..data";

/** Starts watching the configuration and the policy file that it names. */
export function startPolicyReload(parts: ReloadParts): PolicyReload {
  return new Reloader(parts);
}

class Reloader implements PolicyReload {
  readonly #parts: ReloadParts;
  readonly #watched = new Map<string, () => void>();
  #files: ReadonlySet<string>;
  #timer: Timer | undefined;
  /** One reading at a time, in order. */
  #working: Promise<void> = Promise.resolve();
  #seen: string | undefined;
  /** Undefined while there is none that could be read. */
  #applied: string | undefined;
  #credentials: string;
  #isClosed = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#applied = JSON.stringify(parts.config.policyRaw);
    this.#credentials = JSON.stringify(parts.config.credentials);
    this.#files = new Set([parts.path]);
    this.#watchFiles([]);
    // What the policy's own file is, and whether something changed since the configuration was read.
    void this.#queue(false);
  }

  reload(): Promise<void> {
    return this.#queue(true);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const stop of this.#watched.values()) stop();
    this.#watched.clear();
    await this.#working;
  }

  #queue(isForced: boolean): Promise<void> {
    this.#working = this.#working
      .then(() => this.#read(isForced))
      .catch((cause: unknown) => {
        if (!this.#isClosed) this.#parts.logger.log({ level: "error", event: "config-read-failed", ...causeFacts(cause) });
      });
    return this.#working;
  }

  #watchFiles(others: readonly string[]): void {
    this.#files = new Set([this.#parts.path, ...others]);
    for (const folder of new Set([...this.#files].map((file) => dirname(file)))) if (!this.#watched.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    const { watchFolder = watchWithSystem, logger } = this.#parts;
    const failed = (cause: unknown): void => {
      this.#watched.set(folder, () => undefined);
      logger.log({ level: "warn", event: "config-watch-failed", mend: "send SIGHUP after a change", ...causeFacts(cause) });
    };
    try {
      this.#watched.set(
        folder,
        watchFolder(folder, (name) => this.#changed(folder, name), failed),
      );
    } catch (cause) {
      failed(cause);
    }
  }

  #changed(folder: string, name: string | null): void {
    const isOurs = [...this.#files].some((file) => dirname(file) === folder && basename(file) === name);
    // The store's own files may lie in the same folder and change with every call.
    if (this.#isClosed || !(isOurs || name === null || name === mountedData)) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(fixedBounds.policyQuietMs, () => void this.#queue(false));
  }

  async #read(isForced: boolean): Promise<void> {
    if (this.#isClosed) return;
    const loaded = await this.#parts.load();
    const seen = JSON.stringify(loaded.texts);
    if (this.#isClosed || (seen === this.#seen && !isForced)) return;
    this.#seen = seen;
    this.#watchFiles(Object.keys(loaded.texts));
    if ("problems" in loaded) this.#refuse(loaded.problems);
    else await this.#apply(loaded.config, isForced);
  }

  #refuse(problems: readonly ConfigProblem[]): void {
    for (const { file, line, column, path, message, mend } of problems) {
      const place = line > 0 ? `${file}:${line}:${column}` : `${file}: ${path || "/"}`;
      this.#parts.logger.log({ level: "error", event: "config-refused", place, problem: message, ...(mend !== "" && { mend }) });
    }
    this.#parts.logger.log({ level: "warn", event: "policy-kept", policyVersion: this.#parts.box.health().policyVersion });
  }

  async #apply(config: Config, isForced: boolean): Promise<void> {
    const { logger } = this.#parts;
    const settings = changedSettings(this.#parts.config, config);
    if (settings.length > 0) logger.log({ level: "warn", event: "restart-needed", settings: settings.join(", ") });
    // Each stands alone: what is wrong with the policy must not keep a revoked key alive.
    await this.#unlessRefused(() => this.#applyCredentials(config, isForced));
    await this.#unlessRefused(() => this.#applyPolicy(config, isForced));
  }

  async #applyCredentials(config: Config, isForced: boolean): Promise<void> {
    const credentials = JSON.stringify(config.credentials);
    if (credentials === this.#credentials && !isForced) return;
    await this.#parts.replaceCredentials(config);
    this.#parts.logger.log({ level: "info", event: "credentials-replaced", credentials: config.credentials.length });
    this.#credentials = credentials;
  }

  async #applyPolicy(config: Config, isForced: boolean): Promise<void> {
    const { box, logger } = this.#parts;
    const policy = JSON.stringify(config.policyRaw);
    if (policy === this.#applied && !isForced) return;
    const before = box.health().policyVersion;
    const { version } = await box.activatePolicy(config.policyRaw, "reload", "file");
    this.#applied = policy;
    if (version !== before) logger.log({ level: "info", event: "policy-activated", policyVersion: version });
  }

  async #unlessRefused(apply: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return;
    try {
      await apply();
    } catch (error) {
      if (!(error instanceof ToolCallError)) throw error;
      this.#parts.logger.log({ level: "error", event: "config-refused", place: this.#parts.path, problem: error.message });
    }
  }
}

/** Members of the configuration that stand otherwise than at the start, but for the policy and the credentials. */
function changedSettings(before: Config, after: Config): readonly string[] {
  const { policy: _policy, policyRaw: _policyRaw, credentials: _credentials, ...compared } = after;
  const names = Object.keys(compared) as (keyof typeof compared)[];
  return names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

const watchWithSystem: WatchFolder = (folder, onChange, onFailed) => {
  const watcher: FSWatcher = watch(folder, { persistent: false }, (_, name) => onChange(name));
  watcher.on("error", onFailed);
  return () => watcher.close();
};
