import { isoTime } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Form } from "../domain/tool-call.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { answerBody, answerReply, entryBody, toolBody } from "./answer.ts";
import { ok, rolesOf, sessionOf, type GuardedRoute, type Route, type RouteRequest } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";
import type { TurnOptions, DelegationOptions } from "../call/box/box-session.ts";

const forms = ["openai-chat", "openai-responses", "anthropic", "gemini", "mcp", "plain"] as const satisfies readonly Form[];
const formSchema: JsonObject = { enum: [...forms], description: "The provider's form." };
const id = textSchema(defaultLimits.callIdCharsMax);

const turnSchema = closed(
  {
    id: textSchema(defaultLimits.callIdCharsMax, "Yours; the same turn sent again does nothing twice."),
    said: { type: "string", maxLength: defaultLimits.saidCharsMax, description: "The user's own words of this turn." },
    reasoning: { type: "string", maxLength: defaultLimits.reasoningCharsMax, description: "The model's stated reasoning, for the ledger." },
    model: textSchema(200, "The exact model id."),
    offered: {
      type: "array",
      items: textSchema(defaultLimits.toolNameCharsMax),
      maxItems: defaultLimits.toolsMax,
      description: "Tools the model was offered; calls of others are refused.",
    },
    allOrNothing: { type: "boolean", description: "The calls of one response run together or not at all. Default false." },
  },
  [],
);

const openSession: GuardedRoute = {
  id: "openSession",
  method: "POST",
  path: "/v1/sessions",
  group: "Calls",
  access: ["caller"],
  summary: "Open a conversation of one user",
  about: "No call can be made without one. The tenant is the credential's; the roles must be ones it acts for.",
  body: {
    schema: closed(
      {
        user: textSchema(200),
        roles: { type: "array", items: textSchema(100), maxItems: 100 },
        attributes: { type: "object", maxProperties: 100, description: "What policy may ask about the user, such as `region`." },
        conversationId: textSchema(200, "Yours, for the ledger."),
        dataSubject: textSchema(200, "The person whom the private values are about, for erasure."),
      },
      ["user", "roles"],
    ),
    example: { user: "ada", roles: ["support"], attributes: { region: "eu" } },
  },
  answers: { 201: { about: "The session.", schema: open({ id: { type: "string" } }) } },
  async handle(request) {
    const { user, roles, attributes, conversationId, dataSubject } = request.body as unknown as SessionBody;
    const { credential } = request;
    const session = await request.services.box.session({
      tenant: credential.tenant,
      user,
      roles,
      credential,
      ...(attributes !== undefined && { attributes }),
      ...(conversationId !== undefined && { conversationId }),
      ...(dataSubject !== undefined && { dataSubject }),
    });
    return { kind: "json", status: 201, body: { id: session.id } };
  },
};

interface SessionBody {
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes?: JsonObject;
  readonly conversationId?: string;
  readonly dataSubject?: string;
}

const delegateSession: GuardedRoute = {
  id: "delegateSession",
  method: "POST",
  path: "/v1/sessions/{id}/delegate",
  group: "Calls",
  access: ["caller", "delegate"],
  summary: "Hand a part of what a conversation may do to another agent",
  about:
    "Makes a session below this one, for the same user, and the token that stands for it alone: the other agent sends it as its bearer token. It never has more than this session has, counts in its budget, and ends with it. The token is shown once.",
  body: {
    schema: closed(
      {
        tools: {
          type: "array",
          items: textSchema(defaultLimits.toolNameCharsMax),
          minItems: 1,
          maxItems: defaultLimits.delegatedGlobsMax,
          description: "Globs over the tools that it may call.",
        },
        roles: { type: "array", items: textSchema(100), maxItems: 100, description: "Of this session's. Default: all of them." },
        budget: closed(
          {
            calls: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
            usd: { type: "number", minimum: 0, maximum: 1_000_000 },
          },
          [],
        ),
        expiresInMs: { type: "integer", minimum: 1, maximum: defaultLimits.delegationMsMax },
        callId: { ...id, description: "The call of this session that the work belongs to, for the ledger." },
        conversationId: textSchema(200, "Yours, for the ledger; such as the other agent's name."),
      },
      ["tools", "expiresInMs"],
    ),
    example: { tools: ["shop.get"], budget: { calls: 20 }, expiresInMs: 600_000 },
  },
  answers: {
    201: {
      about: "The session and its token.",
      schema: open({ id: { type: "string" }, token: { type: "string" }, expiresAt: { type: "string", format: "date-time" } }),
    },
  },
  async handle(request) {
    const above = await sessionOf(request, request.path["id"] as string);
    const { session, token } = await above.delegate(request.body as unknown as DelegationOptions);
    const expiresAt = isoTime(session.session.expiresAtMs as number);
    return { kind: "json", status: 201, body: { id: session.id, token, expiresAt } };
  },
};

const listSessionTools: GuardedRoute = {
  id: "listSessionTools",
  method: "GET",
  path: "/v1/sessions/{id}/tools",
  group: "Calls",
  access: ["caller", "delegate"],
  summary: "Tools that this conversation may call",
  about: "With `form`, ready to send to that provider; without, as Signalbox knows them.",
  query: { form: { about: "The provider's form.", schema: formSchema } },
  answers: { 200: { about: "The tools.", schema: open({ tools: { type: "array", items: { type: "object" } } }) } },
  async handle(request) {
    const session = await sessionOf(request, request.path["id"] as string);
    const form = request.query["form"] as Form | undefined;
    return ok({ tools: form === undefined ? session.visibleTools().map(toolBody) : session.tools(form) });
  },
};

const stopSession: GuardedRoute = {
  id: "stopSession",
  method: "POST",
  path: "/v1/sessions/{id}/stop",
  group: "Calls",
  access: ["caller", "delegate", "administrator"],
  summary: "Stop a conversation: every later call of it is refused",
  body: { schema: closed({ reason: textSchema(500) }, ["reason"]), example: { reason: "the user left" } },
  answers: { 200: { about: "It is stopped.", schema: open({ id: { type: "string" }, stopped: { const: true } }) } },
  async handle(request) {
    const sessionId = request.path["id"] as string;
    // An administrator stops any session of the tenant, a caller only its own.
    if (!request.credential.administers) await sessionOf(request, sessionId);
    const { tenant, id: by } = request.credential;
    await request.services.box.stopSession(sessionId, tenant, request.body["reason"] as string, by);
    return ok({ id: sessionId, stopped: true });
  },
};

const makeCall: GuardedRoute = {
  id: "makeCall",
  method: "POST",
  path: "/v1/calls",
  group: "Calls",
  access: ["caller", "delegate"],
  summary: "Call a tool",
  about:
    "The same key (in the body or the `Idempotency-Key` header) has one effect and one outcome. A call whose connection breaks goes on; look it up by its id.",
  takesKey: true,
  body: {
    schema: closed(
      {
        session: id,
        tool: { type: "string", minLength: 1, maxLength: 1_000, description: "Its name, with an optional `@version`." },
        arguments: { description: "The arguments: an object, or its JSON text as a model wrote it." },
        key: textSchema(defaultLimits.keyCharsMax, "Idempotency key."),
        callId: textSchema(defaultLimits.callIdCharsMax, "The model's id of this call."),
        turn: turnSchema,
      },
      ["session", "tool", "arguments"],
    ),
    example: {
      session: "ses_01",
      tool: "shop.refund",
      arguments: { orderId: "A-1042", amount: 20 },
      key: "refund-A-1042",
      turn: { said: "Please refund 20 euros of order A-1042" },
    },
  },
  answers: {
    200: { about: "The call is done.", schema: namedSchemas.Answer },
    202: { about: "It waits for a person or is still running; `location` is where to look.", schema: namedSchemas.Answer },
  },
  async handle(request) {
    const { body } = request;
    const session = await sessionOf(request, body["session"] as string);
    const key = keyOf(request);
    const callId = body["callId"] as string | undefined;
    const answer = await session.turn(turnOf(request)).call({
      tool: body["tool"] as string,
      arguments: body["arguments"] as Json,
      ...(key !== undefined && { key }),
      ...(callId !== undefined && { callId }),
    });
    return answerReply(answer);
  },
};

function keyOf(request: RouteRequest): string | undefined {
  const inBody = request.body["key"] as string | undefined;
  const inHeader = request.idempotencyKey;
  if (inBody !== undefined && inHeader !== undefined && inBody !== inHeader)
    throw toolCallError("REQUEST_INVALID", "the `Idempotency-Key` header and `key` in the body differ; send one of them");
  return inBody ?? inHeader;
}

function turnOf(request: RouteRequest): TurnOptions {
  return { ...(request.body["turn"] as TurnOptions | undefined), traceId: request.traceId };
}

const answerTurn: GuardedRoute = {
  id: "answerTurn",
  method: "POST",
  path: "/v1/turns",
  group: "Calls",
  access: ["caller", "delegate"],
  summary: "Carry out every tool call of a model's response",
  about: "Answers in the provider's own form, in the order of the request; a tool that fails is answered too.",
  body: {
    schema: closed(
      {
        session: id,
        form: formSchema,
        response: { description: "The provider's response, or its message, as it came." },
        turn: turnSchema,
      },
      ["session", "form", "response"],
    ),
    example: {
      session: "ses_01",
      form: "openai-chat",
      response: {
        choices: [
          {
            message: {
              role: "assistant",
              tool_calls: [{ id: "c1", type: "function", function: { name: "shop_get_order", arguments: '{"orderId":"A-1042"}' } }],
            },
          },
        ],
      },
    },
  },
  answers: {
    200: {
      about: "Messages to append.",
      schema: open({ messages: { type: "array", items: { type: "object" } }, traceId: { type: "string" } }),
    },
  },
  async handle(request) {
    const session = await sessionOf(request, request.body["session"] as string);
    const messages = await session.turn(turnOf(request)).answer(request.body["form"] as Form, request.body["response"]);
    return ok({ messages, traceId: request.traceId });
  },
};

const readCall: GuardedRoute = {
  id: "readCall",
  method: "GET",
  path: "/v1/calls/{id}",
  group: "Calls",
  access: ["caller", "delegate", "administrator"],
  summary: "What became of a call",
  about: "Always 200 for a call that exists: how it ended, or that it waits, is in `outcome`.",
  answers: { 200: { about: "The answer.", schema: namedSchemas.Answer } },
  async handle(request) {
    return ok(answerBody(await request.services.box.outcome(request.path["id"] as string, request.credential)));
  },
};

const readTrail: GuardedRoute = {
  id: "readTrail",
  method: "GET",
  path: "/v1/calls/{id}/trail",
  group: "Calls",
  access: ["caller", "delegate", "administrator"],
  summary: "Every ledger entry of a call",
  about: "An administrator also sees private values, where their key still exists.",
  answers: { 200: { about: "Oldest first.", schema: open({ entries: { type: "array", items: namedSchemas.Entry } }) } },
  async handle(request) {
    const { box, limits } = request.services;
    const callId = request.path["id"] as string;
    const isAdministrator = rolesOf(request.credential).includes("administrator");
    const trail = await box.trail({ tenant: request.credential.tenant, callId, limit: limits.pageRowsMax });
    const sessionId = trail.find((each) => each.entry.sessionId !== undefined)?.entry.sessionId;
    if (trail.length === 0 || (sessionId === undefined && !isAdministrator)) throw toolCallError("NOT_FOUND", "no such call here");
    // Somebody else's call must look exactly like one that does not exist.
    if (!isAdministrator)
      await sessionOf(request, sessionId as string).catch(() => Promise.reject(toolCallError("NOT_FOUND", "no such call here")));
    return ok({ entries: trail.map((each) => entryBody(each, isAdministrator)) });
  },
};

const readHandle: GuardedRoute = {
  id: "readHandle",
  method: "GET",
  path: "/v1/handles/{id}",
  group: "Calls",
  access: ["caller", "delegate"],
  summary: "The rest of a result that was cut",
  query: {
    session: { about: "The session that got the result.", schema: id, isRequired: true },
    offset: { about: "First character. Default 0.", schema: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } },
    limit: { about: "Characters at most. Default and maximum 100,000.", schema: { type: "integer", minimum: 1, maximum: 100_000 } },
  },
  answers: {
    200: {
      about: "One page.",
      schema: open(
        {
          text: { type: "string" },
          offset: { type: "integer" },
          totalChars: { type: "integer" },
          nextOffset: { type: "integer" },
          label: { type: "object", description: "The label of the whole result." },
        },
        ["text", "offset", "totalChars", "label"],
      ),
    },
  },
  async handle(request) {
    const session = await sessionOf(request, request.query["session"] as string);
    const offset = (request.query["offset"] as number | undefined) ?? 0;
    const limit = (request.query["limit"] as number | undefined) ?? 100_000;
    return ok(await request.services.box.readHandle(request.path["id"] as string, session, { offset, limit }));
  },
};

/** Routes of those who call. */
export const callRoutes: readonly Route[] = [
  openSession,
  delegateSession,
  listSessionTools,
  stopSession,
  makeCall,
  answerTurn,
  readCall,
  readTrail,
  readHandle,
];
