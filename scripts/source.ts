import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, type ParseResult } from "oxc-parser";

/** Root of the checkout. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** A text file of the repo; `path` is relative to the root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Something a checker objects to. `mend` says what would be right. */
export interface Problem {
  readonly file: string;
  /** From 1; 0 where no line is to blame. */
  readonly line: number;
  readonly found: string;
  readonly mend: string;
}

const skippedFolders = new Set(["node_modules", "dist", "coverage", ".git", ".signalbox"]);

/** Files under the given folders (or single files), sorted by path; a folder that does not exist has none. `endings` such as `.ts`. */
export function readSources(from: string, folders: readonly string[], endings: readonly string[]): readonly SourceFile[] {
  const paths: string[] = [];
  for (const folder of folders) {
    const names = readdirSync(from, { withFileTypes: true });
    const entry = names.find((each) => each.name === folder.split("/")[0]);
    if (entry === undefined) continue;
    if (entry.isFile()) paths.push(join(from, folder));
    else walk(join(from, folder), paths);
  }
  return paths
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .map((path) => ({ path: relative(from, path).split(sep).join("/"), text: readFileSync(path, "utf8") }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function walk(folder: string, into: string[]): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !skippedFolders.has(entry.name)) walk(path, into);
    else if (entry.isFile()) into.push(path);
  }
}

/** Whether the file is a test beside its source, a contract suite that such tests run against each implementation of a port, or what they share. */
export function isTest(path: string): boolean {
  return /\.(test|contract|fixture)\.ts$/.test(path);
}

const parsed = new WeakMap<SourceFile, ParseResult>();

/** The parsed file; a syntax error throws, since a checker that skips a file is silent about it. */
export function parse(file: SourceFile): ParseResult {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const result = parseSync(file.path, file.text);
  const first = result.errors[0];
  if (first !== undefined) throw new Error(`${file.path}: ${first.message}`);
  parsed.set(file, result);
  return result;
}

/** Line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let index = text.indexOf("\n"); index !== -1 && index < offset; index = text.indexOf("\n", index + 1)) line += 1;
  return line;
}

/** A node of the syntax tree, as far as the checkers look at it. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Whether a value of a node's field is itself a node. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** Visits every node under `node`, parents first; `parents` runs from the root to the direct parent. */
export function visit(
  node: SyntaxNode,
  see: (node: SyntaxNode, parents: readonly SyntaxNode[]) => void,
  parents: readonly SyntaxNode[] = [],
): void {
  see(node, parents);
  const inside = [...parents, node];
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) for (const each of value) visitIfNode(each, see, inside);
    else visitIfNode(value, see, inside);
  }
}

function visitIfNode(
  value: unknown,
  see: (node: SyntaxNode, parents: readonly SyntaxNode[]) => void,
  parents: readonly SyntaxNode[],
): void {
  if (isNode(value)) visit(value, see, parents);
}

/** `a.b.c` as written, for plain chains of names; `undefined` for anything else. */
export function dottedName(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Identifier") return String(node["name"]);
  if (node.type !== "MemberExpression" || node["computed"] === true) return undefined;
  const left = dottedName(node["object"]);
  const right = dottedName(node["property"]);
  return left === undefined || right === undefined ? undefined : `${left}.${right}`;
}

/** A problem at an offset of a file. */
export function problemAt(file: SourceFile, offset: number, found: string, mend: string): Problem {
  return { file: file.path, line: lineAt(file.text, offset), found, mend };
}

/** Prints what was found and ends the process: 0 when there is nothing, else 1. `seen` guards against a checker that silently looks at nothing. */
export function finish(
  name: string,
  problems: readonly Problem[],
  seen: { readonly count: number; readonly atLeast: number; readonly what: string },
): never {
  const tooFew = seen.count < seen.atLeast;
  for (const { file, line, found, mend } of problems) process.stdout.write(`${file}${line > 0 ? `:${line}` : ""}  ${found}; ${mend}\n`);
  if (tooFew) process.stdout.write(`${name} saw ${seen.count} ${seen.what}, fewer than ${seen.atLeast}: it looks in the wrong place\n`);
  process.stdout.write(`${name}: ${seen.count} ${seen.what}, ${problems.length} ${problems.length === 1 ? "problem" : "problems"}\n`);
  process.exit(problems.length === 0 && !tooFew ? 0 : 1);
}
