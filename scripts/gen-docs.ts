import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixedTable } from "../src/base/fixed-bounds.ts";
import { limitTable, type LimitRow } from "../src/base/limits.ts";
import { codes, retryFor, type CodeRow, type Effect, type ErrorCode } from "../src/errors/codes.ts";
import { levelsOf, type Layers } from "./layers.ts";
import { aarm } from "../test/security/aarm.ts";
import { owaspAgentic } from "../test/security/owasp-agentic.ts";
import { owaspMcp } from "../test/security/owasp-mcp.ts";
import { root } from "./source.ts";
import { standardsPage } from "./standards.ts";

const notice = "<!-- Made by `npm run docs`; change the table in the source instead. -->";
const standardsNotice = "<!-- Made by `npm run docs` from `test/security/`; change the list there instead. -->";

/** `docs/errors.md` from the table of codes. */
export function errorsPage(): string {
  const rows = Object.entries(codes as Record<ErrorCode, CodeRow>).map(([code, row]) => {
    const cells = [
      `\`${code}\``,
      row.about,
      row.fault,
      row.effects.join(", "),
      retryCell(code as ErrorCode, row.effects),
      String(row.http),
      String(row.jsonRpc),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "# Errors",
    "",
    notice,
    "",
    "Every error that leaves Signalbox has one of these codes, the same in the library, over HTTP (RFC 9457 problem bodies), over MCP (JSON-RPC) and",
    "in what a model reads. Each error also carries its `effect`: whether the side effect happened (`none`, `unknown`, `applied`).",
    "",
    "`fault` says who must change something. `retry` says whether the same call may be made again when nothing happened. When the effect is",
    "`unknown` it is `same-key` if the tool makes a repeat safe, else `never`; when it is `applied` it is `never`.",
    "",
    "| code | what happened | fault | effects | retry | HTTP | JSON-RPC |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function retryCell(code: ErrorCode, effects: readonly Effect[]): string {
  return effects.includes("none")
    ? retryFor(code, "none", true)
    : `${retryFor(code, "unknown", true)} or ${retryFor(code, "unknown", false)}`;
}

/** `docs/limits.md` from the two tables of bounds. */
export function limitsPage(): string {
  const rowsOf = (table: Readonly<Record<string, LimitRow>>): readonly string[] =>
    Object.entries(table).map(([name, row]) => `| \`${name}\` | ${row.value.toLocaleString("en-US")} | ${row.unit} | ${row.about} |`);
  return [
    "# Limits",
    "",
    notice,
    "",
    "Every bound of Signalbox, with its default. An operator changes one under `limits:` in the configuration; a value is a whole number of at",
    "least 1. Nothing turns a bound off.",
    "",
    "| name | default | unit | bounds |",
    "|---|---:|---|---|",
    ...rowsOf(limitTable),
    "",
    "## Fixed",
    "",
    "Nobody changes these: how often a lost race is run again, how much of a text is quoted, what is kept of what was worked out. Numbers that",
    "belong to somebody else's format or protocol are not here; they stand where it is spoken, with their source.",
    "",
    "| name | value | unit | bounds |",
    "|---|---:|---|---|",
    ...rowsOf(fixedTable),
    "",
  ].join("\n");
}

/** The folders of `src` by height, for `docs/architecture.md`. */
export function layersDiagram(layers: Layers): string {
  const levels = levelsOf(layers);
  const width = String(levels.length - 1).length;
  const lines = levels.map((folders, height) => `${String(height).padStart(width)}  ${folders.join("  ")}`).toReversed();
  return ["```text", ...lines, "```"].join("\n");
}

/** Puts `text` between the markers of that name; a document without them is refused, since it would silently go stale. */
export function between(document: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from === -1 || to < from) throw new Error(`no \`${begin}\` … \`${end}\` in the document`);
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`;
}

/** Every generated page by its path. */
export function pages(): ReadonlyMap<string, string> {
  const layers = JSON.parse(readFileSync(join(root, "layers.json"), "utf8")) as Layers;
  const architecture = readFileSync(join(root, "docs/architecture.md"), "utf8");
  return new Map([
    ["docs/errors.md", errorsPage()],
    ["docs/limits.md", limitsPage()],
    ["docs/security/aarm.md", standardsPage("Self-assessment: AARM", standardsNotice, [aarm])],
    ["docs/security/owasp.md", standardsPage("Self-assessment: OWASP lists for agents and MCP", standardsNotice, [owaspAgentic, owaspMcp])],
    ["docs/architecture.md", between(architecture, "layers", layersDiagram(layers))],
  ]);
}

function currentText(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    // A page that was never made is out of date like any other.
    return undefined;
  }
}

if (import.meta.main) {
  const isCheck = process.argv.includes("--check");
  const stale = [...pages()].filter(([path, text]) => currentText(path) !== text);
  for (const [path, text] of stale) {
    if (isCheck) process.stdout.write(`${path} is out of date; run \`npm run docs\`\n`);
    else writeFileSync(join(root, path), text);
  }
  if (!isCheck) process.stdout.write(stale.length === 0 ? "up to date\n" : `wrote ${stale.map(([path]) => path).join(", ")}\n`);
  process.exitCode = isCheck && stale.length > 0 ? 1 : 0;
}
