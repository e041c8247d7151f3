import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { JourneyEvent, Signalbox } from "../call/box/box.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Credential } from "../domain/principal.ts";
import type { ToolCallError } from "../errors/tool-call-error.ts";
import type { LedgerVerifier } from "./ledger-verifier.ts";
import type { BoxSession } from "../call/box/box-session.ts";

/**
 * What a credential can be used as. One may be an approver and an administrator, but never a caller besides. A delegate holds the token of one delegated session, and
 * may use that one alone.
 */
export type Role = "caller" | "delegate" | "approver" | "administrator";

/** A query parameter, as it stands in the address and in the document. */
export interface QueryParameter {
  readonly about: string;
  /** JSON Schema; `integer` is read from its digits, everything else is a text. */
  readonly schema: JsonObject;
  readonly isRequired?: boolean;
}

/** What the handlers work with. */
export interface Services {
  readonly box: Signalbox;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly verifier: LedgerVerifier;
  /** The OpenAPI document as text, and the page made from it. */
  readonly describe: () => { readonly openapi: string; readonly page: string; readonly pagePolicy: string };
  /** Whether the gateway has begun to close, or is about to. */
  readonly isClosing: () => boolean;
}

/** A request that was read, checked against its route's schemas and authenticated. */
export interface RouteRequest {
  readonly services: Services;
  readonly credential: Credential;
  /** Parts of the path by name. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | number>>;
  /** `{}` where the route has none. */
  readonly body: JsonObject;
  readonly idempotencyKey: string | undefined;
  readonly traceId: string;
}

/** What a handler answers. */
export type Reply =
  | { readonly kind: "json"; readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** `status` overrides the code's own; `extra` are further members of the problem. */
  | {
      readonly kind: "problem";
      readonly error: ToolCallError;
      readonly status?: number;
      readonly extra?: JsonObject;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "text"; readonly status: number; readonly type: string; readonly text: string; readonly contentPolicy?: string }
  /** A stream of events that lasts until one side closes. */
  | { readonly kind: "events"; readonly accepts: (event: JourneyEvent) => boolean };

/** What everybody can know of a route: path, schemas and who may use it. Validation, the OpenAPI document and the docs page derive from it. */
export interface RouteSpec {
  /** Its name in the document (`operationId`). */
  readonly id: string;
  readonly method: "GET" | "POST";
  /** Such as `/v1/calls/{id}`. */
  readonly path: string;
  readonly group: "Calls" | "Approvals" | "Operation" | "Ledger" | "Service";
  readonly summary: string;
  readonly about?: string;
  readonly query?: Readonly<Record<string, QueryParameter>>;
  readonly body?: { readonly schema: JsonObject; readonly example: Json };
  /** Whether the `Idempotency-Key` header means something here. */
  readonly takesKey?: boolean;
  readonly answers: Readonly<Record<number, { readonly about: string; readonly schema?: JsonObject; readonly type?: string }>>;
}

/** A route for credentials of some roles. */
export interface GuardedRoute extends RouteSpec {
  readonly access: readonly Role[];
  readonly handle: (request: RouteRequest) => Reply | Promise<Reply>;
}

/** A route that needs no credential. */
export interface PublicRoute extends RouteSpec {
  readonly access: "public";
  readonly handle: (services: Services) => Reply | Promise<Reply>;
}

/** A route with its handler. */
export type Route = GuardedRoute | PublicRoute;

/** Whether a route needs a credential. */
export function isGuarded(route: Route): route is GuardedRoute {
  return route.access !== "public";
}

/** A JSON answer with status 200. */
export function ok(body: unknown): Reply {
  return { kind: "json", status: 200, body };
}

/** The session a body or query names, if it is the credential's; `SESSION_UNKNOWN` otherwise. */
export function sessionOf(request: RouteRequest, id: string): Promise<BoxSession> {
  return request.services.box.resume(id, request.credential);
}

/** What a credential can be used as. */
export function rolesOf(credential: Credential): readonly Role[] {
  if (credential.sessionId !== undefined) return ["delegate"];
  const roles: Role[] = [];
  if (credential.approves.length > 0) roles.push("approver");
  else if (credential.actsFor.length > 0) roles.push("caller");
  if (credential.administers) roles.push("administrator");
  return roles;
}
