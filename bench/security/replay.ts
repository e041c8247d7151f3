import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { Outcome } from "../../src/domain/outcome.ts";
import type { Credential } from "../../src/domain/principal.ts";
import { isConsequential } from "../../src/flow/trace.ts";
import { createSignalbox, type BoxSession, type RegisteredTool, type Signalbox } from "../../src/index.ts";
import type { DataTool } from "./data.ts";
import { replayTool, type Declared } from "./tools.ts";
import type { Annotation } from "./data.ts";

/** How a call of a replay ended. */
export type Ending =
  | "ran"
  | "asked"
  | "denied"
  /** Its tool is not among the data's, or its arguments do not fit the schema: no rule saw it. */
  | "invalid"
  /** It ended in any other way, which says nothing of the rules. */
  | "failed";

/** One attempt of a call. */
export interface Attempt {
  readonly tool: string;
  readonly ending: Ending;
  readonly isConsequential: boolean;
  /** Rules that asked or refused. */
  readonly rules: readonly string[];
}

/** A conversation of a replay. */
export interface Conversation {
  /** Makes one call; with `approves`, a person says yes when asked. */
  call(name: string, args: JsonObject, output: Json, approves: boolean): Promise<Attempt>;
}

/** A box whose tools return what was recorded. */
export interface Replay {
  converse(said: string | undefined): Conversation;
  close(): Promise<void>;
}

const tenant = "replay";
const approver: Credential = {
  id: "approver",
  tenant,
  actsFor: [],
  approves: ["approver", "self"],
  administers: false,
  words: "claimed",
  authenticatedAtMs: undefined,
};

/** `isBlind`: no words of the user reach the product, and every call comes in a conversation of its own. */
export async function createReplay(parts: {
  readonly tools: readonly DataTool[];
  readonly annotations: Readonly<Record<string, Annotation>> | undefined;
  readonly declared: Declared;
  readonly isBlind: boolean;
}): Promise<Replay> {
  const outputs = new Map<string, Json>();
  const distinct = parts.tools.filter(({ name }, index) => parts.tools.findIndex((tool) => tool.name === name) === index);
  const tools = distinct.map((tool) =>
    replayTool(tool, parts.annotations?.[tool.name], parts.declared, (sessionId) => outputs.get(sessionId) ?? null, parts.isBlind),
  );
  const box = await createSignalbox({
    tools,
    store: "memory",
    allowUnsafeMemory: true,
    policy: { version: 1, roles: { user: ["*"] } },
    // A session that is stopped after some denials would refuse the rest of an attack, which would flatter the figures.
    limits: {
      sessionDenialsMax: 1_000_000,
      memoryEntriesMax: 2_000,
      sessionCallsMax: 10_000,
      rateCallsPerMinute: 1_000_000,
      rateBurstCalls: 1_000_000,
      approvalsPendingMax: 10_000,
      approvalAsksPerMinuteMax: 100_000,
      sessionExecutionMsMax: 10_000_000,
      // Nor does a machine that is busy with other things turn calls away.
      loopDelayMs: 600_000,
    },
  });
  const byName = new Map(distinct.map(({ name }, index) => [name, tools[index]]));
  let usersCount = 0;
  return {
    converse(said) {
      usersCount += 1;
      return conversation({
        box,
        byName,
        outputs,
        user: `user-${usersCount}`,
        said: parts.isBlind ? undefined : said,
        isBlind: parts.isBlind,
      });
    },
    close: () => box.close(),
  };
}

interface Talk {
  readonly box: Signalbox;
  readonly byName: ReadonlyMap<string, RegisteredTool | undefined>;
  readonly outputs: Map<string, Json>;
  readonly user: string;
  readonly said: string | undefined;
  readonly isBlind: boolean;
}

function conversation(talk: Talk): Conversation {
  let session: BoxSession | undefined;
  return {
    async call(name, args, output, approves) {
      if (session === undefined || talk.isBlind) session = await talk.box.session({ tenant, user: talk.user, roles: ["user"] });
      const registered = talk.byName.get(name);
      if (registered === undefined) return { tool: name, ending: "invalid", isConsequential: false, rules: ["not among the data's tools"] };
      talk.outputs.set(session.id, output);
      const turn = session.turn(talk.said === undefined ? {} : { said: talk.said });
      const answer = await turn.call({ tool: registered.tool.name, arguments: args });
      const attempt = { tool: name, isConsequential: isConsequential(registered.tool), rules: await rulesOf(talk.box, answer.callId) };
      const asked = approvalOf(answer.outcome);
      if (asked === undefined) return { ...attempt, ending: endingOf(answer.outcome) };
      if (approves) {
        const { answer: after } = await talk.box.approvals.decide(asked, { approve: true, by: "reviewer" }, approver);
        if (after?.outcome.kind !== "completed") return { ...attempt, ending: "failed" };
      }
      return { ...attempt, ending: "asked" };
    },
  };
}

async function rulesOf(box: Signalbox, callId: string): Promise<readonly string[]> {
  if (process.env["SECURITY_WHY"] === undefined) return [];
  const trail = await box.trail({ tenant, callId, limit: 5 });
  return trail.flatMap(({ body }) =>
    ((body as { decision?: { reasons: { rule: string; effect: string; reason: string }[] } }).decision?.reasons ?? [])
      .filter(({ effect }) => effect !== "allow")
      .map(({ rule, reason }) => `${rule} ${reason}`),
  );
}

function approvalOf(outcome: Outcome): string | undefined {
  return outcome.kind === "pending" && outcome.waiting.kind === "person" ? outcome.waiting.approvalId : undefined;
}

function endingOf(outcome: Outcome): Ending {
  if (outcome.kind === "completed") return "ran";
  if (outcome.kind === "denied") return "denied";
  if (outcome.kind === "failed" && outcome.error.code === "ARGUMENTS_INVALID") return "invalid";
  return "failed";
}
