/** The tables of a domain by name, then by id. */
export type Database = Record<string, Record<string, unknown>>;

/** The tools of a domain over one database. A tool that refuses throws `Refusal`. */
export type ReplayTools = (database: Database) => Readonly<Record<string, (args: never) => unknown>>;

/** What a tool says instead of doing anything. */
export class Refusal extends Error {}

/** Ends a tool's call with its own words, before anything was changed. */
export function refuse(what: string): never {
  throw new Refusal(`Error: ${what}`);
}

/** Money to cents. */
export function roundedTo2(amount: number): number {
  return Number(amount.toFixed(2));
}
