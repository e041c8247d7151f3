import { dottedName, isTest, type SyntaxNode } from "./source.ts";

/** Something that code may not say, and where it may all the same. */
export interface Ban {
  readonly name: string;
  /** Whether the ban holds in this file. */
  readonly appliesTo: (path: string) => boolean;
  /** What is objected to at this node; `undefined` when nothing is. */
  readonly finds: (node: SyntaxNode) => string | undefined;
  readonly mend: string;
}

/** Folders and files of src that are the edge of the process, where the real world may be touched. */
const isEdge = (path: string): boolean => path.startsWith("src/base/") || path.startsWith("src/cli/") || path === "src/main.ts";
const isSource = (path: string): boolean => path.startsWith("src/") && !isTest(path);
/** Tests that run real processes have real clocks around them. */
const isCrashTest = (path: string): boolean => path.startsWith("test/crash/");
const isTestCode = (path: string): boolean => (isTest(path) || path.startsWith("test/")) && !isCrashTest(path);

/** Own folders that turn text into values: each checks what it parsed. Everybody else is handed a value. */
const parsers = [
  "src/base/",
  "src/codec/",
  "src/store/",
  "src/ledger/",
  "src/config/",
  "src/gateway/",
  "src/connectors/",
  "src/cli/",
  "src/main.ts",
];

const calls = (...names: readonly string[]) => {
  return (node: SyntaxNode): string | undefined => {
    if (node.type !== "CallExpression") return undefined;
    const name = dottedName(node["callee"])?.replace(/^globalThis\./, "");
    return name !== undefined && names.includes(name) ? `\`${name}()\`` : undefined;
  };
};

const reads = (...names: readonly string[]) => {
  return (node: SyntaxNode): string | undefined => {
    const name = node.type === "MemberExpression" ? dottedName(node)?.replace(/^globalThis\./, "") : undefined;
    return name !== undefined && names.includes(name) ? `\`${name}\`` : undefined;
  };
};

const constructs = (names: readonly string[], withArguments: boolean) => {
  return (node: SyntaxNode): string | undefined => {
    if (node.type !== "NewExpression") return undefined;
    const name = dottedName(node["callee"]);
    const given = Array.isArray(node["arguments"]) ? node["arguments"].length : 0;
    return name !== undefined && names.includes(name) && (withArguments || given === 0) ? `\`new ${name}()\`` : undefined;
  };
};

const timers = ["setTimeout", "setInterval"];

/** The bans, each with its mend. */
export const bans: readonly Ban[] = [
  {
    name: "clock",
    appliesTo: (path) => (isSource(path) && !isEdge(path)) || isTestCode(path),
    finds: reads("Date.now", "performance.now"),
    mend: "take a `Clock` (src/base/clock.ts) as a parameter",
  },
  {
    name: "date",
    appliesTo: (path) => isSource(path) && !isEdge(path),
    finds: constructs(["Date"], true),
    mend: "keep milliseconds, and write them with `isoTime` (src/base/clock.ts)",
  },
  {
    name: "date in tests",
    appliesTo: isTestCode,
    finds: constructs(["Date"], false),
    mend: "use a fixed moment",
  },
  {
    name: "randomness",
    appliesTo: (path) => (isSource(path) && !isEdge(path)) || isTestCode(path),
    finds: reads("Math.random"),
    mend: "take a `Random` (src/base/random.ts) as a parameter",
  },
  {
    name: "timers",
    appliesTo: (path) => (isSource(path) && !isEdge(path)) || isTestCode(path),
    finds: calls(...timers),
    mend: "take a `Clock` and use `clock.after`",
  },
  {
    name: "timer modules",
    appliesTo: (path) => isSource(path) && !isEdge(path),
    finds: (node) => {
      const from = node.type === "ImportDeclaration" ? (node["source"] as { readonly value?: unknown } | undefined)?.value : undefined;
      return typeof from === "string" && /^(node:)?timers(\/promises)?$/.test(from) ? `imports \`${from}\`` : undefined;
    },
    mend: "take a `Clock` and use `clock.after`",
  },
  {
    name: "environment",
    appliesTo: (path) => isSource(path) && !isEdge(path),
    finds: reads("process.env", "process.argv", "process.exit"),
    mend: "take what is needed as a parameter; src/main.ts reads the environment",
  },
  {
    name: "console",
    appliesTo: (path) => path.startsWith("src/") && !path.startsWith("src/cli/") && path !== "src/main.ts",
    finds: (node) => {
      const name = node.type === "MemberExpression" ? dottedName(node) : undefined;
      return name?.startsWith("console.") === true ? `\`${name}\`` : undefined;
    },
    mend: "return it, log it through the parameter, or leave it out",
  },
  {
    name: "bare errors",
    // Base knows no codes: what it throws is a bug of ours.
    appliesTo: (path) => isSource(path) && !path.startsWith("src/base/"),
    finds: (node) => (node.type === "ThrowStatement" ? constructs(["Error"], true)(node["argument"] as SyntaxNode) : undefined),
    mend: "throw a `ToolCallError` with a code of the table, or `assert` when only a bug of ours gets here",
  },
  {
    name: "parsing",
    appliesTo: (path) => isSource(path) && !parsers.some((folder) => path.startsWith(folder)),
    finds: calls("JSON.parse"),
    mend: "take the parsed value as a parameter; text becomes values at the edges only",
  },
  {
    name: "tests left out",
    appliesTo: (path) => isTest(path) || path.startsWith("test/"),
    finds: (node) => {
      const name = node.type === "MemberExpression" ? dottedName(node) : undefined;
      return name !== undefined && /^(test|it|describe|suite|bench)\.(.*\.)?(only|skip|todo|fails)$/.test(name) ? `\`${name}\`` : undefined;
    },
    mend: "mend or delete the test; `describe.skipIf` is for data that not every machine has",
  },
];

/** Text that no comment may hold. */
export const commentBans: readonly { readonly pattern: RegExp; readonly mend: string }[] = [
  { pattern: /\bFIXME\b|\bXXX\b|\bHACK\b/, mend: "mend it now, or say why it is so" },
  { pattern: /\bTODO\b(?!\(#\d+\))/, mend: "write `TODO(#12)` with the number of its issue, or mend it now" },
  { pattern: /@ts-(ignore|nocheck)/, mend: "give the compiler the right type" },
  { pattern: /\b(ox|es)lint-disable(?!.* -- \S)/, mend: "follow the rule, or give the reason after ` -- `" },
];

/** Text that no file of the repo may hold, whatever its kind. */
export const textBans: readonly { readonly pattern: RegExp; readonly mend: string }[] = [
  {
    pattern: /(?<![\w.~-])\/(?:work|farm|root|home\/\w+|Users\/\w+|tmp\/bash_jobs)\//,
    mend: "name no path of one machine",
  },
  { pattern: /^(?:<{7}|>{7}) /m, mend: "resolve the merge" },
];
