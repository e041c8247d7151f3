import { defaultLimits } from "../base/limits.ts";
import { answerBody } from "./answer.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

const text = { type: "string" } as const;

const listUnknown: GuardedRoute = {
  id: "listUnknownCalls",
  method: "GET",
  path: "/v1/calls",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "Calls of which nobody knows yet whether they happened",
  query: {
    state: { about: "Which calls.", schema: { enum: ["unknown"] }, isRequired: true },
    after: { about: "`next` of the page before.", schema: textSchema(200) },
    limit: { about: "At most this many. Default 50.", schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "One page, in no order that means anything; `next` is there when there may be more.",
      schema: open(
        {
          calls: {
            type: "array",
            items: open(
              { callId: text, sessionId: text, tool: text, version: text, sinceMs: { type: "integer" }, nextLookMs: { type: "integer" } },
              ["callId", "sessionId", "tool", "version", "sinceMs"],
            ),
          },
          next: text,
        },
        ["calls"],
      ),
    },
  },
  async handle(request) {
    const { after, limit = 50 } = request.query as { readonly after?: string; readonly limit?: number };
    return ok(await request.services.box.unknownCalls({ tenant: request.credential.tenant, limit, ...(after !== undefined && { after }) }));
  },
};

const resolveCall: GuardedRoute = {
  id: "resolveCall",
  method: "POST",
  path: "/v1/calls/{id}/resolve",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "Say whether a call happened whose outcome is unknown",
  about:
    "Look into the system that the call went to first. With a yes it is completed, and whoever asks again is told so; with a no it has failed without an effect and may be made again. A no counts only once the lost attempt can no longer arrive.",
  body: {
    schema: closed(
      { happened: { type: "boolean" }, note: textSchema(defaultLimits.reasoningCharsMax, "How you found out, for the ledger.") },
      ["happened", "note"],
    ),
    example: { happened: true, note: "the parcel service lists pick-up 4711 for this order" },
  },
  answers: { 200: { about: "It is settled.", schema: namedSchemas.Answer } },
  async handle(request) {
    const { happened, note } = request.body as unknown as { readonly happened: boolean; readonly note: string };
    const { id: by, tenant } = request.credential;
    return ok(answerBody(await request.services.box.resolveUnknown(request.path["id"] as string, { tenant, happened, by, note })));
  },
};

/** Routes of those who look into calls whose reply was lost. */
export const unknownRoutes: readonly Route[] = [listUnknown, resolveCall];
