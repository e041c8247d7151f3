import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../src/config/schema.ts";
import { root } from "./source.ts";

// Writes `schema/signalbox.schema.json`; with `--check` it only says whether the file is in step.
const folder = join(root, "schema");
const file = join(folder, "signalbox.schema.json");
const content = `${JSON.stringify(configSchema, undefined, 2)}\n`;

if (process.argv.includes("--check")) {
  // Compared as data, since the formatter may lay the file out in its own way.
  if (JSON.stringify(JSON.parse(readFileSync(file, "utf8"))) !== JSON.stringify(configSchema)) {
    console.error("schema/signalbox.schema.json is out of step; run `node scripts/gen-config-schema.ts`");
    process.exitCode = 1;
  }
} else {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, content);
}
