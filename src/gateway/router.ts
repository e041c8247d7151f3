import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { nearest } from "../schema/nearest.ts";
import type { Route } from "./route.ts";

/** Which route a request is for, or why none. */
export type Match =
  | { readonly kind: "found"; readonly route: Route; readonly path: Readonly<Record<string, string>> }
  | { readonly kind: "none"; readonly status: 404 | 405; readonly error: ToolCallError; readonly allow: string | undefined };

/** Finds routes. */
export type Router = (method: string, path: string) => Match;

interface Pattern {
  readonly route: Route;
  readonly segments: readonly string[];
}

const noParameters: Readonly<Record<string, string>> = Object.freeze({});
const segmentShape = /^[A-Za-z0-9_.:~-]{1,300}$/;

/** A router over a table: exact paths by one look-up, the others by their segments. `HEAD` is answered as `GET`. */
export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map<string, Route>();
  const patterns: Pattern[] = [];
  for (const route of routes) {
    if (route.path.includes("{")) patterns.push({ route, segments: route.path.split("/") });
    else exact.set(`${route.method} ${route.path}`, route);
  }
  return (given, path) => {
    const method = given === "HEAD" ? "GET" : given;
    const route = exact.get(`${method} ${path}`);
    if (route !== undefined) return { kind: "found", route, path: noParameters };
    const segments = path.split("/", 12);
    for (const pattern of patterns) {
      const parameters = pattern.route.method === method ? match(pattern.segments, segments) : undefined;
      if (parameters !== undefined) return { kind: "found", route: pattern.route, path: parameters };
    }
    return none(given, path, routes);
  };
}

function match(pattern: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] as string;
    if (!part.startsWith("{")) {
      if (part !== segment) return undefined;
    } else {
      // Ids are plain; what would need decoding names nothing that exists.
      if (!segmentShape.test(segment)) return undefined;
      parameters[part.slice(1, -1)] = segment;
    }
  }
  return parameters;
}

function none(method: string, path: string, routes: readonly Route[]): Match {
  const shown = path.slice(0, 100).replace(/[^!-_a-~]/g, "?");
  const possible = routes.filter((route) => match(route.path.split("/"), path.split("/", 12)) !== undefined).map((route) => route.method);
  if (possible.length > 0) {
    const allow = [...new Set(possible)].join(", ");
    return {
      kind: "none",
      status: 405,
      allow,
      error: toolCallError("REQUEST_INVALID", `\`${method}\` is not possible on \`${shown}\`; possible: \`${allow}\``),
    };
  }
  const closest = nearest(path, [...new Set(routes.map((route) => route.path))], 1)[0];
  const hint =
    closest === undefined
      ? ""
      : `; nearest: ${routes
          .filter((route) => route.path === closest)
          .map((route) => `\`${route.method} ${route.path}\``)
          .join(", ")}`;
  return {
    kind: "none",
    status: 404,
    allow: undefined,
    error: toolCallError("NOT_FOUND", `no route \`${shown}\`${hint}; all are described at \`/docs\` and in \`/openapi.json\``),
  };
}
