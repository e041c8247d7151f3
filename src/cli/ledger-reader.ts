import type { Config } from "../config/document.ts";
import { openVault, type Vault } from "../ledger/vault.ts";
import type { Store } from "../store/store.ts";
import type { Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { existingKeys, openReadOnly, requireConfig } from "./installation.ts";

/** Runs work on the configured ledger, opened to read. */
export async function withLedger(invocation: Invocation, work: (config: Config, store: Store) => Promise<Ending>): Promise<Ending> {
  const config = await requireConfig(invocation);
  if (config === undefined) return "config";
  const store = openReadOnly(config);
  try {
    return await work(config, store);
  } finally {
    await store.close();
  }
}

/** What opens private values of that ledger. */
export async function vaultOf(config: Config, store: Store, invocation: Invocation): Promise<Vault> {
  const { clock, random } = invocation;
  return openVault({ store, keyring: await existingKeys(config, invocation), clock, random, limits: config.limits });
}
