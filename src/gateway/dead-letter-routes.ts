import { fixedBounds } from "../base/fixed-bounds.ts";
import { defaultLimits } from "../base/limits.ts";
import type { DeadLetter } from "../domain/dead-letter.ts";
import { answerBody } from "./answer.ts";
import { ok, type GuardedRoute, type Route } from "./route.ts";
import { closed, namedSchemas, open, textSchema } from "./schemas.ts";

const text = { type: "string" } as const;
const time = { type: "integer" } as const;
const kinds = ["unknown", "failed", "undelivered"] as const satisfies readonly DeadLetter["kind"][];

const letterSchema = open(
  {
    id: { ...text, description: "The id of the call, or of the notice." },
    kind: {
      enum: kinds,
      description:
        "`unknown`: nobody knows whether the call happened. `failed`: it was taken on for later and failed for good. `undelivered`: a notice did not arrive.",
    },
    code: { ...text, description: "Of a call." },
    cause: { ...text, description: "What happened, in words." },
    next: { ...text, description: "What to do next, in words." },
    canRetry: { type: "boolean" },
    effect: { enum: ["none", "unknown", "applied"] },
    attemptsCount: { type: "integer", description: "Attempts of the last try; 0 where nobody can say." },
    sinceMs: time,
    sessionId: text,
    tool: text,
    version: text,
    user: text,
    subject: { ...text, description: "What a notice was about, such as `approval apr_…`." },
    target: { ...text, description: "Where a notice should have gone." },
    type: { ...text, description: "Of a notice: `approval.asked` or `call.ran`." },
    problem: { ...text, description: "What was wrong with the last attempt to deliver a notice." },
    message: { ...text, description: "What the caller was told, for administrators." },
    arguments: { type: "object", description: "The arguments of the call, for administrators, as long as they were not erased." },
  },
  ["id", "kind", "cause", "next", "canRetry", "attemptsCount", "sinceMs"],
);

const answerOrNothing = { anyOf: [namedSchemas.Answer, closed({}, [])] };

const listLetters: GuardedRoute = {
  id: "listDeadLetters",
  method: "GET",
  path: "/v1/dead-letters",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "What was given up and waits for a person",
  query: {
    kind: { about: "Only of this kind.", schema: { enum: [...kinds] } },
    after: { about: "`next` of the page before.", schema: textSchema(200) },
    limit: { about: `At most this many. Default ${fixedBounds.pageRowsDefault}.`, schema: { type: "integer", minimum: 1, maximum: 200 } },
  },
  answers: {
    200: {
      about: "One page, oldest first; `next` is there when there may be more.",
      schema: open({ letters: { type: "array", items: letterSchema }, next: text }, ["letters"]),
    },
  },
  async handle({ services, credential, query }) {
    const {
      kind,
      after,
      limit = fixedBounds.pageRowsDefault,
    } = query as { readonly kind?: DeadLetter["kind"]; readonly after?: string; readonly limit?: number };
    const { tenant } = credential;
    return ok(
      await services.box.deadLetters.list({ tenant, limit, ...(kind !== undefined && { kind }), ...(after !== undefined && { after }) }),
    );
  },
};

const readLetter: GuardedRoute = {
  id: "readDeadLetter",
  method: "GET",
  path: "/v1/dead-letters/{id}",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "One dead letter, with what is needed to look into it",
  answers: { 200: { about: "The letter. Arguments and message are for administrators only.", schema: letterSchema } },
  async handle({ services, credential, path }) {
    const letter = await services.box.deadLetters.get(path["id"] as string, credential.tenant);
    return ok(credential.administers ? letter : { ...letter, arguments: undefined, message: undefined });
  },
};

const retryLetter: GuardedRoute = {
  id: "retryDeadLetter",
  method: "POST",
  path: "/v1/dead-letters/{id}/retry",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "Try again what may be tried again",
  about:
    "An unknown call is looked up, or sent again under its own key where its tool makes that safe. A failed one that did nothing is made again as a call of its own, judged under the policy of now. A notice is sent again soon, under its own id; where it does not arrive once more, its letter comes back. Everything else is refused, with the reason.",
  answers: { 200: { about: "How the call stands now; empty for a notice.", schema: answerOrNothing } },
  async handle({ services, credential, path }) {
    const { id: by, tenant } = credential;
    const answer = await services.box.deadLetters.retry(path["id"] as string, { tenant, by });
    return ok(answer === undefined ? {} : answerBody(answer));
  },
};

const resolveLetter: GuardedRoute = {
  id: "resolveDeadLetter",
  method: "POST",
  path: "/v1/dead-letters/{id}/resolve",
  group: "Calls",
  access: ["approver", "administrator"],
  summary: "Say whether an unknown call happened, or put another letter away",
  about:
    "Look into the system that the call went to first. With a yes the call is completed, and whoever asks again is told so; with a no it has failed without an effect and may be made again. A no counts only once the lost attempt can no longer arrive.",
  body: {
    schema: closed(
      {
        happened: { type: "boolean", description: "Of an unknown call, and only there." },
        note: textSchema(defaultLimits.reasoningCharsMax, "How you found out, or what you did, for the ledger."),
      },
      ["note"],
    ),
    example: { happened: true, note: "the parcel service lists pick-up 4711 for this order" },
  },
  answers: { 200: { about: "It is settled. The call as it stands now; empty for a notice.", schema: answerOrNothing } },
  async handle({ services, credential, path, body }) {
    const resolution = body as unknown as { readonly happened?: boolean; readonly note: string };
    const { id: by, tenant } = credential;
    const answer = await services.box.deadLetters.resolve(path["id"] as string, { tenant, by, ...resolution });
    return ok(answer === undefined ? {} : answerBody(answer));
  },
};

/** Routes of those who look into what was given up. */
export const deadLetterRoutes: readonly Route[] = [listLetters, readLetter, retryLetter, resolveLetter];
