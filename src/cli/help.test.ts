import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { commands } from "./commands.ts";
import { commandPage, helpText } from "./help.ts";
import { fold } from "./terminal.ts";

test("docs/cli.md is in step with the commands", () => {
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(commandPage(commands));
});

test("help of a command names each of its flags, and of a family each of its commands", () => {
  for (const command of commands)
    for (const flag of Object.keys(command.flags ?? {})) expect(helpText(commands, command.name)).toContain(`--${flag}`);
  expect(helpText(commands, "approvals")).toMatch(/approvals list[\s\S]*approvals reject/);
  expect(helpText(commands, "approvals")).not.toContain("policy check");
});

test("help fits the terminal, and stands unfolded where there is none", () => {
  const lines = helpText(commands, "", 80).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const words = (text: string): string => text.replace(/\s+/g, " ");
  expect(words(lines.join("\n"))).toBe(words(helpText(commands, "")));
  expect(
    helpText(commands, "")
      .split("\n")
      .filter((line) => line.startsWith("  approvals show ID")).length,
  ).toBe(1);
  for (const command of commands)
    for (const line of helpText(commands, command.name, 80).split("\n"))
      expect(line.length <= 80 || !line.trim().includes(" "), line).toBe(true);
});

test("help sets families apart", () => {
  expect(helpText(commands, "")).toMatch(/ {2}init .*\n {2}doctor .*\n {2}serve .*\n {2}call TOOL .*\n\n {2}approvals list/);
});

test("a line of help has at most helpCharsMax characters without a terminal, and a folded column at least foldedCharsMin", () => {
  const { helpCharsMax, foldedCharsMin } = fixedBounds;
  const prose = helpText(commands, "serve").split("\n\n")[2] ?? "";
  const lengths = prose.split("\n").map((line) => line.length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(helpCharsMax);
  expect(Math.max(...lengths)).toBeGreaterThan(helpCharsMax - 10);
  const narrow = fold("a ".repeat(60).trim(), 3);
  expect(narrow[0]?.length).toBe(foldedCharsMin - 1);
});
