import { expect, test } from "vitest";
import { aarm } from "./aarm.ts";
import { owaspAgentic } from "./owasp-agentic.ts";
import { owaspMcp } from "./owasp-mcp.ts";
import type { Standard, StandardItem } from "./standards.ts";
import { verifies } from "../verifies.ts";
import { isTest, readSources, root } from "../../scripts/source.ts";
import { standardProblems, standardsPage } from "../../scripts/standards.ts";
import { testTitles } from "../../scripts/test-titles.ts";

const file = {
  path: "src/a.test.ts",
  text: `test("plain", () => {}); test(verifies("A-01", "with rows"), () => {}); it.each([1])("each %s", () => {});
    test.skip("skipped", () => {}); test(\`made \${up}\`, () => {}); describe("group", () => {}); // test("comment", …)`,
};

function list(item: Partial<StandardItem>): readonly Standard[] {
  const whole: StandardItem = {
    id: "X1",
    title: "t",
    asks: "a",
    state: "shown",
    evidence: [{ file: file.path, titles: ["plain"] }],
    ...item,
  };
  return [{ title: "T", source: "s", items: [whole] }];
}

test("finds the titles of tests that run, and of nothing else", () => {
  expect([...testTitles(file)]).toEqual(["plain", "with rows", "each %s"]);
});

test("an item needs tests that exist, or says what is missing", () => {
  expect(standardProblems(list({}), [file])).toEqual([]);
  const found = (item: Partial<StandardItem>): string =>
    standardProblems(list(item), [file])
      .map((each) => each.found)
      .join();
  expect(found({ evidence: [{ file: file.path, titles: ["skipped"] }] })).toContain("names no test of src/a.test.ts: `skipped`");
  expect(found({ evidence: [{ file: "src/b.test.ts", titles: ["plain"] }] })).toContain("names no test of src/b.test.ts");
  expect(found({ evidence: [] })).toContain("names no test");
  expect(found({ state: "partly" })).toContain("does not say what is missing");
  expect(found({ state: "gap", evidence: [] })).toContain("does not say what is missing");
});

test(verifies("SAFE-09", "each item of AARM and of the two OWASP lists names tests that exist, or a gap"), () => {
  const tests = readSources(root, ["src", "test"], [".ts"]).filter(({ path }) => isTest(path));
  expect(standardProblems([aarm, owaspAgentic, owaspMcp], tests)).toEqual([]);
  expect(aarm.items.map(({ id }) => id)).toEqual(Array.from({ length: 9 }, (_, index) => `R${index + 1}`));
  const ten = (prefix: string): string[] => Array.from({ length: 10 }, (_, index) => `${prefix}${String(index + 1).padStart(2, "0")}`);
  expect(owaspAgentic.items.map(({ id }) => id)).toEqual(ten("ASI"));
  expect(owaspMcp.items.map(({ id }) => id)).toEqual(ten("MCP"));
});

test("a page says what it is, and the gaps as plainly as the rest", () => {
  const page = standardsPage("Heading", "notice", list({ state: "partly", gap: "half of it." }));
  expect(page).toContain("claims no conformance");
  expect(page).toContain("0 shown, 1 in part, 0 gaps");
  expect(page).toContain("Missing: half of it.");
});
