/**
 * Signalbox as an MCP server, independent of the transport: one message in, at most one message out. Both eras are served: 2026-07-28, in which every
 * request stands for itself, and the revisions before, which begin with a handshake. It decides nothing about calls; it finds the session and hands over.
 */
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Signalbox } from "../../call/box/box.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Credential } from "../../domain/principal.ts";
import { internalError, toolCallError } from "../../errors/tool-call-error.ts";
import { answered, cancelScope, refusal, type Asked, type McpDelivery, type McpRequest, type McpSender } from "./asked.ts";
import { createClientRequests, type ClientRequests } from "./client-requests.ts";
import { createConfirmations, showsForms } from "./confirmation.ts";
import { createConversations, type Conversations, type McpUsers } from "./conversations.ts";
import { eraOf } from "./era.ts";
import { createListWatch, type ListWatch } from "./list-watch.ts";
import {
  conversationMember,
  legacyVersions,
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
import { createSubscriptions, type Subscriptions } from "./subscriptions.ts";
import { createToolCalls, type ToolCalls } from "./tool-calls.ts";
import { createToolLists, type ToolLists } from "./tool-list.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** What a face is made of. */
export interface McpFaceParts {
  readonly box: Signalbox;
  /** Who may use MCP, and for which user; a credential that is not among them is refused. */
  readonly users: McpUsers;
  /** Key of the seal on what clients hand back: the same on every replica. */
  readonly stateKey: Uint8Array;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Version of the program. */
  readonly version: string;
  /** Told of faults of ours; the client learns only that there was one. */
  readonly onFault: (cause: unknown) => void;
}

/** The face. */
export interface McpFace {
  handle(message: JsonObject, sender: McpSender, delivery: McpDelivery): Promise<McpAnswer>;
  /** Sends `notifications/tools/list_changed` of the eras before until it is stopped; for transports that can say something unasked. */
  announceLists(credential: Credential, sessionId: string, send: (message: JsonObject) => void): Promise<() => void>;
  /** Ends the streams that would never end by themselves. Calls go on. */
  close(): void;
}

/** Makes a face over a box. */
export function createMcpFace(parts: McpFaceParts): McpFace {
  return new Face(parts);
}

const instructions =
  "Calls are checked against a policy, carried out once and recorded. A call may have to wait for a person: it is answered as pending with a `callId`, which `signalbox.outcome` looks up. Do not repeat a call that waits.";

const firstWithForms = "2025-06-18";

class Face implements McpFace {
  readonly #parts: McpFaceParts;
  readonly #conversations: Conversations;
  readonly #lists: ToolLists;
  readonly #watch: ListWatch;
  readonly #subscriptions: Subscriptions;
  readonly #clientRequests: ClientRequests;
  readonly #calls: ToolCalls;
  /** Requests that a `notifications/cancelled` can still reach, by session and id. */
  readonly #cancellable = new Map<string, AbortController>();
  /** Sessions of the eras before whose clients show forms. What was forgotten is answered as pending. */
  readonly #withForms = new Set<string>();

  constructor(parts: McpFaceParts) {
    this.#parts = parts;
    this.#conversations = createConversations(parts);
    this.#lists = createToolLists(parts.limits);
    this.#watch = createListWatch(parts);
    this.#subscriptions = createSubscriptions(this.#watch, parts.limits);
    this.#clientRequests = createClientRequests(parts.clock);
    this.#calls = createToolCalls({ ...parts, confirmations: createConfirmations(parts), clientRequests: this.#clientRequests });
  }

  async handle(message: JsonObject, sender: McpSender, delivery: McpDelivery): Promise<McpAnswer> {
    const inbound = readMessage(message);
    if (inbound.kind === "response") {
      const scope = cancelScope(sender);
      if (scope !== undefined) this.#clientRequests.take(scope, inbound.id, inbound.result);
      return { kind: "accepted" };
    }
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

  async announceLists(credential: Credential, sessionId: string, send: (message: JsonObject) => void): Promise<() => void> {
    const session = await this.#conversations.resume(credential, sessionId);
    return this.#watch.add(session, () => send({ jsonrpc: "2.0", method: "notifications/tools/list_changed" }));
  }

  close(): void {
    this.#subscriptions.close();
  }

  async #modern(asked: Asked): Promise<McpAnswer> {
    const { request } = asked;
    switch (request.method) {
      case "server/discover":
        return this.#answer(asked, {
          supportedVersions: [...modernVersions, ...legacyVersions],
          capabilities: { tools: { listChanged: true } },
          instructions,
          ttlMs: this.#parts.limits.mcpListTtlMs,
          cacheScope: "public",
        });
      case "tools/list":
        return this.#listTools(asked, await this.#conversation(asked));
      case "tools/call":
        return await this.#callTool(asked, await this.#conversation(asked));
      case "subscriptions/listen":
        return await this.#listen(asked, await this.#conversation(asked));
      default:
        return unknownMethod(404, request);
    }
  }

  async #legacy(asked: Asked): Promise<McpAnswer> {
    const { request } = asked;
    switch (request.method) {
      case "initialize":
        return await this.#initialize(asked);
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

  async #initialize({ request, sender }: Asked): Promise<McpAnswer> {
    const { protocolVersion: wanted, capabilities } = request.params;
    const protocolVersion = typeof wanted === "string" && legacyVersions.includes(wanted) ? wanted : (legacyVersions[0] as string);
    const session = await this.#conversations.open(sender.credential);
    if (protocolVersion >= firstWithForms && showsForms(capabilities)) this.#rememberForms(session.id);
    // Over HTTP nothing can be said unasked: there is no stream to open.
    const tools = sender.headers === undefined ? { listChanged: true } : {};
    const result = { protocolVersion, capabilities: { tools }, serverInfo: this.#serverInfo(), instructions };
    return { kind: "message", status: 200, message: resultMessage(request.id, result), sessionId: session.id };
  }

  #rememberForms(sessionId: string): void {
    if (this.#withForms.size >= this.#parts.limits.sessionsLiveMax) this.#withForms.delete(this.#withForms.values().next().value as string);
    this.#withForms.add(sessionId);
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
    const { signal, release } = this.#cancellation(asked);
    try {
      const hasForms = !asked.isModern && this.#withForms.has(session.id);
      const called = await this.#calls.call(asked, { session, signal, hasForms });
      if (called.kind === "refused") return refusal(200, asked.request.id, { code: rpcCodes.invalidParams, message: called.message });
      const answer = this.#answer(asked, called.result);
      return signal?.aborted === true ? { kind: "cancelled", message: answer.message } : answer;
    } finally {
      release();
    }
  }

  async #listen(asked: Asked, session: BoxSession): Promise<McpAnswer> {
    const { request, sender, delivery } = asked;
    const { notify } = delivery;
    if (notify === undefined)
      return refusal(400, request.id, { code: rpcCodes.invalidRequest, message: "notifications need `accept: text/event-stream`" });
    const { signal, release } = this.#cancellation(asked);
    const ends = [signal, delivery.ended];
    const filter = request.params["notifications"];
    try {
      const listening = this.#subscriptions.listen({
        id: request.id,
        credentialId: sender.credential.id,
        session,
        filter,
        notify,
        ends,
      });
      if (listening === undefined) {
        const message = `${this.#parts.limits.mcpSubscriptionsMax} streams of this credential are open already; close one`;
        throw toolCallError("RATE_LIMITED", message, { retryAfterMs: fixedBounds.comeBackLaterMs });
      }
      const answer = this.#answer(asked, await listening);
      return signal?.aborted === true ? { kind: "cancelled", message: answer.message } : answer;
    } finally {
      release();
    }
  }

  /** How the client takes a request back: by closing the response, or by a notification that names it. */
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

  #answer(asked: Asked, result: JsonObject): Extract<McpAnswer, { kind: "message" }> {
    return answered(asked, result, this.#serverInfo());
  }

  #serverInfo(): JsonObject {
    return { name: "signalbox", version: this.#parts.version };
  }
}

/** A name under which a request can be cancelled; ids `1` and `"1"` differ. */
function requestName(scope: string, id: RpcId): string {
  return `${scope}\n${typeof id}\n${id}`;
}

function unknownMethod(status: number, request: McpRequest): McpAnswer {
  const shown = request.method.slice(0, 80).replace(/[^!-~]/g, "?");
  return refusal(status, request.id, { code: rpcCodes.methodNotFound, message: `no method \`${shown}\` here` });
}
