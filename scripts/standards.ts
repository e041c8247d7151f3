import type { Standard, StandardItem } from "../test/security/standards.ts";
import type { Problem, SourceFile } from "./source.ts";
import { testTitles } from "./test-titles.ts";

const words: Readonly<Record<StandardItem["state"], string>> = { shown: "shown", partly: "in part", gap: "gap" };

/** A page of `docs/security/` from published lists and the tests that answer them. `notice` says that it is generated. */
export function standardsPage(heading: string, notice: string, standards: readonly Standard[]): string {
  return [
    `# ${heading}`,
    "",
    notice,
    "",
    "This is a self-assessment: nobody else has examined it, and it claims no conformance. *Shown* means that the tests named here show what the",
    "item asks of a runtime like this one, within the limits given; *in part* and *gap* say what is missing. What the items ask is in our words; where",
    "they differ from the source, the source is right. The threat model and further weak spots are in",
    "[SECURITY.md](../../SECURITY.md).",
    "",
    ...standards.flatMap(section),
  ].join("\n");
}

function section(standard: Standard): readonly string[] {
  const count = (state: StandardItem["state"]): number => standard.items.filter((item) => item.state === state).length;
  return [
    `## ${standard.title}`,
    "",
    `Source: ${standard.source}. ${count("shown")} shown, ${count("partly")} in part, ${count("gap")} ${count("gap") === 1 ? "gap" : "gaps"}.`,
    "",
    "| item | asks that | state |",
    "|---|---|---|",
    ...standard.items.map(({ id, title, asks, state }) => `| ${id} ${title} | ${asks} | ${words[state]} |`),
    "",
    ...standard.items.flatMap(details),
  ];
}

function details({ id, title, state, evidence, gap }: StandardItem): readonly string[] {
  const limit = gap === undefined ? [] : [`${state === "shown" ? "Limits" : "Missing"}: ${gap}`, ""];
  const tests = evidence.flatMap(({ file, titles }) => [
    `- [${file}](../../${file})`,
    ...titles.map((each) => `  - ${each.replaceAll("*", "\\*")}`),
  ]);
  return [`### ${id} ${title}`, "", ...limit, ...(tests.length === 0 ? [] : [...tests, ""])];
}

/** Items that are not well formed, or that name tests which do not exist. */
export function standardProblems(standards: readonly Standard[], tests: readonly SourceFile[]): readonly Problem[] {
  const byPath = new Map(tests.map((file) => [file.path, file]));
  const problems: Problem[] = [];
  for (const { id, state, evidence, gap } of standards.flatMap(({ items }) => items)) {
    const note = (found: string, mend: string): number =>
      problems.push({ file: "test/security", line: 0, found: `\`${id}\` ${found}`, mend });
    if (state !== "gap" && evidence.length === 0) note(`is ${words[state]} and names no test`, "name one, or say that it is a gap");
    if (state !== "shown" && (gap ?? "") === "") note("does not say what is missing", "say it in `gap`");
    for (const { file, titles } of evidence) {
      const source = byPath.get(file);
      const known = source === undefined ? undefined : testTitles(source);
      for (const title of titles)
        if (known?.has(title) !== true) note(`names no test of ${file}: \`${title}\``, "give the title as it is written there");
    }
  }
  return problems;
}
