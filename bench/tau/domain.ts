import type { JsonObject } from "../../src/domain/json.ts";

/** The tables of a domain by name, then by id. */
export type Database = Record<string, Record<string, unknown>>;

/** The tools of a domain over one database. A tool that refuses throws `Refusal`. */
export type ReplayTools = (database: Database) => Readonly<Record<string, (args: never) => unknown>>;

/** A tool as the data describes it. */
export interface DataTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
  readonly write: boolean;
}

/** How one domain is carried out. */
export interface DomainPort {
  readonly tools: ReplayTools;
  /** What the operator adds so that the policy can look facts up; the agent never sees them. */
  readonly lookups: readonly DataTool[];
}

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
