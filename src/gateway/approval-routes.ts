import type { ApprovalDecision } from "../call/box/box.ts";
import type { ApprovalState } from "../domain/approval.ts";
import type { JsonObject } from "../domain/json.ts";
import { answerBody, approvalBody } from "./answer.ts";
import { maySee, nameOf, visibleApproval } from "./approval-access.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { cardSchema } from "./card-schema.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

const states = ["pending", "approved", "rejected", "expired", "used", "void"] as const satisfies readonly ApprovalState[];

const listApprovals: GuardedRoute = {
  id: "listApprovals",
  method: "GET",
  path: "/v1/approvals",
  group: "Approvals",
  access: ["approver", "administrator"],
  summary: "Questions to people",
  about: "An approver sees those of its groups, an administrator all of the tenant.",
  query: {
    state: { about: "Only in this state.", schema: { enum: [...states] } },
    after: { about: "`next` of the page before.", schema: textSchema(200) },
    limit: { about: "At most this many.", schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "One page; `next` is there when there may be more.",
      schema: open({ approvals: { type: "array", items: namedSchemas.Approval }, next: { type: "string" } }, ["approvals"]),
    },
  },
  async handle(request) {
    const { box, limits } = request.services;
    const { state, after, limit } = request.query as { readonly state?: ApprovalState; readonly after?: string; readonly limit?: number };
    const most = Math.min(limit ?? 50, limits.pageRowsMax);
    const page = await box.approvals.list({
      tenant: request.credential.tenant,
      limit: most,
      ...(state !== undefined && { state }),
      ...(after !== undefined && { after }),
    });
    const next = page.length < most ? undefined : page.at(-1)?.id;
    return ok({ approvals: page.filter((approval) => maySee(approval, request.credential)).map(approvalBody), next });
  },
};

const readApproval: GuardedRoute = {
  id: "readApproval",
  method: "GET",
  path: "/v1/approvals/{id}",
  group: "Approvals",
  access: ["approver", "administrator"],
  summary: "One question, with what a person needs to judge it",
  answers: {
    200: {
      about: "`card` is fit for people's eyes; `arguments` are exactly those that would run, absent once the call has settled.",
      schema: open({ approval: namedSchemas.Approval, card: cardSchema, arguments: { type: "object" } }, ["approval", "card"]),
    },
  },
  async handle(request) {
    const approval = await visibleApproval(request, request.path["id"] as string);
    const { approvals } = request.services.box;
    const card = await approvals.card(approval.id, request.credential.tenant);
    const found = await approvals.arguments(approval.id, request.credential.tenant);
    return ok({ approval: approvalBody(approval), card, arguments: found });
  },
};

const answerApproval: GuardedRoute = {
  id: "answerApproval",
  method: "POST",
  path: "/v1/approvals/{id}/answer",
  group: "Approvals",
  access: ["approver"],
  summary: "Say yes or no",
  about:
    "With the last yes that is needed, the call is judged again and runs; `answer` says how it went on. A reason for a no is shown to the model.",
  body: {
    schema: closed(
      {
        approve: { type: "boolean" },
        reason: textSchema(1_000),
        digest: textSchema(64, "`effectiveDigest` of the approval as it was shown. Needed once somebody changed the arguments."),
        arguments: {
          type: "object",
          description:
            "With a yes: run these instead. They must fit the schema, and both the user and the person behind the credential must be allowed the call.",
        },
        widen: {
          type: "boolean",
          description: "With a yes: also for further calls to the same targets in this session. Never privileged.",
        },
      },
      ["approve"],
    ),
    example: { approve: false, reason: "the amount is wrong" },
  },
  answers: {
    200: { about: "The answer counts.", schema: open({ approval: namedSchemas.Approval, answer: namedSchemas.Answer }, ["approval"]) },
  },
  async handle(request) {
    const { id } = await visibleApproval(request, request.path["id"] as string);
    const given = request.body as Omit<ApprovalDecision, "by"> & JsonObject;
    const decision = { ...given, by: nameOf(request.credential) };
    const decided = await request.services.box.approvals.decide(id, decision, request.credential);
    return ok({ approval: approvalBody(decided.approval), answer: decided.answer === undefined ? undefined : answerBody(decided.answer) });
  },
};

/** Routes of those who answer. */
export const approvalRoutes: readonly Route[] = [listApprovals, readApproval, answerApproval];
