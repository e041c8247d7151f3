import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { Checkpointer } from "../../ledger/checkpointer.ts";
import { openKeyFile } from "../../ledger/key-file.ts";
import { memoryKeyring, type Keyring } from "../../ledger/keyring.ts";
import { recordRestore } from "../../ledger/restore.ts";
import { createMemoryStore } from "../../store/memory.ts";
import { openPostgresStore } from "../../store/postgres.ts";
import { openSqliteStore } from "../../store/sqlite.ts";
import type { CommitResult, Store } from "../../store/store.ts";
import type { SignalboxOptions } from "./options.ts";

/**
 * Opens what a box keeps: the store with its writer's lock, and the installation's keys. A store that came from a backup says so before anything else
 * is written in its new epoch.
 */
export async function openState(
  options: SignalboxOptions,
  { clock, random, limits }: { readonly clock: Clock; readonly random: Random; readonly limits: Limits },
): Promise<{ readonly store: Store; readonly keyring: Keyring }> {
  const wanted = options.store ?? "memory";
  const path = typeof wanted === "string" && wanted.startsWith("sqlite:") ? wanted.slice("sqlite:".length) : undefined;
  const isShared = typeof wanted === "string" && /^postgres(ql)?:/.test(wanted);
  if (typeof wanted === "string" && wanted !== "memory" && path === undefined && !isShared)
    throw toolCallError("CONFIG_INVALID", "no such store; use `memory`, `sqlite:<path>` or `postgres://user@host/database`");
  if (isShared && options.keys === undefined)
    throw toolCallError(
      "CONFIG_INVALID",
      "every process on a `postgres://` store needs the same keys; name the key file that they share with `keys`",
    );
  const keyring = await openKeys(options, path, clock, random);
  if (typeof wanted === "object") return { store: wanted, keyring };
  if (!isShared && path === undefined) return { store: createMemoryStore({ clock, random }), keyring };
  const store =
    path === undefined
      ? await openPostgresStore({ connectionString: wanted, clock, random, limits })
      : await openSqliteStore({ path, clock, random });
  // The first thing that a restored store says, before anything else is written in its new epoch.
  try {
    if (store.restored !== undefined)
      await recordRestore({ store, keyring, clock }, { epoch: store.restored.epoch, by: "start", reason: "restored from a backup" });
  } catch (error) {
    await store.close();
    throw error;
  }
  return { store, keyring };
}

async function openKeys(options: SignalboxOptions, storePath: string | undefined, clock: Clock, random: Random): Promise<Keyring> {
  if (typeof options.keys === "object") return options.keys;
  const path = options.keys ?? (storePath === undefined ? undefined : `${storePath}.keys`);
  return path === undefined ? memoryKeyring(random) : await openKeyFile({ path, clock, random });
}

/** The store, with every entry counted towards the next checkpoint. */
export function notingStore(store: Store, checkpointer: Checkpointer): Store {
  return {
    ...bound(store),
    get writer() {
      return store.writer;
    },
    commit(unit) {
      const note = (result: CommitResult): CommitResult => {
        if (result.kind === "committed") checkpointer.note(unit.entries.length);
        return result;
      };
      const result = store.commit(unit);
      return result instanceof Promise ? result.then(note) : note(result);
    },
  };
}

function bound(store: Store): Store {
  return {
    kind: store.kind,
    survivesRestart: store.survivesRestart,
    ...(store.epoch !== undefined && { epoch: store.epoch }),
    read: (keys) => store.read(keys),
    ...(store.recalls !== undefined && { recalls: (key) => store.recalls?.(key) === true }),
    scan: (range) => store.scan(range),
    due: (query) => store.due(query),
    counters: (keys) => store.counters(keys),
    commit: (unit) => store.commit(unit),
    entries: (query) => store.entries(query),
    batches: (query) => store.batches(query),
    writers: () => store.writers(),
    dropEntries: (drop) => store.dropEntries(drop),
    purge: (query) => store.purge(query),
    backup: (path) => store.backup(path),
    close: () => store.close(),
  };
}
