import { posix } from "node:path";
import { isTest, parse, problemAt, type Problem, type SourceFile } from "./source.ts";

/** `layers.json`: each folder of `src` and the folders it may import; `roots` are the files of `src` itself. */
export interface Layers {
  readonly layers: Readonly<Record<string, readonly string[]>>;
  readonly roots: Readonly<Record<string, readonly string[]>>;
}

/** Every import of `src` that `layers.json` does not allow, and what is wrong with `layers.json` itself. Tests may import what they like, but nothing imports a test. */
export function checkLayers(files: readonly SourceFile[], layers: Layers): readonly Problem[] {
  const problems = [...declarationProblems(layers)];
  for (const file of files) {
    if (isTest(file.path)) continue;
    const from = folderOf(file.path);
    if (allowedFrom(file.path, layers) === undefined) {
      problems.push({
        file: file.path,
        line: 0,
        found: `\`${from}\` is not declared`,
        mend: "add it to layers.json with the folders it may import",
      });
      continue;
    }
    for (const { specifier, offset } of importsOf(file)) {
      const objection = objectionTo(file.path, specifier, layers);
      if (objection !== undefined)
        problems.push(
          problemAt(file, offset, `imports \`${specifier}\`: ${objection}`, "move what is shared down, or pass it in as a parameter"),
        );
    }
  }
  return problems;
}

/** Folders in order of height: each level imports only from levels before it. Throws on a circle. */
export function levelsOf(layers: Layers): readonly (readonly string[])[] {
  const heights = new Map<string, number>();
  const heightOf = (folder: string, path: readonly string[]): number => {
    if (path.includes(folder)) throw new Error(`circle in layers.json: ${[...path, folder].join(" -> ")}`);
    const known = heights.get(folder);
    if (known !== undefined) return known;
    const below = (layers.layers[folder] ?? []).map((each) => heightOf(each, [...path, folder]));
    const height = below.length === 0 ? 0 : Math.max(...below) + 1;
    heights.set(folder, height);
    return height;
  };
  for (const folder of Object.keys(layers.layers)) heightOf(folder, []);
  const levels: string[][] = [];
  for (const [folder, height] of heights) (levels[height] ??= []).push(folder);
  return levels;
}

/** Specifiers that a file imports or re-exports, types included. An import whose specifier is computed is not seen. */
export function importsOf(file: SourceFile): readonly { readonly specifier: string; readonly offset: number }[] {
  const { module } = parse(file);
  const found = module.staticImports.map((each) => ({ specifier: each.moduleRequest.value, offset: each.start }));
  for (const statement of module.staticExports) {
    const request = statement.entries.find((entry) => entry.moduleRequest)?.moduleRequest;
    if (request) found.push({ specifier: request.value, offset: statement.start });
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const written = file.text.slice(moduleRequest.start, moduleRequest.end);
    if (/^["'`][^$]*["'`]$/.test(written)) found.push({ specifier: written.slice(1, -1), offset: moduleRequest.start });
  }
  // Types may also be imported in place: `import("./x.ts").Y`.
  for (const match of file.text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)\s*\./g))
    found.push({ specifier: match[1] ?? "", offset: match.index });
  return found;
}

function declarationProblems(layers: Layers): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [folder, allowed] of Object.entries(layers.layers)) {
    for (const each of allowed) {
      if (!Object.hasOwn(layers.layers, each))
        problems.push({
          file: "layers.json",
          line: 0,
          found: `\`${folder}\` may import \`${each}\`, which is not declared`,
          mend: "declare it or take it out",
        });
    }
  }
  try {
    levelsOf(layers);
  } catch (error) {
    problems.push({
      file: "layers.json",
      line: 0,
      found: error instanceof Error ? error.message : String(error),
      mend: "a lower folder must not import a higher one",
    });
  }
  return problems;
}

function objectionTo(importer: string, specifier: string, layers: Layers): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const target = posix.join(posix.dirname(importer), specifier);
  if (!target.startsWith("src/")) return target === "package.json" ? undefined : "it lies outside of src";
  if (isTest(target)) return "it is a test";
  const from = folderOf(importer);
  const to = folderOf(target);
  const allowed = allowedFrom(importer, layers) ?? [];
  if (from === to && from.includes(".") === false) return undefined;
  if (to.includes(".")) return "the files of src itself are roots, which nothing imports";
  if (!Object.hasOwn(layers.layers, to)) return `\`${to}\` is not declared in layers.json`;
  if (allowed.includes("*") || allowed.includes(to)) return undefined;
  return (layers.layers[to] ?? []).includes(from) ? `upwards: \`${to}\` is above \`${from}\`` : `\`${from}\` may not import \`${to}\``;
}

function allowedFrom(path: string, layers: Layers): readonly string[] | undefined {
  const folder = folderOf(path);
  if (folder.includes(".")) return Object.hasOwn(layers.roots, folder) ? layers.roots[folder] : undefined;
  return Object.hasOwn(layers.layers, folder) ? layers.layers[folder] : undefined;
}

/** `policy` for `src/policy/rules.ts`; `index.ts` for `src/index.ts`. */
function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}
