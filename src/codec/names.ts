import { sha256Hex } from "../base/hash.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Form } from "../domain/tool-call.ts";

/** What a name map needs of a tool; a `Tool` is one. */
export interface NamedTool {
  readonly name: string;
  readonly version: string;
  /** Lets the decoder undo the strict projection of the OpenAI forms. */
  readonly inputSchema?: JsonObject;
}

/** Names of tools as one provider takes them, both ways. Bijective over the tools it was made of. */
export interface NameMap {
  /** The provider's name of one of the tools that the map was made of, or a legal name for another. */
  ofTool(tool: NamedTool): string;
  /** The provider's name of a tool, by its own name (with `@version` where several versions are shown); a legal name also for a tool not in the map. */
  toProvider(name: string): string;
  /** The tool's own name, with `@version` only where the map holds several versions of it; `undefined` for a name that the map did not give out. */
  fromProvider(providerName: string): string | undefined;
  /** Input schema behind a provider's name, where it was given. */
  inputSchema(providerName: string): JsonObject | undefined;
}

interface Charset {
  readonly legal: RegExp;
  readonly illegal: RegExp;
  readonly charsMax: number;
}

/**
 * What each form allows in a tool's name: OpenAI `^[a-zA-Z0-9_-]{1,64}$`; Anthropic the same up to 128, kept at 64 so that both share aliases;
 * Gemini after the documentation of `FunctionDeclaration`; MCP after the naming guidance of 2025-11-25.
 *
 * @see the references of the OpenAI, Anthropic and Gemini APIs for the definition of a function; modelcontextprotocol.io, "Tool Names".
 */
const charsets: Readonly<Record<Exclude<Form, "plain">, Charset>> = {
  "openai-chat": { legal: /^[a-zA-Z0-9_-]{1,64}$/, illegal: /[^a-zA-Z0-9_-]/gu, charsMax: 64 },
  "openai-responses": { legal: /^[a-zA-Z0-9_-]{1,64}$/, illegal: /[^a-zA-Z0-9_-]/gu, charsMax: 64 },
  anthropic: { legal: /^[a-zA-Z0-9_-]{1,64}$/, illegal: /[^a-zA-Z0-9_-]/gu, charsMax: 64 },
  gemini: { legal: /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/, illegal: /[^a-zA-Z0-9_.:-]/gu, charsMax: 128 },
  mcp: { legal: /^[A-Za-z0-9_.-]{1,128}$/, illegal: /[^A-Za-z0-9_.-]/gu, charsMax: 128 },
};

/** Whether a name may be shown to a provider as it is. */
export function isLegalName(name: string, form: Form): boolean {
  return form === "plain" || charsets[form].legal.test(name);
}

/**
 * Maps the names of the tools that one model is shown. A name is kept where it is legal; illegal characters (the dot of most tools) become `_`. Names
 * that are too long, or that would meet, end in a hash of the whole name, every member of such a group, so that what a tool is called depends on
 * itself and on those it collides with, never on the order or on unrelated tools.
 */
export function createNameMap(tools: readonly NamedTool[], form: Form): NameMap {
  const named = fullNames(tools);
  const aliases = aliasesOf([...named.keys()], form);
  const byAlias = new Map<string, string>();
  for (const [full, alias] of aliases) byAlias.set(alias, full);
  const toProvider = (name: string): string => aliases.get(name) ?? (form === "plain" ? name : baseAlias(name, charsets[form]));
  return {
    ofTool: (tool) => aliases.get(`${tool.name}@${tool.version}`) ?? toProvider(tool.name),
    toProvider,
    fromProvider: (providerName) => byAlias.get(providerName),
    inputSchema: (providerName) => {
      const full = byAlias.get(providerName);
      return full === undefined ? undefined : named.get(full)?.inputSchema;
    },
  };
}

// The tool's name where one version is shown, `name@version` where several are.
function fullNames(tools: readonly NamedTool[]): Map<string, NamedTool> {
  const versions = new Map<string, Map<string, NamedTool>>();
  for (const tool of tools) {
    const known = versions.get(tool.name) ?? new Map<string, NamedTool>();
    versions.set(tool.name, known.set(tool.version, tool));
  }
  const named = new Map<string, NamedTool>();
  for (const [name, known] of versions) {
    for (const [version, tool] of known) named.set(known.size === 1 ? name : `${name}@${version}`, tool);
  }
  return named;
}

const hashDigits = [8, 16, 32, 63] as const;

function aliasesOf(names: readonly string[], form: Form): Map<string, string> {
  if (form === "plain") return new Map(names.map((name) => [name, name]));
  const charset = charsets[form];
  // How many hash digits a name carries: a position in `hashDigits`, none where it is absent.
  const levels = new Map<string, number>();
  for (const name of names) if (name.length > charset.charsMax) levels.set(name, 0);
  for (;;) {
    const aliases = new Map(names.map((name) => [name, aliasAt(name, levels.get(name), charset)]));
    const groups = new Map<string, string[]>();
    for (const [name, alias] of aliases) {
      const group = groups.get(alias);
      if (group === undefined) groups.set(alias, [name]);
      else group.push(name);
    }
    const colliding = [...groups.values()].filter((group) => group.length > 1).flat();
    // Ends: each round raises a level, levels are bounded, and SHA-256 does not collide at the last.
    if (colliding.length === 0) return aliases;
    for (const name of colliding) levels.set(name, Math.min((levels.get(name) ?? -1) + 1, hashDigits.length - 1));
  }
}

function aliasAt(name: string, level: number | undefined, charset: Charset): string {
  const base = baseAlias(name, charset);
  if (level === undefined) return base;
  const digits = sha256Hex(name).slice(0, Math.min(hashDigits[level] as number, charset.charsMax - 1));
  const head = base.slice(0, charset.charsMax - digits.length - 1);
  // A Gemini name may not begin with a digit, so an empty head still gets its underscore.
  return `${head}_${digits}`;
}

function baseAlias(name: string, charset: Charset): string {
  const replaced = name.replace(charset.illegal, "_").slice(0, charset.charsMax);
  return charset.legal.test(replaced) ? replaced : `_${replaced}`.slice(0, charset.charsMax);
}
