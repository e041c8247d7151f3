import { canonicalJson } from "../base/canonical-json.ts";
import type { Limits } from "../base/limits.ts";
import type { Store } from "../store/store.ts";
import { readEntry } from "./trail.ts";
import type { Vault } from "./vault.ts";

/** What is exported. */
export interface ExportOptions {
  readonly store: Pick<Store, "entries" | "writers">;
  /** Only this tenant; default all. */
  readonly tenant?: string;
  /** Only entries of this wall time in milliseconds or later. */
  readonly sinceMs?: number;
  /** With it, private values are written beside each entry; without it only their commitments are. */
  readonly vault?: Vault;
  readonly limits: Pick<Limits, "verifyPageEntries">;
  readonly signal?: AbortSignal;
}

/**
 * The ledger as JSON lines, writer by writer in the order of the chain: `{"entry":…}` with the text that was hashed, byte for byte, and with a
 * vault `{"entry":…,"private":…}` (`null` where values were erased). Reads page by page.
 */
export async function* exportLines(options: ExportOptions): AsyncGenerator<string> {
  const { store, tenant, sinceMs, limits } = options;
  for (const { writer, epoch } of await store.writers()) {
    let afterSeq = 0;
    for (;;) {
      options.signal?.throwIfAborted();
      const filters = { ...(tenant !== undefined && { tenant }), ...(sinceMs !== undefined && { sinceMs }) };
      const page = await store.entries({ writer, epoch, afterSeq, limit: limits.verifyPageEntries, ...filters });
      for (const entry of page) {
        if (options.vault === undefined) yield `{"entry":${entry.text}}\n`;
        else yield `{"entry":${entry.text},"private":${canonicalJson((await readEntry(entry, options.vault)).private ?? null)}}\n`;
      }
      if (page.length < limits.verifyPageEntries) break;
      afterSeq = page.at(-1)?.seq ?? afterSeq;
    }
  }
}
