/** What sealing gives: bytes for `EntryDraft.sealed`, and what the entry's body proves about them. */
export interface SealedValues {
  readonly sealed: Uint8Array;
  /** SHA-256 of salt and canonical text, by name. */
  readonly commitments: Readonly<Record<string, string>>;
  /** Data key, 16 hexadecimal characters. */
  readonly keyId: string;
  readonly algorithm: SealAlgorithm;
}

/** How values lie beside their entry. */
export type SealAlgorithm = "aes-256-gcm" | "plain";
