import { canonicalJson } from "../../base/canonical-json.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { SourceListing, SourcedTool } from "../../domain/tool-source.ts";
import type { Connector, ExecutionResult } from "../../domain/tool.ts";
import { toJson } from "../json-result.ts";
import { paramHeaders, type ParamHeader } from "./param-headers.ts";
import { readDefinition } from "./peer.ts";
import { isObject } from "./wire.ts";
import type { SourceCall } from "./source-call.ts";

/** How calls of what is listed leave. */
export interface Carrier {
  readonly carry: (call: SourceCall) => Promise<ExecutionResult>;
  /** Where calls are made with a credential of each user: what theirs lacks. */
  readonly lacks?: NonNullable<Connector["lacks"]> | undefined;
}

/** What a list of definitions comes to. */
export interface ReadListing {
  readonly listing: SourceListing;
  /** Digest of each definition by the source's name of the tool: what a call is compared with before it leaves. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Reads a server's list. What is no definition, too large or named twice is left out and said; a name twice leaves nobody knowing which is meant. */
export function readListing(values: readonly unknown[], carrier: Carrier, limits: Limits): ReadListing {
  const problems: string[] = [];
  const tools = new Map<string, SourcedTool>();
  const twice = new Set<string>();
  const digests = new Map<string, string>();
  for (const value of values) {
    const read = readOne(value, carrier, limits);
    if (typeof read === "string") problems.push(read);
    else if (tools.has(read.tool.name)) twice.add(read.tool.name);
    else {
      tools.set(read.tool.name, read.tool);
      digests.set(read.tool.name, read.digest);
    }
  }
  for (const name of twice) {
    tools.delete(name);
    digests.delete(name);
    problems.push(`the name \`${name.replace(/[^!-~]/gu, "?").slice(0, 60)}\` is there twice`);
  }
  return { listing: { tools: [...tools.values()], problems: problems.slice(0, fixedBounds.problemsMax) }, digests };
}

function readOne(value: unknown, carrier: Carrier, limits: Limits): { readonly tool: SourcedTool; readonly digest: string } | string {
  // Depth and size first: everything after walks over it.
  const form = toJson(value, { ...limits, resultDepthMax: limits.schemaDepthMax, resultNodesMax: limits.schemaStepsMax });
  if (form.kind === "problem") return `a definition cannot be used: ${form.problem}`;
  const read = readDefinition(form.value);
  if (typeof read === "string") return read;
  const text = canonicalJson(read.definition);
  const shown = `\`${read.name.replace(/[^!-~]/gu, "?").slice(0, 60)}\``;
  if (Buffer.byteLength(text) > limits.schemaBytesMax) return `the definition of ${shown} is larger than ${limits.schemaBytesMax} bytes`;
  const headers = paramHeaders(read.inputSchema);
  if (typeof headers === "string") return `the definition of ${shown} cannot be used: ${headers}`;
  const digest = sha256Hex(text);
  return { tool: sourcedTool(read, connectorOf({ name: read.name, digest, headers, carrier })), digest };
}

function sourcedTool(
  read: { readonly name: string; readonly definition: JsonObject; readonly inputSchema: JsonObject },
  connector: Connector,
): SourcedTool {
  const { title, description, outputSchema, annotations } = read.definition;
  const hinted = isObject(annotations) ? annotations["title"] : undefined;
  return {
    name: read.name,
    title: typeof title === "string" ? title : typeof hinted === "string" ? hinted : undefined,
    description: typeof description === "string" ? description : "",
    inputSchema: read.inputSchema,
    outputSchema: isObject(outputSchema) || typeof outputSchema === "boolean" ? outputSchema : undefined,
    definition: read.definition,
    connector,
  };
}

function connectorOf(parts: {
  readonly name: string;
  readonly digest: string;
  readonly headers: readonly ParamHeader[];
  readonly carrier: Carrier;
}): Connector {
  const { name, digest, headers, carrier } = parts;
  const { carry, lacks } = carrier;
  return {
    kind: "mcp",
    execute: (args, execution) => carry({ name, digest, headers, args, execution }),
    ...(lacks !== undefined && { actsAs: "user", lacks }),
  };
}
