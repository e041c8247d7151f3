import type { Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { FieldProblem, ToolCallError } from "../errors/tool-call-error.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { compileSchema, type CompiledSchema } from "../schema/compile.ts";
import type { RouteSpec } from "./route.ts";
import { closed } from "./schemas.ts";

/** A route's schemas, compiled. */
export interface RouteChecks {
  /** What is wrong with a body; undefined when it fits, or when the route has none. */
  body(value: JsonObject): ToolCallError | undefined;
  /** The parameters of a query string, or what is wrong with them. */
  query(text: string): Readonly<Record<string, string | number>> | ToolCallError;
}

/** Compiles what the document says of a route into what checks its requests. */
export function createChecks(route: RouteSpec, limits: Limits): RouteChecks {
  const compile = (schema: JsonObject): CompiledSchema => compileSchema(schema, { isForeign: false, limits });
  const bodySchema = route.body === undefined ? undefined : compile(route.body.schema);
  const querySchema = compile(querySchemaOf(route));
  return {
    body(value) {
      const problems = bodySchema?.check(value);
      return problems === undefined ? undefined : refusal("the body", problems);
    },
    query(text) {
      if (text === "" && route.query === undefined) return {};
      const values = readQuery(text, route);
      if (values === undefined) return toolCallError("REQUEST_INVALID", "a query parameter is given twice");
      const problems = querySchema.check(values);
      return problems === undefined ? values : refusal("the query", problems);
    },
  };
}

/** The query of a route as one closed schema. */
export function querySchemaOf(route: RouteSpec): JsonObject {
  const parameters = Object.entries(route.query ?? {});
  return closed(
    Object.fromEntries(parameters.map(([name, { schema }]) => [name, schema])),
    parameters.filter(([, { isRequired }]) => isRequired === true).map(([name]) => name),
  );
}

function readQuery(text: string, route: RouteSpec): Readonly<Record<string, string | number>> | undefined {
  const values = new Map<string, string | number>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (values.has(name)) return undefined;
    const parameter = route.query !== undefined && Object.hasOwn(route.query, name) ? route.query[name] : undefined;
    values.set(name, parameter?.schema["type"] === "integer" && /^\d{1,16}$/.test(value) ? Number(value) : value);
  }
  return Object.fromEntries(values);
}

function refusal(where: string, fields: readonly FieldProblem[]): ToolCallError {
  const [first] = fields;
  const what = first === undefined || first.path === "" ? "it" : `\`${first.path}\``;
  const hint = first?.hint === undefined ? "" : `; ${first.hint}`;
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : "";
  return toolCallError("REQUEST_INVALID", `${where} is not valid: ${what} must be ${first?.expected ?? "another value"}${hint}${more}`, {
    fields,
  });
}
