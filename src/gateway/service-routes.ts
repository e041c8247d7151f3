import { ok, type PublicRoute, type Route } from "./route.ts";
import { open } from "./schemas.ts";

const status = open({ status: { type: "string" } });

const health: PublicRoute = {
  id: "health",
  method: "GET",
  path: "/healthz",
  group: "Service",
  access: "public",
  summary: "Whether the process lives",
  answers: { 200: { about: "It does.", schema: status } },
  handle: () => ok({ status: "alive" }),
};

const readiness: PublicRoute = {
  id: "readiness",
  method: "GET",
  path: "/readyz",
  group: "Service",
  access: "public",
  summary: "Whether it takes calls",
  answers: { 200: { about: "It does.", schema: status }, 503: { about: "It does not, or no longer.", schema: status } },
  handle(services) {
    const isReady = !services.isClosing() && services.box.health().ready;
    return { kind: "json", status: isReady ? 200 : 503, body: { status: isReady ? "ready" : "not ready" } };
  },
};

const openapi: PublicRoute = {
  id: "openapi",
  method: "GET",
  path: "/openapi.json",
  group: "Service",
  access: "public",
  summary: "This interface as OpenAPI 3.1",
  answers: { 200: { about: "The document.", schema: { type: "object" } } },
  handle: (services) => ({ kind: "text", status: 200, type: "application/json", text: services.describe().openapi }),
};

const docs: PublicRoute = {
  id: "docs",
  method: "GET",
  path: "/docs",
  group: "Service",
  access: "public",
  summary: "This interface as a page",
  answers: { 200: { about: "The page.", type: "text/html" } },
  handle(services) {
    const { page, pagePolicy } = services.describe();
    return { kind: "text", status: 200, type: "text/html; charset=utf-8", text: page, contentPolicy: pagePolicy };
  },
};

/** Where machines look whether a process lives and takes calls. */
export const probePaths: ReadonlySet<string> = new Set([health.path, readiness.path]);

/** Routes for machines that watch, and for readers. */
export const serviceRoutes: readonly Route[] = [health, readiness, openapi, docs];
