import { fileURLToPath } from "node:url";
import { systemClock } from "../../base/clock.ts";
import { defaultLimits, type Limits } from "../../base/limits.ts";
import { systemRandom, type Random } from "../../base/random.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { SourceListing, SourcedTool, ToolSource } from "../../domain/tool-source.ts";
import type { Execution, ExecutionResult, Tier } from "../../domain/tool.ts";
import { completeTool } from "../../registry/complete.ts";
import type { McpReach } from "./options.ts";
import { mcpSource } from "./source.ts";
import type { Script } from "./upstream.fixture.ts";

/** The command of the scripted server. */
export function scripted(script: Script = {}, environment: Readonly<Record<string, string>> = {}): Extract<McpReach, { kind: "stdio" }> {
  const program = fileURLToPath(new URL("./upstream.fixture.ts", import.meta.url));
  return { kind: "stdio", command: [process.execPath, program], environment: { UPSTREAM: JSON.stringify(script), ...environment } };
}

/** A source that was started, with what it said. */
export interface StartedSource {
  readonly source: ToolSource;
  readonly listings: readonly SourceListing[];
  readonly notes: readonly string[];
  /** Calls a tool of the last listing. */
  call(name: string, args?: JsonObject, parts?: CallParts): Promise<ExecutionResult & { readonly marks: readonly string[] }>;
  /** Resolves with the next listing. */
  nextListing(): Promise<SourceListing>;
}

/** What a test says of one call. */
export interface CallParts {
  readonly tier?: Tier;
  readonly signal?: AbortSignal;
  readonly progress?: (message: string) => void;
  /** Default `ada` of `acme`. */
  readonly user?: string;
  readonly tenant?: string;
}

/** What a test changes of it. */
export interface SourceChanges {
  readonly limits?: Partial<Limits>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly random?: Random;
}

/** Resolves once something holds, looked at from time to time. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => void systemClock.after(10, resolve));
}

/** Starts a source and waits until it was listed once. */
export async function startSource(reach: McpReach, changes: SourceChanges = {}): Promise<StartedSource> {
  const secret = (reference: string): Promise<string> => {
    const value = changes.secrets?.[reference];
    return value === undefined ? Promise.reject(new Error("no such secret")) : Promise.resolve(value);
  };
  const limits = { ...defaultLimits, mcpRestartBaseMs: 1, mcpKillMs: 200, mcpChangeWaitMs: 5, ...changes.limits };
  const source = mcpSource(
    { name: "up", reach },
    { clock: systemClock, random: changes.random ?? systemRandom, limits, environment: process.env },
  );
  const listings: SourceListing[] = [];
  const notes: string[] = [];
  let waiting: ((listing: SourceListing) => void)[] = [];
  source.start({
    onListing(listing) {
      listings.push(listing);
      for (const resolve of waiting.splice(0)) resolve(listing);
      return Promise.resolve();
    },
    secret,
    onTrouble: (note) => notes.push(note),
  });
  await source.settled();
  return {
    source,
    listings,
    notes,
    nextListing: () => new Promise((resolve) => (waiting = [...waiting, resolve])),
    async call(name, args = {}, parts = {}) {
      const sourced = listings.at(-1)?.tools.find((each) => each.name === name) as SourcedTool;
      const marks: string[] = [];
      const result = await sourced.connector.execute(args, executionOf(sourced, { ...parts, marks, secret }));
      return { ...result, marks };
    },
  };
}

function executionOf(
  sourced: SourcedTool,
  parts: CallParts & { readonly marks: string[]; readonly secret: Execution["secret"] },
): Execution {
  const {
    tier = "irreversible",
    signal = new AbortController().signal,
    progress = () => undefined,
    marks,
    secret,
    user = "ada",
    tenant = "acme",
  } = parts;
  const { name, description, inputSchema } = sourced;
  return {
    callId: "call_1",
    key: "key_1",
    signal,
    principal: { tenant, user, roles: [], attributes: {} },
    sessionId: "ses_1",
    tool: completeTool({ name: `up.${name}`, tier, description, inputSchema, isForeign: true }),
    attempt: 1,
    progress,
    mark: (mark) => marks.push(mark),
    secret,
    conceal: () => undefined,
  };
}
