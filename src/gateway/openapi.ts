import { codes } from "../errors/codes.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { isGuarded, type Route } from "./route.ts";
import { namedSchemas } from "./schemas.ts";

/** The OpenAPI 3.1 document of a table of routes. Its schemas are the very objects that check requests. */
export function openapiDocument(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version,
      description:
        "The action execution layer for AI agents. Errors are RFC 9457 problems; `error` in them is the same body that a model reads. MCP clients connect at `/mcp` with the same keys.",
    },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    tags: [...new Set(routes.map((route) => route.group))].map((name) => ({ name })),
    paths: withReferences(paths) as JsonObject,
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "The API key of a credential. Never in the address." } },
      schemas: Object.fromEntries(Object.entries(namedSchemas).map(([name, schema]) => [name, inside(schema)])),
    },
  };
}

function operation(route: Route): JsonObject {
  const access = isGuarded(route) ? `For ${route.access.map((role) => `${role}s`).join(" and ")}.` : "For everybody.";
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
  const inPath = names.map((name): JsonObject => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1, maxLength: 300 },
  }));
  const inQuery = Object.entries(route.query ?? {}).map(([name, parameter]): JsonObject => ({
    name,
    in: "query",
    required: parameter.isRequired === true,
    description: parameter.about,
    schema: parameter.schema,
  }));
  const inHeader: readonly JsonObject[] =
    route.takesKey === true
      ? [
          {
            name: "Idempotency-Key",
            in: "header",
            required: false,
            description: "The same as `key`.",
            schema: { type: "string", minLength: 1, maxLength: 200 },
          },
        ]
      : [];
  return {
    operationId: route.id,
    tags: [route.group],
    summary: route.summary,
    description: route.about === undefined ? access : `${route.about} ${access}`,
    security: isGuarded(route) ? [{ key: [] }] : [],
    ...(inPath.length + inQuery.length + inHeader.length > 0 && { parameters: [...inPath, ...inQuery, ...inHeader] }),
    ...(route.body !== undefined && {
      requestBody: { required: true, content: { "application/json": { schema: route.body.schema, example: route.body.example } } },
    }),
    responses: responses(route),
  };
}

function responses(route: Route): JsonObject {
  const own = Object.entries(route.answers).map(([status, answer]): readonly [string, JsonObject] => [
    status,
    {
      description: answer.about,
      ...((answer.schema !== undefined || answer.type !== undefined) && {
        content: { [answer.type ?? "application/json"]: answer.schema === undefined ? {} : { schema: answer.schema } },
      }),
    },
  ]);
  const problem: JsonObject = {
    description: `A problem: ${[...new Set(Object.values(codes).map((row) => row.http))]
      .toSorted((left, right) => left - right)
      .filter((status) => status >= 400)
      .join(", ")}.`,
    content: { "application/problem+json": { schema: namedSchemas.Problem } },
  };
  return { ...Object.fromEntries(own), default: problem };
}

const names = new Map<unknown, string>(Object.entries(namedSchemas).map(([name, schema]) => [schema, name]));

function withReferences(value: unknown): Json {
  const name = names.get(value);
  return name === undefined ? inside(value) : { $ref: `#/components/schemas/${name}` };
}

function inside(value: unknown): Json {
  if (Array.isArray(value)) return value.map(withReferences);
  if (typeof value !== "object" || value === null) return value as Json;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withReferences(each)]));
}
