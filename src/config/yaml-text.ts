import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
} from "yaml";
import type { Limits } from "../base/limits.ts";
import type { ConfigProblem, Finding } from "./problem.ts";

/** A YAML (or JSON) text as data, with the way back from a JSON pointer to its line. */
export interface YamlText {
  readonly file: string;
  readonly value: unknown;
  /** Gives findings their line and column. */
  place(finding: Finding): ConfigProblem;
}

/** Reads a text. Syntax errors, duplicate keys, tabs, several documents and multiplying aliases are problems; nothing is executed or included. */
export function readYaml(file: string, content: string, limits: Limits): YamlText | { readonly problems: readonly ConfigProblem[] } {
  const lines = new LineCounter();
  const placeAt = (offset: number, parts: Omit<Finding, "path"> & { readonly path?: string }): ConfigProblem => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, path: parts.path ?? "", message: parts.message, mend: parts.mend };
  };
  if (content.length > limits.policyBytesMax) return { problems: [nowhere(file, `the file has more than ${limits.policyBytesMax} bytes`)] };
  try {
    const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true, version: "1.2" });
    const found = [...document.errors, ...document.warnings];
    // Whatever else the parser says of a text with tabs follows from them.
    const tabs = found.filter(({ code }) => code === "TAB_AS_INDENT");
    const errors = (tabs.length > 0 ? tabs : found).map((error) => placeAt(error.pos[0], describe(error, content)));
    if (errors.length > 0) return { problems: errors.slice(0, limits.configProblemsMax) };
    if (aliasCount(document) > limits.configAliasesMax)
      return { problems: [nowhere(file, `the file repeats anchors more than ${limits.configAliasesMax} times`)] };
    // The parser counts the anchor itself too, and aliases within aliases as often as they multiply.
    const value: unknown = document.toJS({ maxAliasCount: limits.configAliasesMax + 1 });
    return { file, value, place: (finding) => placeAt(offsetOf(document, finding), finding) };
  } catch (cause) {
    // A text nested thousands of levels deep ends the stack; aliases within aliases end the count. Both are the file's doing.
    const what = cause instanceof RangeError ? "the file is nested too deeply" : "the file repeats anchors within anchors";
    return { problems: [nowhere(file, what)] };
  }
}

function nowhere(file: string, message: string): ConfigProblem {
  return { file, line: 0, column: 0, path: "", message, mend: "write it out plainly" };
}

function describe(error: YAMLError, content: string): { readonly message: string; readonly mend: string } {
  if (error.code === "DUPLICATE_KEY") return { message: `\`${keyAt(content, error.pos[0])}\` is given twice`, mend: "keep one of the two" };
  if (error.code === "TAB_AS_INDENT") return { message: "a tab is used for indentation", mend: "indent with spaces" };
  if (error.code === "MULTIPLE_DOCS") return { message: "the file holds several documents", mend: "keep what is above `---` only" };
  const message = error.message.split("\n")[0] ?? "";
  return {
    message: `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, "")}`,
    mend: "check indentation, quotes and brackets",
  };
}

function keyAt(content: string, offset: number): string {
  return /^["']?([^:"'\s]{1,60})/.exec(content.slice(offset, offset + 80))?.[1] ?? "this key";
}

function aliasCount(document: Document): number {
  let count = 0;
  visit(document, {
    Alias: () => {
      count += 1;
    },
  });
  return count;
}

// A scalar is shown where it stands, a collection at its key; what is missing at the nearest thing that is there.
function offsetOf(document: Document, finding: Finding): number {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const step of finding.path.split("/").slice(1)) {
    const name = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === name);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
      if (isScalar(node) && node.value !== null && finding.isAtName !== true) offset = node.range?.[0] ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(name)] as Node | undefined;
      if (node === undefined) return offset;
      offset = node.range?.[0] ?? offset;
    } else return offset;
    if (!isCollection(node) && !isAlias(node)) return offset;
  }
  return offset;
}
