import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Credential } from "../domain/principal.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, open, textSchema } from "./schemas.ts";

const text = { type: "string" } as const;
const time = { type: "integer", description: "Milliseconds since the Unix epoch." } as const;

const deferralSchema = open(
  {
    callId: text,
    sessionId: text,
    user: text,
    credentialId: { ...text, description: "The credential that made the call." },
    tool: text,
    version: text,
    effectiveDigest: text,
    rules: { type: "array", items: text, description: "Rules that put it off when it was judged last." },
    sinceMs: time,
    wakeAtMs: time,
    expiresAtMs: time,
  },
  ["callId", "sessionId", "user", "tool", "version", "rules", "sinceMs", "wakeAtMs", "expiresAtMs"],
);

/** Who only calls is shown its own calls. */
function seenBy({ id, tenant, approves, administers }: Credential): { readonly tenant: string; readonly credentialId?: string } {
  return administers || approves.length > 0 ? { tenant } : { tenant, credentialId: id };
}

const list: GuardedRoute = {
  id: "listDeferrals",
  method: "GET",
  path: "/v1/deferrals",
  group: "Calls",
  access: ["caller", "approver", "administrator"],
  summary: "Calls that rules have put off",
  about: "A caller sees those of its own credential.",
  query: {
    after: { about: "`next` of the page before.", schema: textSchema(200) },
    limit: { about: `At most this many. Default ${fixedBounds.pageRowsDefault}.`, schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "One page, oldest first; `next` is there when there may be more.",
      schema: open({ deferrals: { type: "array", items: deferralSchema }, next: text }, ["deferrals"]),
    },
  },
  async handle({ services, credential, query }) {
    const { after, limit = fixedBounds.pageRowsDefault } = query as { readonly after?: string; readonly limit?: number };
    return ok(await services.box.deferrals.list({ ...seenBy(credential), limit, ...(after !== undefined && { after }) }));
  },
};

const cancel: GuardedRoute = {
  id: "cancelDeferral",
  method: "POST",
  path: "/v1/deferrals/{callId}/cancel",
  group: "Calls",
  access: ["caller", "approver", "administrator"],
  summary: "Cancel a call that is put off",
  about: "It does not run, and may be made anew. A caller cancels those of its own credential.",
  body: {
    schema: closed(
      { reason: textSchema(defaultLimits.answerReasonCharsMax, "Why, for the ledger and for whoever asks for the call.") },
      [],
    ),
    example: { reason: "the customer changed their mind" },
  },
  answers: { 200: { about: "It is cancelled.", schema: closed({}, []) } },
  async handle({ services, credential, path, body }) {
    const { reason } = body as { readonly reason?: string };
    const by = credential.person?.user ?? credential.id;
    const request = { ...seenBy(credential), by, ...(reason !== undefined && { reason }) };
    await services.box.deferrals.cancel(path["callId"] as string, request);
    return ok({});
  },
};

/** Routes of calls that wait for a time. */
export const deferralRoutes: readonly Route[] = [list, cancel];
