import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commands } from "./commands.ts";
import { commandPage, helpText } from "./help.ts";

test("docs/cli.md is in step with the commands", () => {
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(commandPage(commands));
});

test("help of a command names each of its flags, and of a family each of its commands", () => {
  for (const command of commands)
    for (const flag of Object.keys(command.flags ?? {})) expect(helpText(commands, command.name)).toContain(`--${flag}`);
  expect(helpText(commands, "approvals")).toMatch(/approvals list[\s\S]*approvals reject/);
  expect(helpText(commands, "approvals")).not.toContain("policy check");
});
