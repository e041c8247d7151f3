import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, open, textSchema } from "./schemas.ts";

const text: JsonObject = { type: "string" };
const pinSchema = open(
  {
    tool: text,
    source: text,
    tier: { enum: ["read", "reversible", "irreversible", "privileged"], description: "As the operator tiers it." },
    state: { enum: ["admitted", "new", "changed", "refused"] },
    digest: { type: "string", description: "SHA-256 of what the source offers now." },
    definition: { type: "object", description: "What the source offers now. Untrusted." },
    admittedDigest: text,
    admittedDefinition: { type: "object", description: "What was admitted, where it differs." },
    problems: { type: "array", items: text },
  },
  ["tool", "source", "tier", "state", "digest", "definition", "problems"],
);

const listSources: GuardedRoute = {
  id: "listSources",
  method: "GET",
  path: "/v1/sources",
  group: "Operation",
  access: ["administrator"],
  summary: "Where tools come from at run time, and how each source stands",
  answers: {
    200: {
      about: "The sources.",
      schema: open({
        sources: {
          type: "array",
          items: open({ source: text, state: { type: "object" }, toolCount: { type: "integer" }, waitingCount: { type: "integer" } }),
        },
      }),
    },
  },
  handle: (request) => ok({ sources: request.services.box.sources.list() }),
};

const listPins: GuardedRoute = {
  id: "listPins",
  method: "GET",
  path: "/v1/pins",
  group: "Operation",
  access: ["administrator"],
  summary: "Every definition that sources offer, and whether it waits for review",
  answers: { 200: { about: "The definitions, as they came.", schema: open({ pins: { type: "array", items: pinSchema } }) } },
  handle: (request) => ok({ pins: request.services.box.sources.pins() }),
};

const admitTool: GuardedRoute = {
  id: "admitTool",
  method: "POST",
  path: "/v1/pins/admit",
  group: "Operation",
  access: ["administrator"],
  summary: "Let a definition be used from now on",
  about: "Exactly the one whose digest is named: a definition that changed since it was looked at is refused.",
  body: {
    schema: closed({ tool: textSchema(defaultLimits.toolNameCharsMax), digest: { type: "string", pattern: "^[0-9a-f]{64}$" } }, [
      "tool",
      "digest",
    ]),
    example: { tool: "docs.read_file", digest: "0".repeat(64) },
  },
  answers: { 200: { about: "It is admitted.", schema: pinSchema } },
  async handle(request) {
    const { tool, digest } = request.body as { readonly tool: string; readonly digest: string };
    return ok(await request.services.box.sources.admit({ tool, digest, by: request.credential.id }));
  },
};

/** Routes of those who review what sources offer. */
export const sourceRoutes: readonly Route[] = [listSources, listPins, admitTool];
