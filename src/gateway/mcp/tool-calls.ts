/** `tools/call`: one of our own tools, a call that makes the journey, or the user's word on a call that waits for it. */
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Signalbox } from "../../call/box/box.ts";
import { codecs } from "../../codec/codec.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import { requestNames } from "../trace.ts";
import { cancelScope, type Asked } from "./asked.ts";
import type { ClientRequests } from "./client-requests.ts";
import { questionName, replyOf, showsForms, type Confirmations, type Question } from "./confirmation.ts";
import { answerOwn, isOwnTool } from "./own-tools.ts";
import { progressNotifier } from "./progress.ts";
import { isObject, metaMembers, metaOf } from "./protocol.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** What carrying calls out needs. */
export interface ToolCallParts {
  readonly box: Signalbox;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly confirmations: Confirmations;
  readonly clientRequests: ClientRequests;
}

/** In which conversation a call is made. */
export interface CallPlace {
  readonly session: BoxSession;
  /** Fires when the client takes the call back. */
  readonly signal: AbortSignal | undefined;
  /** Of the eras before: the client said at its handshake that it shows forms. Of 2026-07-28 each request says so itself. */
  readonly hasForms: boolean;
}

/** What became of it: the result of the request, or why its parameters are none. */
export type Called = { readonly kind: "result"; readonly result: JsonObject } | { readonly kind: "refused"; readonly message: string };

/** Carries calls out. */
export interface ToolCalls {
  call(asked: Asked, place: CallPlace): Promise<Called>;
}

/** Makes it. */
export function createToolCalls(parts: ToolCallParts): ToolCalls {
  return new Calls(parts);
}

class Calls implements ToolCalls {
  readonly #parts: ToolCallParts;

  constructor(parts: ToolCallParts) {
    this.#parts = parts;
  }

  async call(asked: Asked, place: CallPlace): Promise<Called> {
    const { params } = asked.request;
    const { name, inputResponses, requestState } = params;
    if (typeof name !== "string") return refused("`params.name` must be the name of a tool");
    if (asked.isModern && inputResponses !== undefined && !isObject(inputResponses)) return refused("`inputResponses` must be an object");
    if (isOwnTool(name)) return await this.#callOwn(asked, place, name);
    if (asked.isModern && requestState !== undefined) return await this.#takeReply(asked, requestState);
    const { clock, limits } = this.#parts;
    const { sender, delivery, request } = asked;
    const onProgress = progressNotifier({ token: metaOf(params)["progressToken"], notify: delivery.notify, clock, limits });
    const turn = place.session.turn({ traceId: traceOf(params, sender.traceId) });
    const [answer] = (await turn.answers("mcp", request.message, { signal: place.signal, onProgress })) as readonly [Answer];
    return await this.#confirmed(asked, place, answer);
  }

  async #callOwn({ request, sender }: Asked, { session }: CallPlace, name: string): Promise<Called> {
    const { box, limits } = this.#parts;
    const own = await answerOwn(name, request.params["arguments"], { box, session, credential: sender.credential, limits });
    return { kind: "result", result: own ?? {} };
  }

  /** A call that waits for its own user is asked about at once, where the client can do that. */
  async #confirmed(asked: Asked, place: CallPlace, answer: Answer): Promise<Called> {
    const question = this.#parts.confirmations.question(answer, asked.sender.credential);
    if (question === undefined) return completed(answer);
    if (!asked.isModern) return await this.#askInStream(asked, place, { question, answer });
    return canAsk(asked) ? this.#inputRequired(asked, question) : completed(answer);
  }

  #inputRequired({ request, sender }: Asked, question: Question): Called {
    const requestState = this.#parts.confirmations.seal(question, sender.credential, request.params);
    const inputRequests = { [questionName]: { method: "elicitation/create", params: question.form } };
    return { kind: "result", result: { resultType: "input_required", inputRequests, requestState } };
  }

  /** Of 2026-07-28: the same request again, with what the user said. What runs is the call that waits, not the one that is sent now. */
  async #takeReply(asked: Asked, state: unknown): Promise<Called> {
    const { sender, request } = asked;
    const { credential } = sender;
    const { confirmations, box } = this.#parts;
    const found = typeof state === "string" ? confirmations.open(state, credential, request.params) : undefined;
    if (found === undefined) return refused("this `requestState` was not given out for this request, or too long ago; make the call anew");
    const { inputResponses } = request.params;
    const reply = isObject(inputResponses) ? replyOf(inputResponses[questionName]) : undefined;
    if (reply !== undefined) return completed(await confirmations.pass(found, reply, credential));
    const answer = await box.outcome(found.callId, credential);
    const question = confirmations.question(answer, credential);
    return question !== undefined && canAsk(asked) ? this.#inputRequired(asked, question) : completed(answer);
  }

  /** Of the eras before: a request of ours in the stream of theirs. */
  async #askInStream(
    { sender, delivery }: Asked,
    { signal, hasForms }: CallPlace,
    { question, answer }: { readonly question: Question; readonly answer: Answer },
  ): Promise<Called> {
    const scope = cancelScope(sender);
    if (!hasForms || delivery.notify === undefined || scope === undefined) return completed(answer);
    const { confirmations, clientRequests, limits } = this.#parts;
    const result = await clientRequests.ask({
      scope,
      method: "elicitation/create",
      params: question.form,
      send: delivery.notify,
      waitMs: limits.mcpConfirmWaitMs,
      signal,
    });
    const reply = replyOf(result);
    return completed(reply === undefined ? answer : await confirmations.pass(question, reply, sender.credential));
  }
}

/** Whether this very request says that its client shows forms. */
function canAsk({ request }: Asked): boolean {
  return showsForms(metaOf(request.params)[metaMembers.clientCapabilities]);
}

function refused(message: string): Called {
  return { kind: "refused", message };
}

function completed(answer: Answer): Called {
  const [result] = codecs.mcp.answer([answer], []) as readonly [JsonObject & { readonly content: readonly JsonObject[] }];
  const { callId, outcome } = answer;
  const _meta = { ...metaOf(result), [callMember]: callId };
  if (outcome.kind !== "pending") return { kind: "result", result: { ...result, _meta } };
  const next = { next: { tool: "signalbox.outcome", arguments: { callId } } };
  return { kind: "result", result: { ...result, content: [...result.content, { type: "text", text: JSON.stringify(next) }], _meta } };
}

/** Member of `_meta` that names the call of a result, for looking it up. */
const callMember = "signalbox/call";

function traceOf(params: JsonObject, otherwise: string): string {
  const { traceparent } = metaOf(params);
  return typeof traceparent === "string" ? requestNames({ traceparent }, () => otherwise).traceId : otherwise;
}
