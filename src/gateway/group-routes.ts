import { defaultLimits } from "../base/limits.ts";
import type { GroupDecision } from "../call/box/box.ts";
import type { JsonObject } from "../domain/json.ts";
import type { GroupAnswer } from "../domain/approval-group.ts";
import { errorBody } from "../errors/wire.ts";
import { answerBody, approvalBody } from "./answer.ts";
import { maySee, nameOf, visibleApproval } from "./approval-access.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

const text: JsonObject = { type: "string" };
const texts: JsonObject = { type: "array", items: text };
const time: JsonObject = { type: "integer", description: "Milliseconds since the Unix epoch." };

const groupSchema: JsonObject = open({
  digest: { type: "string", description: "Of exactly these members with their arguments: what an answer is given for." },
  sessionId: text,
  user: text,
  tool: text,
  version: text,
  gate: { enum: ["confirmation", "approval"] },
  approvers: texts,
  quorum: { type: "integer" },
  isOfEach: { type: "boolean", description: "Each of `approvers` has to agree, by a person of its own." },
  rules: texts,
  members: {
    type: "array",
    description: "Those with the most values that the user did not say first.",
    items: open({ id: text, summary: text, notSaid: texts, effectiveDigest: text, expiresAtMs: time }),
  },
});

const listApprovalGroups: GuardedRoute = {
  id: "listApprovalGroups",
  method: "GET",
  path: "/v1/approval-groups",
  group: "Approvals",
  access: ["approver"],
  summary: "Questions that belong together",
  about: "The same tool, asked about for the same reasons, in one conversation. Privileged calls stand alone.",
  answers: { 200: { about: "Groups of two and more.", schema: open({ groups: { type: "array", items: groupSchema } }) } },
  async handle({ services, credential }) {
    const groups = await services.box.approvals.groups({ tenant: credential.tenant, maySee: (approval) => maySee(approval, credential) });
    return ok({ groups });
  },
};

const answerApprovalGroup: GuardedRoute = {
  id: "answerApprovalGroup",
  method: "POST",
  path: "/v1/approval-groups/answer",
  group: "Approvals",
  access: ["approver"],
  summary: "Say yes or no to all of a group",
  about:
    "Each member is answered by itself, under its own arguments. A member that came later is not among them; where one changed or was answered, nothing is.",
  body: {
    schema: closed(
      {
        digest: textSchema(64),
        members: { type: "array", minItems: 2, maxItems: defaultLimits.approvalGroupMax, items: textSchema(100) },
        approve: { type: "boolean" },
        reason: textSchema(1_000),
      },
      ["digest", "members", "approve"],
    ),
    example: { digest: "0".repeat(64), members: ["apr_1", "apr_2"], approve: true },
  },
  answers: {
    200: {
      about: "What came of each.",
      schema: open({
        answers: {
          type: "array",
          items: open({ id: text, approval: namedSchemas.Approval, answer: namedSchemas.Answer, error: namedSchemas.Error }, ["id"]),
        },
      }),
    },
  },
  async handle(request) {
    const { credential, services } = request;
    const given = request.body as unknown as Omit<GroupDecision, "by">;
    for (const id of given.members) await visibleApproval(request, id);
    const answers = await services.box.approvals.decideGroup({ ...given, by: nameOf(credential) }, credential);
    return ok({ answers: answers.map(groupAnswerBody) });
  },
};

function groupAnswerBody(given: GroupAnswer): object {
  if (given.kind === "refused") return { id: given.id, error: errorBody(given.error).error };
  const { approval, answer } = given;
  return { id: approval.id, approval: approvalBody(approval), answer: answer === undefined ? undefined : answerBody(answer) };
}

/** Routes of those who answer for several calls at once. */
export const groupRoutes: readonly Route[] = [listApprovalGroups, answerApprovalGroup];
