import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/hash.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { ArgumentRole } from "../../src/domain/tool.ts";

/** A tool as the benchmarks describe it. */
export interface DataTool {
  readonly name: string;
  readonly description: string;
  readonly input_schema: JsonObject;
}

/** One recorded call. */
export interface DataCall {
  readonly tool: string;
  readonly args: JsonObject;
  readonly output?: Json;
  /** The output with `{{INJ:vector}}` where an attacker can write. */
  readonly output_injectable?: Json;
  readonly simulated_output?: string;
}

/** One suite of AgentDojo. */
export interface DojoSuite {
  readonly tools: readonly DataTool[];
  readonly user_tasks: readonly {
    readonly id: string;
    readonly prompt: string;
    readonly calls: readonly DataCall[];
    readonly first_exposed_after_call?: number | null;
  }[];
  readonly injection_tasks: readonly { readonly id: string; readonly goal: string; readonly calls: readonly DataCall[] }[];
  readonly injection_vectors: Readonly<Record<string, { readonly default: string }>>;
}

/** What a person declared of one tool. */
export interface Annotation {
  readonly effect: "read" | "egress_read" | "write" | "egress" | "destructive";
  readonly roles: Readonly<Record<string, ArgumentRole>>;
  readonly intent: string | null;
  readonly trusted: readonly string[];
  readonly untrusted: boolean;
  readonly cat: string | null;
}

/** Cases of InjecAgent. */
export interface InjecAgent {
  readonly tools: readonly DataTool[];
  readonly attacks: readonly { readonly id: string; readonly calls: readonly DataCall[] }[];
  readonly cases: readonly {
    readonly id: string;
    readonly attack_case: string;
    readonly user_tool: string;
    readonly user_instruction: string;
    readonly user_args: JsonObject;
    readonly response_base: string;
    readonly response_enhanced: string;
  }[];
}

/** Whatever files of these shapes a folder holds. */
export interface SecurityData {
  readonly suites: readonly {
    readonly name: string;
    readonly suite: DojoSuite;
    readonly annotations: Readonly<Record<string, Annotation>> | undefined;
  }[];
  readonly injecagent: readonly InjecAgent[];
  readonly files: readonly string[];
  readonly dataHash: string;
}

/** Reads every JSON file of a folder and takes those whose shape it knows; annotations are found by the names of their suites. */
export function readData(folder: string): SecurityData {
  const suites: { name: string; suite: DojoSuite }[] = [];
  const annotations: Record<string, Readonly<Record<string, Annotation>>> = {};
  const injecagent: InjecAgent[] = [];
  const files: string[] = [];
  const hashes: string[] = [];
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith(".json")) continue;
    const text = readFileSync(join(folder, file), "utf8");
    const found = JSON.parse(text) as Record<string, unknown>;
    const found_suites = found["suites"] as Record<string, unknown> | undefined;
    const isInjecAgent = Array.isArray(found["cases"]) && Array.isArray(found["attacks"]) && Array.isArray(found["tools"]);
    if (found_suites === undefined && !isInjecAgent) continue;
    files.push(file);
    hashes.push(sha256Hex(text));
    if (isInjecAgent) injecagent.push(found as unknown as InjecAgent);
    for (const [name, suite] of Object.entries(found_suites ?? {})) {
      if (Array.isArray((suite as { readonly user_tasks?: unknown }).user_tasks)) suites.push({ name, suite: suite as DojoSuite });
      else annotations[name] = { ...annotations[name], ...(suite as Record<string, Annotation>) };
    }
  }
  return {
    suites: suites.map(({ name, suite }) => ({ name, suite, annotations: annotations[name] })),
    injecagent,
    files,
    dataHash: sha256Hex(hashes.join("")),
  };
}

/** A recorded output with the attacker's text at every place that an attacker can write to. */
export function injected(value: Json, text: string): Json {
  if (typeof value === "string") return value.replace(/\{\{INJ:[^}]*\}\}/g, () => text);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return (value as Json[]).map((item) => injected(item, text));
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, member]) => [injected(key, text) as string, injected(member, text)]),
  );
}
