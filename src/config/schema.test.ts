import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { compileSchema } from "../schema/compile.ts";
import { configSchema } from "./schema.ts";
import { configTemplate } from "./template.ts";

const schema = compileSchema(configSchema, { isForeign: false, limits: defaultLimits });

test("accepts what `init` writes and refuses what the reader refuses", () => {
  const template = parse(configTemplate) as Record<string, unknown>;
  expect(schema.check(template)).toBeUndefined();
  for (const change of [
    { version: 2 },
    { store: "postgres://x" },
    { listn: "x:1" },
    { limits: { drainMS: 1 } },
    { sources: { crm: { openapi: "./x" } } },
  ])
    expect(schema.accepts({ ...template, ...change })).toBe(false);
});

test("is published as a file that is in step", () => {
  const published = JSON.parse(readFileSync(new URL("../../schema/signalbox.schema.json", import.meta.url), "utf8")) as unknown;
  expect(published).toEqual(configSchema);
});
