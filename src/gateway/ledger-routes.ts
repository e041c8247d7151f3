import { fixedBounds } from "../base/fixed-bounds.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { entryBody } from "./answer.ts";
import { ok, type GuardedRoute, type QueryParameter, type Route, type RouteRequest } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

/** Which part of the ledger, as the query names it. */
interface Part {
  readonly callId?: string;
  readonly sessionId?: string;
  readonly runId?: string;
}

const partParameters: Readonly<Record<keyof Part, QueryParameter>> = {
  callId: { about: "Of this call.", schema: textSchema(200) },
  sessionId: { about: "Of this session.", schema: textSchema(200) },
  runId: { about: "Of this run.", schema: textSchema(200) },
};

function partOf(request: RouteRequest): Part {
  const { callId, sessionId, runId } = request.query as Part;
  return { ...(callId !== undefined && { callId }), ...(sessionId !== undefined && { sessionId }), ...(runId !== undefined && { runId }) };
}

const isComplete: JsonObject = { type: "boolean", description: "Whether this is all; false when there were more entries than `limit`." };

const listEntries: GuardedRoute = {
  id: "listEntries",
  method: "GET",
  path: "/v1/ledger/entries",
  group: "Ledger",
  access: ["administrator"],
  summary: "Ledger entries of a call, session or run",
  about: "Or of the whole tenant. Where more stand there than `limit`, ask again with `sinceMs`: the time of the last one.",
  query: {
    ...partParameters,
    sinceMs: { about: "Only from this time on, in milliseconds since the Unix epoch.", schema: { type: "integer", minimum: 0 } },
    limit: { about: `At most this many. Default ${fixedBounds.pageRowsDefault}.`, schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "Oldest first, private values opened where their key still exists.",
      schema: open({ entries: { type: "array", items: namedSchemas.Entry }, isComplete }),
    },
  },
  async handle(request) {
    const { sinceMs, limit = fixedBounds.pageRowsDefault } = request.query as { readonly sinceMs?: number; readonly limit?: number };
    const found = await request.services.box.trail({
      tenant: request.credential.tenant,
      limit,
      ...partOf(request),
      ...(sinceMs !== undefined && { sinceMs }),
    });
    return ok({ entries: found.map((each) => entryBody(each, true)), isComplete: found.length < limit });
  },
};

const rows: JsonObject = { type: "array", items: { type: "object" } };

const viewLedger: GuardedRoute = {
  id: "viewLedger",
  method: "GET",
  path: "/v1/ledger/view",
  group: "Ledger",
  access: ["administrator"],
  summary: "The auditors' view of a call, session or run: six linked tables",
  about: "Name one of the three. `runId`, `callId` and `stepId` link the rows; `entry` names the ledger entry behind one.",
  query: partParameters,
  answers: {
    200: {
      about: "Who asked, what for, who decided, what came back and what was undone.",
      schema: open({
        run: rows,
        step: rows,
        tool_call: rows,
        authz_decision: rows,
        tool_result: rows,
        compensation_action: rows,
        isComplete,
      }),
    },
  },
  async handle(request) {
    const part = partOf(request);
    if (Object.keys(part).length !== 1) throw toolCallError("REQUEST_INVALID", "name one of `callId`, `sessionId` and `runId`");
    const { box, limits } = request.services;
    return ok(await box.auditView({ tenant: request.credential.tenant, ...part, limit: limits.auditViewEntriesMax }));
  },
};

const verifyLedger: GuardedRoute = {
  id: "verifyLedger",
  method: "GET",
  path: "/v1/ledger/verify",
  group: "Ledger",
  access: ["administrator"],
  summary: "Verify the whole ledger",
  about: "Recomputes every hash, chain and signature, and names what does not hold.",
  answers: { 200: { about: "What was found; `ok` is false when anything does not hold.", schema: open({ ok: { type: "boolean" } }) } },
  async handle(request) {
    return ok(await request.services.verifier.verify());
  },
};

const eraseValues: GuardedRoute = {
  id: "eraseValues",
  method: "POST",
  path: "/v1/ledger/erase",
  group: "Ledger",
  access: ["administrator"],
  summary: "Erase what the ledger holds of one person, or of the whole tenant",
  about:
    "Destroys the keys of the private values (arguments, results, words, notes); hashes and chain stay whole. It cannot be undone. Without `dataSubject` it is everything that the tenant ever sealed. What was sealed in sessions that named no data subject goes only with the tenant.",
  body: {
    schema: closed({ dataSubject: textSchema(200, "The person, as sessions named them.") }, []),
    example: { dataSubject: "customer-77" },
  },
  answers: { 200: { about: "How many keys were destroyed.", schema: open({ keysDestroyed: { type: "integer" } }) } },
  async handle(request) {
    const dataSubject = request.body["dataSubject"] as string | undefined;
    const { tenant, id: by } = request.credential;
    const keysDestroyed = await request.services.box.erase({ tenant, by, ...(dataSubject !== undefined && { dataSubject }) });
    return ok({ keysDestroyed });
  },
};

const dayMs = 86_400_000;

const retainLedger: GuardedRoute = {
  id: "retainLedger",
  method: "POST",
  path: "/v1/ledger/retain",
  group: "Ledger",
  access: ["administrator"],
  summary: "Drop old ledger entries, of every tenant",
  about:
    "Whole sealed segments go, up to the last checkpoint signed before that day; a signed tombstone stays, and the ledger goes on verifying. It cannot be undone.",
  body: {
    schema: closed(
      { olderThanDays: { type: "integer", minimum: 1, maximum: fixedBounds.erasureDaysMax, description: "Age from which entries go." } },
      ["olderThanDays"],
    ),
    example: { olderThanDays: 365 },
  },
  answers: { 200: { about: "How many entries went.", schema: open({ entriesDropped: { type: "integer" } }) } },
  async handle(request) {
    const { box, clock } = request.services;
    const olderThanMs = clock.now() - (request.body["olderThanDays"] as number) * dayMs;
    return ok({ entriesDropped: await box.retain({ olderThanMs, by: request.credential.id }) });
  },
};

/** Routes about the ledger as a whole. */
export const ledgerRoutes: readonly Route[] = [listEntries, viewLedger, verifyLedger, eraseValues, retainLedger];
