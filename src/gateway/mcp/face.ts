/**
 * Signalbox as an MCP server, independent of the transport: one message in, at most one message out. Both eras are served: 2026-07-28, in which every
 * request stands for itself, and the revisions before, which begin with a handshake. It decides nothing about calls; it finds the session and hands over.
 */
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { BoxSession, Signalbox } from "../../call/box.ts";
import { codecs } from "../../codec/codec.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Credential } from "../../domain/principal.ts";
import { internalError } from "../../errors/tool-call-error.ts";
import { requestNames } from "../trace.ts";
import { createConversations, type Conversations, type McpUsers } from "./conversations.ts";
import { eraOf, type McpHeaders } from "./era.ts";
import { answerOwn, isOwnTool } from "./own-tools.ts";
import {
  conversationMember,
  errorMessage,
  legacyVersions,
  metaMembers,
  metaOf,
  modernVersions,
  readMessage,
  resultMessage,
  rpcCodes,
  type Inbound,
  type McpAnswer,
  type RpcId,
} from "./protocol.ts";
import { failureAnswer } from "./rpc-error.ts";
import { createToolLists, type ToolLists } from "./tool-list.ts";

/** What a face is made of. */
export interface McpFaceParts {
  readonly box: Signalbox;
  /** Who may use MCP, and for which user; a credential that is not among them is refused. */
  readonly users: McpUsers;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Version of the program. */
  readonly version: string;
  /** Told of faults of ours; the client learns only that there was one. */
  readonly onFault: (cause: unknown) => void;
}

/** Who sends a message, and by which way. */
export interface McpSender {
  readonly credential: Credential;
  /** `Mcp-Session-Id`, as sent. */
  readonly sessionId: string | undefined;
  /** The protocol's headers; undefined where the transport has none. */
  readonly headers: McpHeaders | undefined;
  readonly traceId: string;
}

/** What the transport offers while a request is worked on. */
export interface McpDelivery {
  /** Fires when the client is gone, for requests of 2026-07-28, where that is how a call is cancelled. */
  readonly gone?: AbortSignal | undefined;
  /** Sends a notification that belongs to the request; undefined where the client takes none. */
  readonly notify?: ((notification: JsonObject) => void) | undefined;
}

/** The face. */
export interface McpFace {
  handle(message: JsonObject, sender: McpSender, delivery: McpDelivery): Promise<McpAnswer>;
}

/** Makes a face over a box. */
export function createMcpFace(parts: McpFaceParts): McpFace {
  return new Face(parts);
}

type Request = Extract<Inbound, { kind: "request" }>;

/** A request on its way. */
interface Asked {
  readonly request: Request;
  readonly sender: McpSender;
  readonly delivery: McpDelivery;
  readonly isModern: boolean;
}

const instructions =
  "Calls are checked against a policy, carried out once and recorded. A call may have to wait for a person: it is answered as pending with a `callId`, which `signalbox.outcome` looks up. Do not repeat a call that waits.";

class Face implements McpFace {
  readonly #parts: McpFaceParts;
  readonly #conversations: Conversations;
  readonly #lists: ToolLists;
  /** Calls that a `notifications/cancelled` can still reach, by session and id. */
  readonly #cancellable = new Map<string, AbortController>();

  constructor(parts: McpFaceParts) {
    this.#parts = parts;
    this.#conversations = createConversations(parts);
    this.#lists = createToolLists(parts.limits);
  }

  async handle(message: JsonObject, sender: McpSender, delivery: McpDelivery): Promise<McpAnswer> {
    const inbound = readMessage(message);
    if (inbound.kind === "response") return { kind: "accepted" };
    if (inbound.kind === "invalid") return refusal(400, inbound.id, { code: rpcCodes.invalidRequest, message: inbound.problem });
    if (inbound.kind === "notification") {
      this.#note(inbound, sender);
      return { kind: "accepted" };
    }
    const era = eraOf(inbound.method, inbound.params, sender.headers);
    if (era.kind === "refused") return refusal(400, inbound.id, era);
    const asked: Asked = { request: inbound, sender, delivery, isModern: era.kind === "modern" };
    try {
      return await (asked.isModern ? this.#modern(asked) : this.#legacy(asked));
    } catch (thrown) {
      const error = internalError(thrown);
      if (error.code === "INTERNAL") this.#parts.onFault(error.cause);
      return failureAnswer(error, inbound.id, { isModern: asked.isModern, isInSession: sender.sessionId !== undefined });
    }
  }

  async #modern(asked: Asked): Promise<McpAnswer> {
    const { request } = asked;
    switch (request.method) {
      case "server/discover":
        return this.#answer(asked, {
          supportedVersions: [...modernVersions, ...legacyVersions],
          capabilities: { tools: {} },
          instructions,
          ttlMs: this.#parts.limits.mcpListTtlMs,
          cacheScope: "public",
        });
      case "tools/list":
        return this.#listTools(asked, await this.#conversation(asked));
      case "tools/call":
        return await this.#callTool(asked, await this.#conversation(asked));
      default:
        return unknownMethod(404, request);
    }
  }

  async #legacy(asked: Asked): Promise<McpAnswer> {
    const { request, sender } = asked;
    switch (request.method) {
      case "initialize":
        return await this.#initialize(request, sender.credential);
      case "ping":
        return { kind: "message", status: 200, message: resultMessage(request.id, {}) };
      case "tools/list":
        return this.#listTools(asked, await this.#conversation(asked));
      case "tools/call":
        return await this.#callTool(asked, await this.#conversation(asked));
      default:
        // Clients of these eras take a 404 for the loss of their session.
        return unknownMethod(200, request);
    }
  }

  async #initialize(request: Request, credential: Credential): Promise<McpAnswer> {
    const { protocolVersion: wanted } = request.params;
    const protocolVersion = typeof wanted === "string" && legacyVersions.includes(wanted) ? wanted : (legacyVersions[0] as string);
    const session = await this.#conversations.open(credential);
    const result = { protocolVersion, capabilities: { tools: {} }, serverInfo: this.#serverInfo(), instructions };
    return { kind: "message", status: 200, message: resultMessage(request.id, result), sessionId: session.id };
  }

  async #conversation({ request, sender, isModern }: Asked): Promise<BoxSession> {
    const { credential, sessionId } = sender;
    if (!isModern && sessionId !== undefined) return await this.#conversations.resume(credential, sessionId);
    const named = metaOf(request.params)[conversationMember];
    const isNamed = typeof named === "string" && named !== "" && named.length <= this.#parts.limits.callIdCharsMax;
    return await this.#conversations.of(credential, isNamed ? named : undefined);
  }

  #listTools(asked: Asked, session: BoxSession): McpAnswer {
    const { request, isModern } = asked;
    const page = this.#lists.page(session, request.params["cursor"]);
    if (page === undefined)
      return refusal(200, request.id, { code: rpcCodes.invalidParams, message: "no such `cursor`; list from the beginning" });
    // What one credential may see is nobody else's business.
    const caching = isModern ? { ttlMs: this.#parts.limits.mcpListTtlMs, cacheScope: "private" } : {};
    return this.#answer(asked, { ...(page as unknown as JsonObject), ...caching });
  }

  async #callTool(asked: Asked, session: BoxSession): Promise<McpAnswer> {
    const { request, sender } = asked;
    const { params } = request;
    const { name } = params;
    if (typeof name !== "string")
      return refusal(200, request.id, { code: rpcCodes.invalidParams, message: "`params.name` must be the name of a tool" });
    const { box, limits } = this.#parts;
    if (isOwnTool(name)) {
      const own = await answerOwn(name, params["arguments"], { box, session, credential: sender.credential, limits });
      return this.#answer(asked, own ?? {});
    }
    const { signal, release } = this.#cancellation(asked);
    try {
      const traceId = traceOf(params, sender.traceId);
      const answers = await session.turn({ traceId }).answers("mcp", request.message, { signal, onProgress: progressOf(asked) });
      const answered = this.#answer(asked, callResult(answers));
      return signal?.aborted === true ? { kind: "cancelled", message: answered.message } : answered;
    } finally {
      release();
    }
  }

  /** How the client takes a call back: by closing the response, or by a notification that names it. */
  #cancellation({ request, sender, delivery }: Asked): { readonly signal: AbortSignal | undefined; readonly release: () => void } {
    const scope = cancelScope(sender);
    if (delivery.gone !== undefined || scope === undefined) return { signal: delivery.gone, release: () => undefined };
    const controller = new AbortController();
    const name = requestName(scope, request.id);
    this.#cancellable.set(name, controller);
    const release = (): void => {
      if (this.#cancellable.get(name) === controller) this.#cancellable.delete(name);
    };
    return { signal: controller.signal, release };
  }

  #note(notification: Extract<Inbound, { kind: "notification" }>, sender: McpSender): void {
    const scope = cancelScope(sender);
    if (notification.method !== "notifications/cancelled" || scope === undefined) return;
    const { requestId } = notification.params;
    if (typeof requestId === "string" || typeof requestId === "number") this.#cancellable.get(requestName(scope, requestId))?.abort();
  }

  #answer({ request, isModern }: Asked, result: JsonObject): Extract<McpAnswer, { kind: "message" }> {
    const whole = isModern
      ? { ...result, resultType: "complete", _meta: { ...metaOf(result), [metaMembers.serverInfo]: this.#serverInfo() } }
      : result;
    return { kind: "message", status: 200, message: resultMessage(request.id, whole) };
  }

  #serverInfo(): JsonObject {
    return { name: "signalbox", version: this.#parts.version };
  }
}

/** Among whose requests an id is unique: without a session, ids of several clients of one credential meet, and none can be cancelled by its id. */
function cancelScope({ sessionId, headers }: McpSender): string | undefined {
  return sessionId ?? (headers === undefined ? "stdio" : undefined);
}

/** A name under which a request can be cancelled; ids `1` and `"1"` differ. */
function requestName(scope: string, id: RpcId): string {
  return `${scope}\n${typeof id}\n${id}`;
}

function callResult(answers: readonly Answer[]): JsonObject {
  const [answer] = answers as readonly [Answer];
  const [result] = codecs.mcp.answer(answers, []) as readonly [JsonObject & { readonly content: readonly JsonObject[] }];
  const { callId, outcome } = answer;
  const _meta = { ...metaOf(result), [callMember]: callId };
  if (outcome.kind !== "pending") return { ...result, _meta };
  const next = { next: { tool: "signalbox.outcome", arguments: { callId } } };
  return { ...result, content: [...result.content, { type: "text", text: JSON.stringify(next) }], _meta };
}

/** Member of `_meta` that names the call of a result, for looking it up. */
const callMember = "signalbox/call";

function progressOf({ request, delivery }: Asked): ((message: string) => void) | undefined {
  const { progressToken } = metaOf(request.params);
  const { notify } = delivery;
  if (notify === undefined || (typeof progressToken !== "string" && typeof progressToken !== "number")) return undefined;
  let progress = 0;
  return (message) => {
    progress += 1;
    notify({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress, message } });
  };
}

function traceOf(params: JsonObject, otherwise: string): string {
  const { traceparent } = metaOf(params);
  return typeof traceparent === "string" ? requestNames({ traceparent }, () => otherwise).traceId : otherwise;
}

function unknownMethod(status: number, request: Request): McpAnswer {
  const shown = request.method.slice(0, 80).replace(/[^!-~]/g, "?");
  return refusal(status, request.id, { code: rpcCodes.methodNotFound, message: `no method \`${shown}\` here` });
}

function refusal(
  status: number,
  id: RpcId | undefined,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject },
): McpAnswer {
  return { kind: "message", status, message: errorMessage(id, error) };
}
