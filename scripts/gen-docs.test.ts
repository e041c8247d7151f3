import { expect, test } from "vitest";
import { fixedTable } from "../src/base/fixed-bounds.ts";
import { limitTable } from "../src/base/limits.ts";
import { codes } from "../src/errors/codes.ts";
import { between, errorsPage, layersDiagram, limitsPage } from "./gen-docs.ts";

test("every code and every limit has its line", () => {
  const errors = errorsPage();
  for (const code of Object.keys(codes)) expect(errors).toContain(`| \`${code}\` |`);
  const limits = limitsPage();
  for (const name of Object.keys({ ...limitTable, ...fixedTable })) expect(limits).toContain(`| \`${name}\` |`);
  expect(limits).toContain("| `argumentsBytesMax` | 262,144 | bytes |");
});

test("a code whose effect is never `none` shows both of its answers", () => {
  expect(errorsPage()).toMatch(/`OUTCOME_UNKNOWN` .*\| same-key or never \|/);
});

test("replaces only what stands between the markers, and refuses a document without them", () => {
  expect(between("a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb", "x", "new")).toBe("a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb");
  expect(() => between("a", "x", "new")).toThrow("x:begin");
});

test("draws higher folders above lower ones", () => {
  expect(layersDiagram({ layers: { base: [], call: ["base"] }, roots: {} })).toBe("```text\n1  call\n0  base\n```");
});
