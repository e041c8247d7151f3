import type { SessionView } from "../domain/session-view.ts";
import { ok, rolesOf, sessionOf, type GuardedRoute, type Route } from "./route.ts";
import { open } from "./schemas.ts";

const text = { type: "string" } as const;
const texts = { type: "array", items: text } as const;
const count = { type: "integer", minimum: 0 } as const;
const time = { type: "integer", description: "Milliseconds since the Unix epoch." } as const;
const list = (properties: Parameters<typeof open>[0], required?: readonly string[]): ReturnType<typeof open> => ({
  type: "array",
  items: open(properties, required),
});
const rules = list({ rule: text, reason: text }, ["rule"]);

const viewSchema = open(
  {
    id: text,
    tenant: text,
    user: text,
    roles: texts,
    revokedRoles: texts,
    credentialId: text,
    conversationId: text,
    openedAtMs: time,
    lastAtMs: time,
    stopped: { type: "string", description: "Why it takes no more calls; absent while it does." },
    calls: open({ completed: count, failed: count, unknown: count, denied: count, waiting: count, running: count }),
    read: list({
      source: text,
      tools: texts,
      resultsCount: count,
      integrity: texts,
      confidentiality: texts,
      categories: texts,
      isGuarded: { type: "boolean" },
      readers: { type: "array", items: texts, description: "Who may have what is guarded, one list for each circle of readers." },
      lastAtMs: time,
    }),
    categories: texts,
    restrictions: list({ kind: text, from: text, effect: text, by: text, sinceMs: time, endsAtMs: time }, ["kind", "from", "effect", "by"]),
    words: open({ turnsCount: count, isAttested: { type: "boolean" } }),
    grants: list(
      { kind: { enum: ["approval", "widening", "plan"] }, tool: text, approvalId: text, callsLeft: count, by: texts, endsAtMs: time },
      ["kind", "tool", "approvalId", "by", "endsAtMs"],
    ),
    budgets: list({ name: text, used: count, max: count, left: count }, ["name", "used"]),
    detoursCount: count,
    denials: open({ count, max: count }),
    tools: list({
      tool: text,
      version: text,
      tier: text,
      now: { enum: ["runs", "confirms", "asks", "denied"] },
      because: rules,
      dependsOn: rules,
    }),
    isComplete: { type: "boolean" },
  },
  ["id", "tenant", "user", "roles", "credentialId", "read", "restrictions", "grants", "budgets", "denials", "tools", "isComplete"],
);

const showSession: GuardedRoute = {
  id: "showSession",
  method: "GET",
  path: "/v1/sessions/{id}",
  group: "Calls",
  access: ["caller", "approver", "administrator"],
  summary: "What a conversation has read, what restricts it, and what it may still do",
  about:
    "Without any content. A caller sees its own conversations, and of the policy only the ids of the rules; approvers and administrators see the tenant's, with the rules' words.",
  answers: { 200: { about: "The conversation as it stands.", schema: viewSchema } },
  async handle(request) {
    const id = request.path["id"] as string;
    const isCaller = rolesOf(request.credential).every((role) => role === "caller");
    if (isCaller) await sessionOf(request, id);
    const view = await request.services.box.sessionView(id, request.credential.tenant);
    return ok(isCaller ? withoutWords(view) : view);
  },
};

/** The words of a policy are for people who run it: a caller may pass on to its model whatever it reads. */
function withoutWords(view: SessionView): object {
  const named = (reasons: SessionView["tools"][number]["because"]): readonly object[] => reasons.map(({ rule }) => ({ rule }));
  return { ...view, tools: view.tools.map((tool) => ({ ...tool, because: named(tool.because), dependsOn: named(tool.dependsOn) })) };
}

/** Routes that show conversations. */
export const sessionRoutes: readonly Route[] = [showSession];
