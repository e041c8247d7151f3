import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/base/hash.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { ArgumentRole } from "../../src/domain/tool.ts";

/** A tool as the benchmarks describe it. */
export interface DataTool {
  readonly name: string;
  readonly description?: string;
  readonly input_schema?: JsonObject;
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
    readonly prompt?: string;
    readonly calls: readonly DataCall[];
    readonly first_exposed_after_call?: number | null;
  }[];
  readonly injection_tasks: readonly { readonly id: string; readonly goal: string; readonly calls: readonly DataCall[] }[];
}

/** What a person declared of one tool. Without an effect, the tier follows from the tool's name. */
export interface Annotation {
  readonly effect?: "read" | "egress_read" | "write" | "egress" | "destructive";
  readonly roles?: Readonly<Record<string, ArgumentRole>>;
  readonly intent?: string | null;
  readonly trusted?: readonly string[];
  /** Whether outputs can carry text of third parties; where nobody says so, they can. */
  readonly untrusted?: boolean;
}

/** Cases of InjecAgent. */
export interface InjecAgent {
  readonly tools: readonly DataTool[];
  readonly attacks: readonly { readonly id: string; readonly calls: readonly DataCall[] }[];
  readonly cases: readonly {
    readonly id: string;
    readonly attack_case: string;
    readonly user_tool: string;
    readonly user_instruction?: string;
    readonly user_args?: JsonObject;
    readonly response_base?: string;
    readonly response_enhanced?: string;
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
  /** Files that were left out, each with the reason. */
  readonly skipped: readonly string[];
  readonly dataHash: string;
}

/**
 * Reads every JSON file of a folder and takes those whose shape it knows; annotations are found by the names of their suites. What cannot be read is left
 * out and listed with the reason.
 */
export function readData(folder: string): SecurityData {
  const found: Found = { suites: [], annotations: {}, injecagent: [] };
  const files: string[] = [];
  const hashes: string[] = [];
  const skipped: string[] = [];
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith(".json")) continue;
    const text = readFileSync(join(folder, file), "utf8");
    const content = parsed(text);
    if (!isObject(content)) skipped.push(`${file}: ${content === undefined ? "it is no JSON" : "it is no JSON object"}`);
    else if (take(content, file, found)) {
      files.push(file);
      hashes.push(sha256Hex(text));
    } else skipped.push(`${file}: neither suites nor cases, attacks and tools`);
  }
  const { suites, annotations, injecagent } = found;
  return {
    suites: suites.map(({ name, suite }) => ({ name, suite, annotations: annotations[name] })),
    injecagent,
    files,
    skipped,
    dataHash: sha256Hex(hashes.join("")),
  };
}

interface Found {
  readonly suites: { readonly name: string; readonly suite: DojoSuite }[];
  readonly annotations: Record<string, Readonly<Record<string, Annotation>>>;
  readonly injecagent: InjecAgent[];
}

/** Whether the file holds anything of a known shape: cases, several suites by name, annotations by suite, or one suite as it is. */
function take(content: JsonObject, file: string, found: Found): boolean {
  if (["cases", "attacks", "tools"].every((member) => Array.isArray(content[member]))) {
    found.injecagent.push(content as unknown as InjecAgent);
    return true;
  }
  const suites = Array.isArray(content["user_tasks"]) ? { [file.replace(/\.json$/, "")]: content } : content["suites"];
  if (!isObject(suites)) return false;
  for (const [name, suite] of Object.entries(suites)) {
    if (!isObject(suite)) continue;
    if (Array.isArray(suite["user_tasks"])) found.suites.push({ name, suite: wholeSuite(suite) });
    else found.annotations[name] = { ...found.annotations[name], ...(suite as unknown as Record<string, Annotation>) };
  }
  return true;
}

/** Members that a suite lacks are empty. */
function wholeSuite(suite: JsonObject): DojoSuite {
  const list = (holder: JsonObject, member: string): JsonObject[] => {
    const items = holder[member];
    return Array.isArray(items) ? (items as Json[]).filter(isObject) : [];
  };
  const withCalls = (task: JsonObject): JsonObject => ({
    ...task,
    calls: list(task, "calls").map((call) => ({ ...call, args: isObject(call["args"]) ? call["args"] : {} })),
  });
  return {
    tools: list(suite, "tools"),
    user_tasks: list(suite, "user_tasks").map(withCalls),
    injection_tasks: list(suite, "injection_tasks").map(withCalls),
  } as unknown as DojoSuite;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
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
