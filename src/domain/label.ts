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
  /** Who may read it, of those whom the directory knows: `tenant` (all of them), `user:ID`, `group:NAME`, `role:NAME`; sorted. Empty: nobody. */
  readonly readers: readonly string[];
}

/** What is assumed of an output nobody described: untrusted, internal, for the tenant. */
export function defaultLabel(source: string): Label {
  return { source, integrity: "untrusted", confidentiality: "internal", categories: [], readers: [tenantReader] };
}

/** Everybody whom the tenant's directory knows. */
export const tenantReader = "tenant";

/**
 * A label as parts of it were declared, the last word last. What is restricted or a secret is meant for nobody unless somebody says for whom: that it
 * belongs to the tenant does not mean that everybody there may have it.
 */
export function declaredLabel(source: string, ...said: readonly (Partial<Label> | undefined)[]): Label {
  const label = said.reduce<Label>((whole, part) => ({ ...whole, ...part }), defaultLabel(source));
  return isForFew(label) && said.every((part) => part?.readers === undefined) ? { ...label, readers: [] } : label;
}

function isForFew({ confidentiality, categories }: Label): boolean {
  return confidentiality === "restricted" || categories.includes("secret") || categories.includes("credential");
}
