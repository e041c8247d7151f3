import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import { compileSchema } from "./compile.ts";

/**
 * The official JSON Schema test suite, required tests, from a folder beside the repository. It is other people's data and not part of it, so a clone
 * without the folder skips this file.
 */
const suite = resolve(import.meta.dirname, "../../../shared/data/json-schema-test-suite");

interface Group {
  readonly description: string;
  readonly schema: JsonSchema;
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[];
}

const dynamic = "refused at registration: several dynamic anchors of one name, where the end of a reference depends on the way taken";
const contains = "the validator (Ajv 8) does not count items that `contains` or a nested `items` looked at as evaluated";
const conditional = "the validator (Ajv 8) does not count what a condition without `then` or `else` looked at as evaluated";
const proto = "the validator does not look at a member named `__proto__`; arguments with such a member are refused when they are decoded";
const vocabulary = "which vocabularies are in force is not read from a custom meta-schema";

/** Groups of which a test does not pass, each with the reason. Another group that fails, and one here that passes, fails this file. */
const exceptions: ReadonlyMap<string, string> = new Map([
  [
    "draft2020-12/dynamicRef.json: A $dynamicRef resolves to the first $dynamicAnchor still in scope that is encountered when the schema is evaluated",
    dynamic,
  ],
  ["draft2020-12/dynamicRef.json: $dynamicRef avoids the root of each schema, but scopes are still registered", dynamic],
  ["draft2020-12/dynamicRef.json: $dynamicRef skips over intermediate resources - direct reference", dynamic],
  ["draft2020-12/dynamicRef.json: $ref and $dynamicAnchor are independent of order - $defs first", dynamic],
  ["draft2020-12/dynamicRef.json: $ref and $dynamicAnchor are independent of order - $ref first", dynamic],
  [
    "draft2020-12/dynamicRef.json: A $dynamicRef that initially resolves to a schema with a matching $dynamicAnchor resolves to the first $dynamicAnchor in the dynamic scope",
    dynamic,
  ],
  [
    "draft2020-12/dynamicRef.json: A $dynamicRef with intermediate scopes that don't include a matching $dynamicAnchor does not affect dynamic scope resolution",
    dynamic,
  ],
  ["draft2020-12/dynamicRef.json: after leaving a dynamic scope, it is not used by a $dynamicRef", dynamic],
  ["draft2020-12/dynamicRef.json: multiple dynamic paths to the $dynamicRef keyword", dynamic],
  ["draft2020-12/dynamicRef.json: strict-tree schema, guards against misspelled properties", dynamic],
  ["draft2020-12/dynamicRef.json: tests for implementation dynamic anchor and reference link", dynamic],
  ["draft2020-12/properties.json: properties whose names are Javascript object property names", proto],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems and contains interact to control item dependency relationship", contains],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems can see annotations from if without then and else", conditional],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems depends on adjacent contains", contains],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems depends on multiple nested contains", contains],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems with $dynamicRef", dynamic],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems with minContains = 0", contains],
  ["draft2020-12/unevaluatedItems.json: unevaluatedItems with nested items", contains],
  ["draft2020-12/unevaluatedProperties.json: unevaluatedProperties with $dynamicRef", dynamic],
  ["draft2020-12/unevaluatedProperties.json: unevaluatedProperties with if/then/else, then not defined", conditional],
  ["draft2020-12/vocabulary.json: schema that uses custom metaschema with with no validation vocabulary", vocabulary],
  ["draft7/properties.json: properties whose names are Javascript object property names", proto],
]);

const tally = { passed: 0, excepted: 0 };

function remotes(): Record<string, JsonSchema> {
  const folder = join(suite, "remotes");
  const documents: Record<string, JsonSchema> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".json")) continue;
    const path = join(entry.parentPath, entry.name);
    documents[`http://localhost:1234/${relative(folder, path)}`] = JSON.parse(readFileSync(path, "utf8")) as JsonSchema;
  }
  return documents;
}

// A document that says nothing of its dialect has that of the suite it is used by.
function inDialect(schema: JsonSchema, uri: string): JsonSchema {
  return typeof schema === "object" && schema.$schema === undefined ? { $schema: uri, ...schema } : schema;
}

describe.skipIf(!existsSync(suite))(verifies("CALL-15", "JSON Schema test suite"), () => {
  for (const [dialect, uri] of [
    ["draft2020-12", "https://json-schema.org/draft/2020-12/schema"],
    ["draft7", "http://json-schema.org/draft-07/schema#"],
  ] as const) {
    const others = dialect === "draft7" ? /\/draft2020-12\// : /\/draft7\//;
    const documents = existsSync(suite) ? Object.fromEntries(Object.entries(remotes()).filter(([name]) => !others.test(name))) : {};
    const files = existsSync(suite) ? readdirSync(join(suite, dialect)).filter((name) => name.endsWith(".json")) : [];
    it.each(files)(`${dialect}/%s`, (file) => {
      const groups = JSON.parse(readFileSync(join(suite, dialect, file), "utf8")) as readonly Group[];
      const failed = groups.map((group) => ({
        name: `${dialect}/${file}: ${group.description}`,
        tests: failures(group, inDialect(group.schema, uri), usedBy(group.schema, documents, uri)),
      }));
      const wrong = failed.filter(({ tests }) => tests.length > 0);
      expect(wrong.filter(({ name }) => !exceptions.has(name))).toEqual([]);
      const expected = [...exceptions.keys()].filter((name) => name.startsWith(`${dialect}/${file}: `));
      expect(wrong.map(({ name }) => name).sort()).toEqual(expected.sort());
      tally.excepted += wrong.reduce((count, { tests }) => count + tests.length, 0);
    });
  }

  afterAll(() => {
    process.stdout.write(`json schema suite: ${tally.passed} tests passed, ${tally.excepted} listed exceptions\n`);
  });
});

function usedBy(schema: JsonSchema, documents: Readonly<Record<string, JsonSchema>>, uri: string): Record<string, JsonSchema> {
  if (!JSON.stringify(schema).includes("localhost:1234")) return {};
  return Object.fromEntries(Object.entries(documents).map(([name, document]) => [name, inDialect(document, uri)]));
}

function failures(group: Group, schema: JsonSchema, documents: Record<string, JsonSchema>): readonly string[] {
  const wrong: string[] = [];
  for (const test of group.tests) {
    let verdict: boolean | "refused";
    try {
      verdict = compileSchema(schema, { isForeign: false, limits: defaultLimits, assertsFormats: false, documents }).accepts(test.data);
    } catch (error) {
      expect(error).toBeInstanceOf(ToolCallError);
      verdict = "refused";
    }
    if (verdict === test.valid) tally.passed += 1;
    else wrong.push(`${test.description} (${verdict})`);
  }
  return wrong;
}
