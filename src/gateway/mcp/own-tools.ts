/**
 * Tools of our own, since a client of this protocol has nothing but tools: what became of a call that waited or was still running, the rest of a result that
 * was cut, and a plan for people to approve. They make no call, reach no connector and grant nothing; who may read is judged again.
 */
import type { Signalbox } from "../../call/box/box.ts";
import { codecs } from "../../codec/codec.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { PlanProposal } from "../../domain/plan.ts";
import type { Credential } from "../../domain/principal.ts";
import { ToolCallError, toolCallError } from "../../errors/tool-call-error.ts";
import { errorBody } from "../../errors/wire.ts";
import type { Limits } from "../../base/limits.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** A tool that the face itself answers. */
export interface OwnTool {
  /** As `tools/list` shows it. */
  readonly definition: JsonObject;
  readonly answer: (args: JsonObject, asked: OwnToolParts) => Promise<JsonObject>;
}

/** With what it answers. */
export interface OwnToolParts {
  readonly box: Pick<Signalbox, "outcome" | "readHandle" | "plans">;
  readonly session: BoxSession;
  readonly credential: Credential;
  readonly limits: Limits;
}

const annotations: JsonObject = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

const outcome: OwnTool = {
  definition: {
    name: "signalbox.outcome",
    description:
      "Look up what became of an earlier call that was answered as pending: still waiting for a person, still running, or its result. Ask when the user says that it was approved, not in a loop.",
    inputSchema: {
      type: "object",
      properties: { callId: { type: "string", description: "The `callId` of the pending answer." } },
      required: ["callId"],
      additionalProperties: false,
    },
    annotations,
  },
  async answer(args, { box, credential, session }) {
    // The call may be an earlier session's: what its result restricts, it restricts here from now on.
    const answer = await box.outcome(textOf(args, "callId"), credential, session);
    return codecs.mcp.answer([answer], [])[0] ?? {};
  },
};

const read: OwnTool = {
  definition: {
    name: "signalbox.read",
    description: "Read the rest of a result that was cut, by the handle that stands in it, page by page.",
    inputSchema: {
      type: "object",
      properties: {
        handle: { type: "string", description: "The handle of the cut result." },
        offset: { type: "integer", minimum: 0, description: "First character. Default 0." },
      },
      required: ["handle"],
      additionalProperties: false,
    },
    annotations,
  },
  async answer(args, { box, session, limits }) {
    const { offset = 0 } = args;
    if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0)
      throw toolCallError("ARGUMENTS_INVALID", "`offset` must be a whole number of at least 0");
    const page = await box.readHandle(textOf(args, "handle"), session, { offset, limit: limits.handlePageCharsMax });
    const { text, ...place } = page;
    // What a tool said stands in a block of its own; ours says where one is.
    return {
      content: [
        { type: "text", text },
        { type: "text", text: JSON.stringify({ page: place }) },
      ],
    };
  },
};

const plan: OwnTool = {
  definition: {
    name: "signalbox.plan",
    description:
      "Propose several calls for a person to approve before you make them. It grants nothing by itself; once a person approved it, calls that fit a step need no further question.",
    inputSchema: {
      type: "object",
      properties: {
        goal: { type: "string", description: "What it is for, in words for that person." },
        steps: {
          type: "array",
          minItems: 1,
          items: {
            type: "object",
            properties: {
              tool: { type: "string" },
              arguments: {
                type: "object",
                description:
                  'Every argument by name: {"is": value}, {"oneOf": [values]}, {"atMost": number} or {"any": true}. Name exactly what you can.',
              },
              callsMax: { type: "integer", minimum: 1, description: "Default 1." },
              total: { type: "object", description: '{"argument": name, "max": number}: the sum of one argument over all calls.' },
            },
            required: ["tool", "arguments"],
          },
        },
      },
      required: ["goal", "steps"],
      additionalProperties: false,
    },
    annotations: { ...annotations, readOnlyHint: false, idempotentHint: false },
  },
  async answer(args, { box, session }) {
    const { id, state, expiresAtMs } = await box.plans.propose(args as unknown as PlanProposal, session);
    const message = "not approved yet: tell the user that a person has to approve this plan, and make its calls when they say that it was";
    return { content: [{ type: "text", text: JSON.stringify({ plan: { id, state, expiresAtMs }, message }) }] };
  },
};

/** All of them. */
export const ownTools: readonly OwnTool[] = [outcome, plan, read];

const byName = new Map(ownTools.map((tool) => [tool.definition["name"], tool]));

/** The result of one of our own tools, errors included; undefined for any other name. */
export async function answerOwn(name: unknown, args: unknown, asked: OwnToolParts): Promise<JsonObject | undefined> {
  const tool = byName.get(name as string);
  if (tool === undefined) return undefined;
  try {
    const given = args ?? {};
    if (typeof given !== "object" || Array.isArray(given)) throw toolCallError("ARGUMENTS_INVALID", "the arguments must be an object");
    return await tool.answer(given as JsonObject, asked);
  } catch (thrown) {
    if (!(thrown instanceof ToolCallError)) throw thrown;
    return { content: [{ type: "text", text: JSON.stringify(errorBody(thrown)) }], isError: true };
  }
}

/** Whether a name is one of our own tools'. */
export function isOwnTool(name: unknown): boolean {
  return byName.has(name as string);
}

function textOf(args: JsonObject, name: string): string {
  const value = args[name];
  if (typeof value !== "string" || value === "") throw toolCallError("ARGUMENTS_INVALID", `\`${name}\` must be a text`);
  return value;
}
