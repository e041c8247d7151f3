import { ok, type GuardedRoute, type Route } from "./route.ts";
import { open } from "./schemas.ts";

const text = { type: "string" } as const;
const count = { type: "integer", minimum: 0 } as const;
const row = {
  state: { enum: ["healthy", "degraded", "open", "down", "quarantined"] },
  breaker: { enum: ["closed", "open", "half-open"] },
  retryAfterMs: { ...count, description: "When to come back, while it is open." },
  runningCount: count,
  waitingCount: count,
  attemptCount: { ...count, description: "Of about the last two minutes." },
  failureCount: count,
  p95Ms: { type: "number", description: "95 % of the answers came within." },
  lastFailure: open({ kind: text, message: text, atMs: { type: "integer" } }),
};
const required = ["state", "breaker", "runningCount", "waitingCount", "attemptCount", "failureCount"];

const readHealth: GuardedRoute = {
  id: "readHealth",
  method: "GET",
  path: "/v1/health",
  group: "Operation",
  access: ["approver", "administrator"],
  summary: "How this process, its tools and their sources do",
  about: "What the calls of this process have found, over all tenants. `/readyz` says whether it takes calls.",
  answers: {
    200: {
      about: "The report.",
      schema: open({
        problems: { type: "array", items: { ...text, description: "What is wrong with this process itself; calls go on." } },
        load: open({ running: count, runningMax: count, shedCount: { ...count, description: "Calls turned away since it began." } }),
        deadLetters: open({
          openCount: { ...count, description: "Of the credential's tenant, counted to `deadLettersMax`." },
          unknownCount: count,
          oldestMs: { type: "integer" },
        }),
        sources: { type: "array", items: open({ source: text, toolCount: count, ...row }, ["source", "toolCount", ...required]) },
        tools: {
          type: "array",
          items: open({ tool: text, version: text, source: text, ...row }, ["tool", "version", "source", ...required]),
        },
      }),
    },
  },
  async handle({ services, credential }) {
    return ok({ ...services.box.healthReport(), deadLetters: await services.box.deadLetters.count(credential.tenant) });
  },
};

/** Routes of those who look how things go. */
export const healthRoutes: readonly Route[] = [readHealth];
