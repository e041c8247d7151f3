import { defaultLimits } from "../base/limits.ts";
import type { SimulationItem } from "../call/review/simulate.ts";
import { toolCallError, ToolCallError } from "../errors/tool-call-error.ts";
import { toolBody } from "./answer.ts";
import { ok, rolesOf, type GuardedRoute, type Reply, type Route } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

const listTools: GuardedRoute = {
  id: "listTools",
  method: "GET",
  path: "/v1/tools",
  group: "Operation",
  access: ["approver", "administrator"],
  summary: "Every registered tool version",
  about: "A caller asks for the tools of its session instead, since others must look absent to it.",
  answers: { 200: { about: "The tools.", schema: open({ tools: { type: "array", items: namedSchemas.Tool } }) } },
  handle: (request) => ok({ tools: request.services.box.tools().map(toolBody) }),
};

const readPolicy: GuardedRoute = {
  id: "readPolicy",
  method: "GET",
  path: "/v1/policy",
  group: "Operation",
  access: ["caller", "approver", "administrator"],
  summary: "Which policy is in force",
  answers: { 200: { about: "Its content hash.", schema: open({ version: { type: "string" } }) } },
  handle: (request) => ok({ version: request.services.box.health().policyVersion }),
};

const activatePolicy: GuardedRoute = {
  id: "activatePolicy",
  method: "POST",
  path: "/v1/policy/activate",
  group: "Operation",
  access: ["administrator"],
  summary: "Put another policy in force",
  about: "A broken one is refused with everything that is wrong with it, and the old one stays.",
  body: { schema: closed({ policy: { type: "object" } }, ["policy"]), example: { policy: { roles: { support: ["shop.*"] }, rules: [] } } },
  answers: { 200: { about: "It is in force.", schema: open({ version: { type: "string" } }) } },
  async handle(request) {
    try {
      return ok(await request.services.box.activatePolicy(request.body["policy"], request.credential.id));
    } catch (error) {
      return brokenPolicy(error);
    }
  },
};

/** The configuration that is not valid came with the request, so it is not a fault of the server. */
function brokenPolicy(error: unknown): Reply {
  if (error instanceof ToolCallError && error.code === "CONFIG_INVALID") return { kind: "problem", error, status: 422 };
  throw error;
}

const simulatePolicy: GuardedRoute = {
  id: "simulatePolicy",
  method: "POST",
  path: "/v1/policy/simulate",
  group: "Operation",
  access: ["administrator"],
  summary: "What another policy would have made of the tenant's recorded calls",
  about:
    "Nothing is called and nothing is changed. Without `policy`, the one in force is tried. All are counted; the first differences are named.",
  body: {
    schema: closed({ policy: { type: "object" }, sinceMs: { type: "integer", minimum: 0 } }, ["sinceMs"]),
    example: { policy: { roles: { support: ["shop.*"] }, rules: [] }, sinceMs: 1_795_219_200_000 },
  },
  answers: {
    200: {
      about: "Every decision that would differ, every call that cannot be judged any more, and the counts.",
      schema: open({ items: { type: "array", items: { type: "object" } }, summary: { type: "object" } }),
    },
  },
  async handle({ services, credential, body }) {
    const { policy, sinceMs } = body as unknown as { readonly policy?: unknown; readonly sinceMs: number };
    const items: SimulationItem[] = [];
    let summary: SimulationItem | undefined;
    try {
      for await (const item of services.box.simulatePolicy({ policy, sinceMs, tenant: credential.tenant })) {
        if (item.kind === "summary") summary = item;
        else if (items.length < services.limits.simulatedShownMax) items.push(item);
      }
    } catch (error) {
      return brokenPolicy(error);
    }
    return ok({ items, summary });
  },
};

const revokeRoles: GuardedRoute = {
  id: "revokeRoles",
  method: "POST",
  path: "/v1/users/revoke",
  group: "Operation",
  access: ["administrator"],
  summary: "Take roles from a user of the tenant",
  about: "At once, also in open sessions and in calls that wait for a person. Nothing gives them back but the record in the store.",
  body: {
    schema: closed(
      {
        user: textSchema(defaultLimits.principalCharsMax),
        roles: { type: "array", items: textSchema(defaultLimits.principalCharsMax), minItems: 1, maxItems: 100 },
      },
      ["user", "roles"],
    ),
    example: { user: "ada", roles: ["support"] },
  },
  answers: {
    200: { about: "They are gone.", schema: open({ user: { type: "string" }, roles: { type: "array", items: { type: "string" } } }) },
  },
  async handle(request) {
    const { user, roles } = request.body as unknown as { readonly user: string; readonly roles: readonly string[] };
    const { id: by, tenant } = request.credential;
    await request.services.box.revokeRoles({ tenant, user, roles, by });
    return ok({ user, roles });
  },
};

const streamEvents: GuardedRoute = {
  id: "streamEvents",
  method: "GET",
  path: "/v1/events",
  group: "Operation",
  access: ["caller", "approver", "administrator"],
  summary: "What happens to calls, live",
  about: "Server-sent events of the tenant, without arguments, results or secrets. A caller must name a session of its own.",
  query: { session: { about: "Only of this session.", schema: textSchema(200) } },
  answers: { 200: { about: "One event for each stage that mattered.", schema: namedSchemas.Event, type: "text/event-stream" } },
  async handle(request) {
    const { tenant } = request.credential;
    const session = request.query["session"] as string | undefined;
    if (rolesOf(request.credential).includes("caller")) {
      if (session === undefined) throw toolCallError("REQUEST_INVALID", "name the session: `/v1/events?session=…`");
      await request.services.box.resume(session, request.credential);
    }
    return { kind: "events", accepts: (event) => event.tenant === tenant && (session === undefined || event.sessionId === session) };
  },
};

/** Routes of those who run the installation. */
export const operatorRoutes: readonly Route[] = [listTools, readPolicy, activatePolicy, simulatePolicy, revokeRoles, streamEvents];
