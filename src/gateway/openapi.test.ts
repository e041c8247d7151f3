import { describe, expect, test } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { compileSchema } from "../schema/compile.ts";
import { schemaProblems } from "../schema/vet.ts";
import { docsPage } from "./docs-page.ts";
import { openapiDocument } from "./openapi.ts";
import { routes } from "./routes.ts";

const document = openapiDocument(routes, "1.2.3");
const at = (pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .reduce((value: unknown, step) => (value as Record<string, unknown> | undefined)?.[step.replaceAll("~1", "/")], document);

function everyReference(value: Json, found: string[] = []): readonly string[] {
  if (Array.isArray(value)) for (const each of value) everyReference(each as Json, found);
  else if (typeof value === "object" && value !== null) {
    const object = value as JsonObject;
    if (typeof object["$ref"] === "string") found.push(object["$ref"]);
    for (const each of Object.values(object)) everyReference(each, found);
  }
  return found;
}

describe("the OpenAPI document", () => {
  test("has every route of the table, and nothing else", () => {
    const listed = Object.entries(document["paths"] as JsonObject).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed.toSorted()).toEqual(routes.map((route) => `${route.method} ${route.path}`).toSorted());
    expect(document["openapi"]).toBe("3.1.0");
  });

  test("resolves every reference and names every parameter of a path", () => {
    const references = everyReference(document);
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) expect(at(reference.slice(1)), reference).toBeDefined();
    for (const route of routes) {
      const operation = at(`/paths/${route.path.replaceAll("/", "~1")}/${route.method.toLowerCase()}`) as {
        readonly parameters?: readonly { readonly name: string; readonly in: string }[];
        readonly operationId: string;
        readonly responses: object;
      };
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path").map((parameter) => `{${parameter.name}}`);
      expect(inPath).toEqual(route.path.match(/\{\w+\}/g) ?? []);
      expect(Object.keys(operation.responses).length).toBeGreaterThan(1);
    }
    expect(new Set(routes.map((route) => route.id)).size).toBe(routes.length);
  });

  test.each(routes.filter((route) => route.body !== undefined).map((route) => [route.id, route] as const))(
    "has a sound schema and a fitting example for `%s`",
    (_, route) => {
      const { schema, example } = route.body as NonNullable<typeof route.body>;
      expect(schemaProblems(schema)).toEqual([]);
      expect(compileSchema(schema, { isForeign: false, limits: defaultLimits }).check(example)).toBeUndefined();
      expect(schema["additionalProperties"]).toBe(false);
    },
  );

  test("says of every guarded route that it needs a key, and of no other", () => {
    for (const route of routes) {
      const security = at(`/paths/${route.path.replaceAll("/", "~1")}/${route.method.toLowerCase()}/security`);
      expect(security).toEqual(route.access === "public" ? [] : [{ key: [] }]);
    }
  });
});

describe("the page", () => {
  test("shows every route, escapes every text, and loads and runs nothing", () => {
    const hostile = {
      ...document,
      info: { title: "<script>alert(1)</script>", version: '"><img src=x onerror=1>', description: "a `b<i>` & c" },
    };
    const { html, contentPolicy } = docsPage(hostile);
    for (const route of routes) expect(html).toContain(`id="${route.id}"`);
    expect(html).toMatch(/prefers-color-scheme:dark\)\{:root\{--ink/);
    expect(html).not.toMatch(/<script|<img|<i>|onerror=1>|https?:\/\/(?!json-schema)/);
    expect(html).not.toMatch(/<[^>]*\b(?:src|srcset)=|url\(/);
    expect(contentPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'/);
  });
});
