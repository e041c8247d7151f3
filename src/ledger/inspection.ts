import type { Limits } from "../base/limits.ts";
import type { Store } from "../store/store.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { PublicKey } from "./keyring.ts";
import type { Tombstones } from "./tombstones.ts";
import type { Vault } from "./vault.ts";
import type { ProblemList } from "./verification.ts";

/** What verifying needs and may be told. */
export interface VerifyOptions {
  /** The installation's public keys; taken from the operator, never from the store that is verified. */
  readonly publicKeys: readonly PublicKey[];
  /** Checkpoints kept elsewhere, in order. Default none: then a cut-off end cannot show. */
  readonly anchors?: readonly Checkpoint[];
  /** With it, private values are opened and checked against their commitments too. */
  readonly vault?: Vault;
  /** Told after every page of entries how many were checked so far. */
  readonly onProgress?: (progress: { readonly entries: number }) => void;
  readonly signal?: AbortSignal;
  readonly limits?: Pick<Limits, "verifyPageEntries" | "ledgerProblemsMax">;
}

/** The part of a store that verifying reads, so that a read-only connection will do. */
export type LedgerReader = Pick<Store, "read" | "scan" | "entries" | "batches" | "writers"> & Partial<Pick<Store, "survivesRestart">>;

/** What one verification shares among its steps. */
export interface Inspection extends VerifyOptions {
  readonly store: LedgerReader;
  readonly anchors: readonly Checkpoint[];
  readonly limits: Pick<Limits, "verifyPageEntries" | "ledgerProblemsMax">;
  readonly found: ProblemList;
  readonly notices: string[];
  readonly tombstones: Tombstones;
  readonly last: Checkpoint | undefined;
  /** The last anchored checkpoint whose content must still be there. */
  readonly lastAnchor: Checkpoint | undefined;
  readonly totals: { entries: number; batches: number; unsigned: number; unprotected: number };
}

/** One writer with the epochs in which it is said to have written. */
export interface WriterEpochs {
  readonly writer: string;
  /** Ascending; `head` is absent where only a checkpoint knows of the epoch. */
  readonly epochs: readonly { readonly epoch: number; readonly head: { readonly seq: number; readonly head: string } | undefined }[];
}
