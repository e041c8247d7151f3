import { posix } from "node:path";
import { importsOf } from "./layers.ts";
import { isTest, problemAt, type Problem, type SourceFile } from "./source.ts";

/**
 * Every ring of files that import each other, types included, once: a file in a ring can neither be read nor moved without all others of it. Told at the
 * import that closes the ring, with the way round.
 */
export function checkCircles(files: readonly SourceFile[]): readonly Problem[] {
  const sources = new Map(files.filter(({ path }) => !isTest(path)).map((file) => [file.path, file]));
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const file = sources.get(path);
    if (file === undefined || done.has(path)) return;
    for (const { specifier, offset } of importsOf(file)) {
      const target = posix.join(posix.dirname(path), specifier);
      const start = [...way, path].indexOf(target);
      if (start === -1) visit(target, [...way, path]);
      else problems.push(problemAt(file, offset, `closes a circle: ${[...way, path].slice(start).concat(target).join(" -> ")}`, mend));
    }
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return problems;
}

const mend = "put what both need, mostly a type, into a file below both";
