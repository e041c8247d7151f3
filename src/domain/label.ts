/** How far a value may be believed: `directory` values name known parties even where the listing's prose is not trusted. */
export type Integrity = "trusted" | "directory" | "untrusted";

/** How widely a value may travel. */
export type Confidentiality = "public" | "internal" | "confidential" | "restricted";

/** Where a value came from and what that means for its use. Travels with results, caches, blobs and handles. */
export interface Label {
  /** Source system, such as `crm`. */
  readonly source: string;
  readonly integrity: Integrity;
  readonly confidentiality: Confidentiality;
  /** Data categories, such as `personal` or `finance`; sorted. */
  readonly categories: readonly string[];
  /** Who may read it: users, groups or `tenant`; sorted. */
  readonly readers: readonly string[];
}

/** What is assumed of an output nobody described: untrusted, internal, for the tenant. */
export function defaultLabel(source: string): Label {
  return { source, integrity: "untrusted", confidentiality: "internal", categories: [], readers: ["tenant"] };
}
