import { existsSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { backup as copyDatabase, DatabaseSync } from "node:sqlite";
import { toolCallError } from "../errors/tool-call-error.ts";
import { backUpPostgres } from "../store/postgres-backup.ts";
import { databaseAddress } from "../store/postgres-driver.ts";
import { restorePostgres } from "../store/postgres-restore.ts";
import { restoreSqlite } from "../store/restore.ts";
import { openSqliteReader } from "../store/sqlite.ts";
import { configFlag, type Command } from "./command.ts";
import { requireConfig } from "./installation.ts";
import { show } from "./terminal.ts";

const backup: Command = {
  name: "backup",
  summary: "Copy the store while it is in use",
  takes: ["FILE"],
  flags: configFlag,
  about: "Keep the key file too, at another place: without it private values of the backup cannot be opened.",
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    if (config.store.kind === "memory") throw toolCallError("CONFIG_INVALID", "the store is `memory`: there is nothing to copy");
    const target = resolve(invocation.folder, invocation.positionals[0] as string);
    if (existsSync(target)) throw toolCallError("REQUEST_INVALID", `\`${target}\` exists already; name another file`);
    await access(dirname(target), constants.W_OK).catch((cause: unknown) => {
      throw toolCallError(
        "REQUEST_INVALID",
        `the folder of \`${target}\` is not there or cannot be written; make it, or name another file`,
        {
          cause,
        },
      );
    });
    if (config.store.kind === "postgres") {
      await backUpPostgres({ address: databaseAddress(config.store.url), path: target });
      show(invocation, { written: target }, () => `wrote ${target}\n`);
      return "ok";
    }
    // Opening as a reader first refuses what is no store of ours.
    await openSqliteReader({ path: config.store.path }).close();
    const source = new DatabaseSync(config.store.path, { readOnly: true });
    try {
      const pageCount = await copyDatabase(source, target);
      show(invocation, { written: target, pageCount }, () => `wrote ${target}\n`);
    } finally {
      source.close();
    }
    return "ok";
  },
};

const restore: Command = {
  name: "restore",
  summary: "Put a backup in place as a new epoch of the ledger",
  takes: ["FILE"],
  flags: { ...configFlag, overwrite: { about: "replace the store that stands there" } },
  about: "Refused while a gateway writes the store. Pending approvals and open calls of the lost time are not trusted afterwards.",
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    if (config.store.kind === "memory") throw toolCallError("CONFIG_INVALID", "the store is `memory`: there is no file to put in place");
    const from = resolve(invocation.folder, invocation.positionals[0] as string);
    if (config.store.kind === "postgres") {
      const record = await restorePostgres({ connectionString: config.store.url, from, clock: invocation.clock });
      show(invocation, record, () => `restored: epoch ${record.epoch}, history of ${record.heads.length} writers\n`);
      return "ok";
    }
    const record = restoreSqlite({
      from,
      to: config.store.path,
      overwrite: invocation.switches["overwrite"] === true,
      clock: invocation.clock,
    });
    const to = config.store.path;
    show(invocation, { restored: to, ...record }, () => `restored ${to}: epoch ${record.epoch}, history through entry ${record.lastSeq}\n`);
    return "ok";
  },
};

/** Commands about the store's file. */
export const backupCommands: readonly Command[] = [backup, restore];
