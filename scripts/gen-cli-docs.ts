import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../src/cli/commands.ts";
import { commandPage } from "../src/cli/help.ts";
import { root } from "./source.ts";

// Writes `docs/cli.md`; with `--check` it only says whether the page is in step.
const file = join(root, "docs", "cli.md");
const content = commandPage(commands);

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== content) {
    console.error("docs/cli.md is out of step; run `node scripts/gen-cli-docs.ts`");
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, content);
}
