import type { Limits } from "../../base/limits.ts";
import { checkArguments } from "../../codec/check-arguments.ts";
import { malformed } from "../../codec/parse-arguments.ts";
import { codecFor, codecs } from "../../codec/codec.ts";
import type { Decoded } from "../../codec/form-codec.ts";
import { createStreamAssembler } from "../../codec/stream.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Principal, Session, TurnFacts } from "../../domain/principal.ts";
import type { Form, ToolCall } from "../../domain/tool-call.ts";
import type { Tool } from "../../domain/tool.ts";
import { ToolCallError, toolCallError } from "../../errors/tool-call-error.ts";
import { CallSet } from "../call-set.ts";
import type { Runtime } from "../runtime.ts";
import { shownTools } from "../session/shown-tools.ts";
import { noTurn } from "../state.ts";
import type { LiveSession } from "../live-session.ts";
import type { BoxSession, BoxTurn, CallRequest, Listener, TurnOptions, Delegated, DelegationOptions } from "./box-session.ts";

/** Takes one state through the journey and answers within the reply deadline. */
export type Carry = (parts: {
  readonly session: LiveSession;
  readonly turn: TurnFacts;
  readonly call: ToolCall;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((message: string) => void) | undefined;
  readonly set?: CallSet | undefined;
}) => Answer | Promise<Answer>;

/** What sessions are shown with. */
export interface SessionParts {
  readonly runtime: Runtime;
  readonly carry: Carry;
  readonly delegate: (from: LiveSession, options: DelegationOptions) => Promise<Delegated>;
}

/** A session as its users see it. */
export function boxSession({ runtime, carry, delegate }: SessionParts, live: LiveSession & { readonly session: Session }): BoxSession {
  const visibleTools = (): readonly Tool[] => shownTools(runtime, live).tools;
  return {
    id: live.id,
    get session(): Session {
      return live.session;
    },
    get principal(): Principal {
      return live.principal;
    },
    delegate: (options) => delegate(live, options),
    turn: (options) => boxTurn({ runtime, live, carry }, turnFacts(options, live, runtime.limits), options?.allOrNothing === true),
    visibleTools,
    tools: (form) => codecs[form].tools(visibleTools(), shownTools(runtime, live).nameMap(form)),
  };
}

const noListener: Listener = Object.freeze({});

/** Texts of a turn, each with the limit of its length. */
const textsOfTurn = [
  ["said", "saidCharsMax"],
  ["reasoning", "reasoningCharsMax"],
  ["id", "callIdCharsMax"],
  ["model", "callIdCharsMax"],
  ["traceId", "callIdCharsMax"],
] as const;

function turnFacts(options: TurnOptions | undefined, live: LiveSession, limits: Limits): TurnFacts {
  if (options === undefined) return noTurn;
  // What another agent was told to do are no words of the user, and must not pass for them.
  if (live.ancestorIds.length > 0 && options.said !== undefined)
    throw toolCallError("REQUEST_INVALID", "no user speaks in a delegated session, so `said` is left out; give its task as `reasoning`");
  const { id, said, reasoning, model, traceId, offered, allOrNothing } = options;
  if (allOrNothing !== undefined && typeof (allOrNothing as unknown) !== "boolean")
    throw toolCallError("REQUEST_INVALID", "`allOrNothing` of a turn must be true or false");
  for (const [name, limit] of textsOfTurn) {
    const text: unknown = options[name];
    const max = limits[limit];
    if (text !== undefined && (typeof text !== "string" || text.length > max))
      throw toolCallError("REQUEST_INVALID", `\`${name}\` of a turn must be text of at most ${max} characters`);
  }
  return { id, said, reasoning, model, traceId, offered };
}

interface TurnParts {
  readonly runtime: Runtime;
  readonly live: LiveSession;
  readonly carry: Carry;
}

function boxTurn({ runtime, live, carry }: TurnParts, turn: TurnFacts, isAllOrNothing: boolean): BoxTurn {
  const decode = (form: Form, response: unknown): Decoded =>
    readable(() => codecFor(form).decode(response, shownTools(runtime, live).nameMap(form), runtime.limits));
  function carryAll({ calls, stop }: Decoded, listener: Listener = noListener): readonly Answer[] | Promise<readonly Answer[]> {
    const isWhole = stop !== "truncated" && stop !== "refused";
    const trusted = isWhole ? calls : calls.map((call) => readOnly(runtime, call));
    // Most responses hold one call, and waiting for one needs no collecting.
    const [alone] = trusted;
    if (trusted.length === 1 && alone !== undefined) {
      const { signal, onProgress } = listener;
      const answer = carry({ session: live, turn, call: alone, signal, onProgress });
      return answer instanceof Promise ? answer.then((ended) => [ended]) : [answer];
    }
    const set = isAllOrNothing ? new CallSet(trusted.length) : undefined;
    return Promise.all(trusted.map(async (call) => await carry({ session: live, turn, call, set, ...listener })));
  }
  return {
    async answer(form, response) {
      const decoded = decode(form, response);
      const answers = carryAll(decoded);
      return codecs[form].answer(answers instanceof Promise ? await answers : answers, decoded.calls);
    },
    async answerStream(form, events) {
      const assembler = createStreamAssembler(form, shownTools(runtime, live).nameMap(form), runtime.limits);
      for await (const event of events) assembler.push(event);
      const decoded = assembler.finish();
      return codecs[form].answer(await carryAll(decoded), decoded.calls);
    },
    answers: async (form, response, listener) => await carryAll(decode(form, response), listener),
    call: async (request) => await carry({ session: live, turn, call: callOf(runtime, request), signal: request.signal }),
    run: async (call) => await carry({ session: live, turn, call }),
  };
}

/** A response is whatever the caller's program holds, getters and proxies included; their words are not ours to tell. */
function readable(read: () => Decoded): Decoded {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ToolCallError) throw cause;
    throw toolCallError("REQUEST_INVALID", "the response cannot be read; give it as plain data, as the provider sent it", { cause });
  }
}

/**
 * A response that was cut off or refused before its end is no decision of the model to act: only reads of it run, everything else is answered as
 * unfinished.
 */
function readOnly(runtime: Runtime, call: ToolCall): ToolCall {
  const found = runtime.registry.resolve(call.name, () => true);
  if (found.kind !== "found" || found.registered.tool.tier === "read" || call.arguments.kind === "malformed") return call;
  const error = toolCallError(
    "CALL_MALFORMED",
    "the response ended before it was finished, so this call was not made; make it again in a shorter response",
  );
  return { ...call, arguments: { kind: "malformed", error } };
}

/** A call that was made by name, by a program that need not be typed. */
export function callOf(runtime: Pick<Runtime, "limits" | "ids">, request: CallRequest): ToolCall {
  const { tool, callId, key } = request as { readonly [name in keyof CallRequest]: unknown };
  const isText = (callId === undefined || typeof callId === "string") && (key === undefined || typeof key === "string");
  const checked = isText ? checkArguments(request.arguments, runtime.limits) : malformed("`callId` and `key` of a call must be text");
  return {
    id: typeof callId === "string" ? callId : runtime.ids.next("req"),
    hasProviderId: typeof callId === "string",
    name: typeof tool === "string" ? tool : "",
    raw: checked.kind === "parsed" ? JSON.stringify(checked.value) : "",
    ...(checked.kind === "parsed" && { isRawWhole: true }),
    arguments: checked,
    key: typeof key === "string" ? key : undefined,
    echo: null,
  };
}
