import type { Json, JsonObject } from "../domain/json.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { compareVersions, parseVersion } from "../registry/semver.ts";
import { compareSchemas, type SchemaChange } from "../schema/compare.ts";
import type { Command } from "./command.ts";
import { readJsonFile } from "./json-file.ts";
import { paint, plain, show, table } from "./terminal.ts";

/** A change of one tool. `tool` is empty where plain schemas are compared. */
interface ToolChange extends SchemaChange {
  readonly tool: string;
}

/** What a file says of one tool. */
interface Definition {
  readonly version: string;
  readonly tier: string | undefined;
  readonly description: string | undefined;
  readonly schema: JsonSchema;
}

type Definitions = ReadonlyMap<string, Definition>;

/** `signalbox tools diff`: what a change of definitions means for whoever calls the tools. */
export const diffCommand: Command = {
  name: "tools diff",
  summary: "Say what changed between two versions of tools, and whether it breaks callers",
  takes: ["OLD.json", "NEW.json"],
  about:
    "Each file is a JSON Schema, a tool definition, or a list of them as `signalbox tools list --json`, MCP or a provider writes it; of several versions of a tool the newest counts. Exit code 1 when a change is breaking: calls that were right may be refused.",
  async run(invocation) {
    const [oldFile, newFile] = invocation.positionals as readonly [string, string];
    const before = definitionsOf(await readJsonFile(invocation, oldFile), oldFile);
    const after = definitionsOf(await readJsonFile(invocation, newFile), newFile);
    const changes = compareTools(before, after);
    const kind = gravity.find((each) => changes.some((change) => change.kind === each));
    const colours = { breaking: "red", additive: "green", cosmetic: "dim" } as const;
    show(invocation, { kind: kind ?? null, changes }, () =>
      kind === undefined
        ? "no difference\n"
        : `${table(changes.map((change) => [change.kind, change.tool, change.path, change.message]))}${paint(invocation.terminal, colours[kind], kind)}\n`,
    );
    return kind === "breaking" ? "failed" : "ok";
  },
};

const gravity = ["breaking", "additive", "cosmetic"] as const;

function compareTools(before: Definitions, after: Definitions): readonly ToolChange[] {
  const changes = [...new Set([...before.keys(), ...after.keys()])].flatMap((tool): readonly ToolChange[] => {
    const [old, next] = [before.get(tool), after.get(tool)];
    if (next === undefined) return [{ kind: "breaking", tool, path: "", message: "is gone" }];
    if (old === undefined) return [{ kind: "additive", tool, path: "", message: "is new" }];
    return compareTool(old, next).map((change) => ({ tool, ...change }));
  });
  return changes.toSorted((left, right) => gravity.indexOf(left.kind) - gravity.indexOf(right.kind));
}

function compareTool(old: Definition, next: Definition): readonly SchemaChange[] {
  const changes = [...compareSchemas(old.schema, next.schema).changes];
  // Another tier is another treatment: what ran may ask now, or what asked may run.
  if (old.tier !== next.tier)
    changes.push({ kind: "breaking", path: "", message: `tier was ${old.tier ?? "not given"}, now ${next.tier ?? "not given"}` });
  if (old.description !== next.description) changes.push({ kind: "cosmetic", path: "", message: "the description changed" });
  return changes;
}

function definitionsOf(raw: unknown, file: string): Definitions {
  const list = Array.isArray(raw)
    ? (raw as readonly Json[])
    : isObject(raw) && Array.isArray(raw["tools"])
      ? (raw["tools"] as readonly Json[])
      : [raw as Json];
  const found = new Map<string, Definition>();
  for (const each of list) {
    const named = definitionOf(each) ?? (list.length === 1 ? plainSchema(each) : undefined);
    if (named === undefined)
      throw toolCallError(
        "REQUEST_INVALID",
        `\`${plain(file)}\` holds something that is no tool; give each a \`name\` and an \`inputSchema\``,
      );
    const [name, definition] = named;
    const other = found.get(name);
    if (other === undefined || isNewer(definition.version, other.version)) found.set(name, definition);
  }
  return found;
}

function definitionOf(raw: Json): readonly [name: string, Definition] | undefined {
  const tool = isObject(raw) && isObject(raw["function"]) ? raw["function"] : raw;
  if (!isObject(tool)) return undefined;
  const { name, version, tier, description } = tool;
  // Signalbox and MCP, Anthropic, OpenAI and Gemini.
  const schema = tool["inputSchema"] ?? tool["input_schema"] ?? tool["parameters"];
  if (typeof name !== "string" || !isObject(schema)) return undefined;
  return [name, { version: textOf(version) ?? "0.0.0", tier: textOf(tier), description: textOf(description), schema }];
}

function plainSchema(raw: Json): readonly [name: string, Definition] | undefined {
  return isObject(raw) || typeof raw === "boolean"
    ? ["", { version: "0.0.0", tier: undefined, description: undefined, schema: raw }]
    : undefined;
}

function isNewer(version: string, than: string): boolean {
  const [left, right] = [parseVersion(version), parseVersion(than)];
  return left !== undefined && (right === undefined || compareVersions(left, right) > 0);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
