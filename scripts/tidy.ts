import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { codes } from "../src/errors/codes.ts";
import { fixedTable, type FixedRow } from "../src/base/fixed-bounds.ts";
import { limitTable } from "../src/base/limits.ts";
import { importsOf } from "./layers.ts";
import { privateBounds } from "./private-bounds.ts";
import {
  finish,
  isTest,
  lineAt,
  parse,
  problemAt,
  readSources,
  root,
  visit,
  type Problem,
  type SourceFile,
  type SyntaxNode,
} from "./source.ts";
import { bans, commentBans, textBans } from "./tidy-rules.ts";

/** What code and comments say that they may not. */
export function bannedIn(file: SourceFile): readonly Problem[] {
  const { program, comments } = parse(file);
  const active = bans.filter((ban) => ban.appliesTo(file.path));
  const problems: Problem[] = [];
  visit(program as unknown as SyntaxNode, (node) => {
    for (const ban of active) {
      const found = ban.finds(node);
      if (found !== undefined) problems.push(problemAt(file, node.start, found, ban.mend));
    }
  });
  for (const comment of comments) {
    for (const { pattern, mend } of commentBans) {
      const match = pattern.exec(comment.value);
      if (match !== null) problems.push(problemAt(file, comment.start, `\`${match[0]}\` in a comment`, mend));
    }
  }
  return problems;
}

/** What no text of the repo may hold, whatever kind of file it is. */
export function bannedText(file: SourceFile): readonly Problem[] {
  return textBans.flatMap(({ pattern, mend }) => {
    const match = pattern.exec(file.text);
    return match === null ? [] : [problemAt(file, match.index, `\`${match[0].trim()}\``, mend)];
  });
}

/** Error codes that no test names. */
export function untestedCodes(names: readonly string[], tests: readonly SourceFile[]): readonly Problem[] {
  const words = wordsOf(tests);
  return names
    .filter((name) => !words.has(name))
    .map((name) => ({
      file: "src/errors/codes.ts",
      line: 0,
      found: `no test names \`${name}\``,
      mend: "add a test that ends in it, or take the code out",
    }));
}

/** Bounds of the table in `file` that nothing in src enforces, or that no test names; `untested` are those that say why none can. */
export function idleLimits(
  { file, names, untested = [] }: { readonly file: string; readonly names: readonly string[]; readonly untested?: readonly string[] },
  source: readonly SourceFile[],
  tests: readonly SourceFile[],
): readonly Problem[] {
  const used = wordsOf(source.filter((each) => each.path !== file));
  const tested = wordsOf(tests);
  return names.flatMap((name) => {
    if (!used.has(name)) return [{ file, line: 0, found: `nothing enforces \`${name}\``, mend: "enforce it, or take it out of the table" }];
    if (!tested.has(name) && !untested.includes(name))
      return [{ file, line: 0, found: `no test names \`${name}\``, mend: "add a test that hits the bound" }];
    if (tested.has(name) && untested.includes(name))
      return [{ file, line: 0, found: `a test names \`${name}\``, mend: "take out the reason why none does" }];
    return [];
  });
}

/** Bounds that were in the table before a test was asked of each. Each of them is owed one; a name goes as soon as a test has it, and none is added. */
const owedTests: readonly string[] = [
  "pulsesMissedMax",
  "toldWritesMax",
  "personalFoundMax",
  "personalTextCharsMin",
  "personalBehindCharsMax",
  "personalGroupsCharsMin",
  "personalGroupsCharsMax",
  "personalLeadCharsMax",
  "personalLeafCharsMax",
  "personalFormCharsMin",
  "personalFormCharsMax",
  "personalTellingCharsMin",
  "personalCarriedMax",
  "fieldNamesKnownMax",
  "daysInTextMax",
];

/** Files of src that no other source file refers to; `roots` are the ways in. */
export function strayFiles(source: readonly SourceFile[], roots: readonly string[]): readonly Problem[] {
  const wanted = new Set(roots);
  for (const file of source) {
    for (const { specifier } of importsOf(file)) wanted.add(posix.join(posix.dirname(file.path), specifier));
    // A worker is started by its address.
    for (const match of file.text.matchAll(/"(\.{1,2}\/[^"]+\.ts)"/g)) wanted.add(posix.join(posix.dirname(file.path), match[1] ?? ""));
  }
  return source
    .filter((file) => !wanted.has(file.path))
    .map((file) => ({ file: file.path, line: 0, found: "nothing imports it", mend: "use it or delete it" }));
}

/** Files named `index.ts` below `src/`: they hide where a thing lives. */
export function barrels(source: readonly SourceFile[]): readonly Problem[] {
  return source
    .filter((file) => /^src\/.+\/index\.ts$/.test(file.path))
    .map((file) => ({ file: file.path, line: 0, found: "a barrel", mend: "import from the file itself; only src/index.ts re-exports" }));
}

/** Names that `src/index.ts` promises without a docstring where they are declared. */
export function undocumentedPromises(source: readonly SourceFile[]): readonly Problem[] {
  const byPath = new Map(source.map((file) => [file.path, file]));
  const index = byPath.get("src/index.ts");
  if (index === undefined) return [];
  const problems: Problem[] = [];
  for (const statement of parse(index).module.staticExports) {
    for (const entry of statement.entries) {
      const name = entry.importName.name ?? entry.exportName.name;
      if (name === null || name === undefined) {
        problems.push(problemAt(index, statement.start, "`export *`", "name what is promised"));
        continue;
      }
      const from = entry.moduleRequest ? byPath.get(posix.join("src", entry.moduleRequest.value)) : index;
      if (from !== undefined && !isDocumented(from, name)) {
        problems.push({
          file: from.path,
          line: declarationLine(from, name),
          found: `\`${name}\` is public and has no docstring`,
          mend: "say what it is for",
        });
      }
    }
  }
  return problems;
}

/** Files and folders that documents name and that do not exist. Names with a placeholder are left alone, and so is `STYLE.md`, which speaks of any repo. */
export function deadReferences(texts: readonly SourceFile[], exists: (path: string) => boolean): readonly Problem[] {
  const pages = texts.filter((file) => file.path.endsWith(".md") && file.path !== "STYLE.md" && file.path !== "CHANGELOG.md");
  return pages.flatMap((file) => {
    const named = [...file.text.matchAll(/`((?:src|test|scripts|docs|bin|bench|examples)\/[\w./-]+)`/g)].map((match) => ({
      match,
      path: match[1] ?? "",
    }));
    const linked = [...file.text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map((match) => ({
      match,
      path: posix.join(posix.dirname(file.path), match[1] ?? ""),
    }));
    return [...named, ...linked]
      .filter(({ path }) => !exists(path.replace(/\/$/, "")))
      .map(({ match }) => problemAt(file, match.index, `names \`${match[1]}\``, "name what exists"));
  });
}

function isDocumented(file: SourceFile, name: string): boolean {
  const start = declarationStart(file, name);
  if (start === undefined) return false;
  return parse(file).comments.some(
    (comment) => comment.type === "Block" && comment.value.startsWith("*") && file.text.slice(comment.end, start).trim() === "",
  );
}

function declarationLine(file: SourceFile, name: string): number {
  return lineAt(file.text, declarationStart(file, name) ?? 0);
}

function declarationStart(file: SourceFile, name: string): number | undefined {
  const statement = parse(file).module.staticExports.find((each) =>
    each.entries.some((entry) => entry.exportName.name === name && !entry.moduleRequest),
  );
  return statement?.start;
}

function wordsOf(files: readonly SourceFile[]): ReadonlySet<string> {
  return new Set(files.flatMap((file) => file.text.match(/[A-Za-z_$][\w$]*/g) ?? []));
}

/** Runs every rule over the repo. */
export function tidy(code: readonly SourceFile[], texts: readonly SourceFile[], roots: readonly string[]): readonly Problem[] {
  const source = code.filter((file) => file.path.startsWith("src/") && !isTest(file.path));
  const tests = code.filter((file) => isTest(file.path) || file.path.startsWith("test/"));
  return [
    ...code.flatMap((file) => bannedIn(file)),
    ...source.flatMap(privateBounds),
    ...[...code, ...texts].flatMap((file) => bannedText(file)),
    ...deadReferences(texts, (path) => existsSync(join(root, path))),
    ...barrels(source),
    ...strayFiles(source, roots),
    ...undocumentedPromises(source),
    ...untestedCodes(
      Object.keys(codes),
      tests.filter((file) => !file.path.endsWith("codes.test.ts")),
    ),
    ...idleLimits(
      { file: "src/base/limits.ts", names: Object.keys(limitTable) },
      source,
      tests.filter((file) => !file.path.endsWith("limits.test.ts")),
    ),
    ...idleLimits(
      {
        file: "src/base/fixed-bounds.ts",
        names: Object.keys(fixedTable),
        untested: [
          ...owedTests,
          ...Object.entries<FixedRow>(fixedTable).flatMap(([name, row]) => (row.untested === undefined ? [] : [name])),
        ],
      },
      source,
      tests.filter((file) => !file.path.startsWith("scripts/")),
    ),
  ];
}

/** Source files that users reach by name: those of the exports in `package.json`, and the command line. */
export function waysIn(packageJson: { readonly exports?: Readonly<Record<string, unknown>> }): readonly string[] {
  const exported = Object.values(packageJson.exports ?? {}).map((target) =>
    typeof target === "object" && target !== null && "default" in target ? target.default : target,
  );
  const built = exported.filter((target) => typeof target === "string").filter((target) => target.startsWith("./dist/"));
  return [...built.map((target) => target.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts")), "src/main.ts"];
}

if (import.meta.main) {
  const code = readSources(root, ["src", "test", "scripts", "bench", "examples"], [".ts"]);
  const texts = readSources(
    root,
    ["docs", "examples", "bench", "bin", "README.md", "CONTRIBUTING.md", "SECURITY.md", "STYLE.md", "CHANGELOG.md", "package.json", ".ci"],
    [".md", ".json", ".yaml", ".yml", ".js", ".mjs", "run"],
  );
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly exports?: Readonly<Record<string, unknown>> };
  finish("tidy", tidy(code, texts, waysIn(manifest)), { count: code.length, atLeast: 20, what: "files" });
}
