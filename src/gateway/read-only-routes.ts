import { defaultLimits } from "../base/limits.ts";
import type { ReadOnlyScope, ReadOnlyState } from "../call/read-only.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, open, textSchema } from "./schemas.ts";

const scopeSchema = { enum: ["all", "tenant", "session"] } as const;
const stateSchema = open({
  scope: scopeSchema,
  session: { type: "string" },
  reason: { type: "string" },
  by: { type: "string" },
  sinceMs: { type: "integer" },
});
const listing = { 200: { about: "What is read-only now.", schema: open({ readOnly: { type: "array", items: stateSchema } }) } };

const listReadOnly: GuardedRoute = {
  id: "listReadOnly",
  method: "GET",
  path: "/v1/read-only",
  group: "Operation",
  access: ["approver", "administrator"],
  summary: "What is limited to reads",
  answers: listing,
  async handle({ services, credential }) {
    return ok({ readOnly: (await services.box.readOnly.list(credential.tenant)).map(stateBody) });
  },
};

const turnReadOnly: GuardedRoute = {
  id: "turnReadOnly",
  method: "POST",
  path: "/v1/read-only",
  group: "Operation",
  access: ["administrator"],
  summary: "Limit everything, the tenant or one session to reads, or lift that",
  about: "From the answer on, nothing but reads passes the gate, in any process of the store. What has passed it goes on.",
  body: {
    schema: closed(
      { on: { type: "boolean" }, scope: scopeSchema, session: textSchema(200), reason: textSchema(defaultLimits.reasoningCharsMax) },
      ["on", "scope", "reason"],
    ),
    example: { on: true, scope: "tenant", reason: "an incident is looked into" },
  },
  answers: listing,
  async handle({ services, credential, body }) {
    const { on, scope, session, reason } = body as unknown as TurnBody;
    await services.box.readOnly.turn({ scope: scopeOf(scope, session, credential.tenant), isOn: on, reason, by: credential.id });
    return ok({ readOnly: (await services.box.readOnly.list(credential.tenant)).map(stateBody) });
  },
};

interface TurnBody {
  readonly on: boolean;
  readonly scope: ReadOnlyScope["kind"];
  readonly session?: string;
  readonly reason: string;
}

function scopeOf(kind: ReadOnlyScope["kind"], session: string | undefined, tenant: string): ReadOnlyScope {
  if ((kind === "session") !== (session !== undefined))
    throw toolCallError("REQUEST_INVALID", "name a `session` with the scope `session`, and with no other");
  if (kind === "all") return { kind };
  return session === undefined ? { kind: "tenant", tenant } : { kind: "session", tenant, sessionId: session };
}

function stateBody({ scope, reason, by, sinceMs }: ReadOnlyState): Readonly<Record<string, unknown>> {
  return { scope: scope.kind, ...(scope.kind === "session" && { session: scope.sessionId }), reason, by, sinceMs };
}

/** Routes of the read-only switch. */
export const readOnlyRoutes: readonly Route[] = [listReadOnly, turnReadOnly];
