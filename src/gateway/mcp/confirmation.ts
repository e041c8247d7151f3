/**
 * Confirmation by the user, asked as a form of the client's own. A client that was declared interactive shows the form to its user and not to its model;
 * whoever declares that vouches for it. Only a call whose policy says `confirm: self` is asked about like this: an approval by another person never is.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { canonicalJson } from "../../base/canonical-json.ts";
import type { Clock } from "../../base/clock.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Limits } from "../../base/limits.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { Signalbox } from "../../call/box/box.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Credential } from "../../domain/principal.ts";
import { ToolCallError } from "../../errors/tool-call-error.ts";
import { confirmationGroup } from "../../policy/document.ts";
import type { McpUser, McpUsers } from "./conversations.ts";
import { isObject } from "./protocol.ts";

/** A question to the user about one call. */
export interface Question {
  readonly approvalId: string;
  readonly callId: string;
  /** Parameters of `elicitation/create`. */
  readonly form: JsonObject;
}

/** What the user said to it: `later` leaves the call waiting. */
export type UserReply = "yes" | "no" | "later";

/** Asks users about their own calls. */
export interface Confirmations {
  /** What to ask the user; undefined where the call waits for nobody, for another person, or the client is not declared interactive. */
  question(answer: Answer, credential: Credential): Question | undefined;
  /** A state that only this credential can hand back, with the same call, within `mcpStateMs`. */
  seal(question: Question, credential: Credential, parameters: JsonObject): string;
  /** The question behind a state; undefined for one that was not given out for this call and credential, or too long ago. */
  open(state: string, credential: Credential, parameters: JsonObject): Pick<Question, "approvalId" | "callId"> | undefined;
  /** How the call stands after the user's word, which counts once. */
  pass(question: Pick<Question, "approvalId" | "callId">, reply: UserReply, credential: Credential): Promise<Answer>;
}

/** What asking needs. */
export interface ConfirmationParts {
  readonly box: Pick<Signalbox, "approvals" | "outcome">;
  readonly users: McpUsers;
  /** Key of the seal: the same on every replica. */
  readonly stateKey: Uint8Array;
  readonly clock: Clock;
  readonly limits: Limits;
}

/** Makes it. */
export function createConfirmations(parts: ConfirmationParts): Confirmations {
  const { box, users, clock, limits } = parts;
  // The client of another agent shows its forms to nobody who could speak for the user.
  const interactiveUser = (credential: Credential): McpUser | undefined => {
    const user = credential.sessionId === undefined ? users.get(credential.id) : undefined;
    return user?.isInteractive === true ? user : undefined;
  };
  const macOf = (payload: string): Buffer => createHmac("sha256", parts.stateKey).update(payload).digest();
  return {
    question({ callId, outcome }, credential) {
      if (outcome.kind !== "pending" || outcome.waiting.kind !== "person" || outcome.waiting.gate !== "confirmation") return undefined;
      if (interactiveUser(credential) === undefined) return undefined;
      return { approvalId: outcome.waiting.approvalId, callId, form: formOf(outcome.waiting.summary) };
    },
    seal({ approvalId, callId }, credential, parameters) {
      const untilMs = clock.now() + limits.mcpStateMs;
      const payload = base64url(JSON.stringify([approvalId, callId, untilMs, boundTo(credential, parameters)]));
      return `${payload}.${macOf(payload).toString("base64url")}`;
    },
    open(state, credential, parameters) {
      const [payload = "", mac = ""] = state.split(".", 2);
      const [given, wanted] = [Buffer.from(mac, "base64url"), macOf(payload)];
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
      // Ours, since nobody else could seal it.
      const read = parseOwnJson(Buffer.from(payload, "base64url").toString("utf8")) as readonly [string, string, number, string];
      const [approvalId, callId, untilMs, bound] = read;
      return clock.now() < untilMs && bound === boundTo(credential, parameters) ? { approvalId, callId } : undefined;
    },
    async pass({ approvalId, callId }, reply, credential) {
      const user = interactiveUser(credential);
      if (reply === "later" || user === undefined) return await box.outcome(callId, credential);
      try {
        const decision = { approve: reply === "yes", by: user.user };
        const { answer } = await box.approvals.decide(approvalId, decision, userCredential(credential));
        if (answer !== undefined) return answer;
      } catch (thrown) {
        // Answered before, expired or void: where the call stands says which.
        if (!(thrown instanceof ToolCallError) || thrown.code !== "APPROVAL_INVALID") throw thrown;
      }
      return await box.outcome(callId, credential);
    },
  };
}

/** Name of the question among the inputs that are asked for. */
export const questionName = "confirm";

function formOf(summary: string): JsonObject {
  return {
    message: `${summary}. This has not been done yet: shall it happen?`,
    requestedSchema: {
      type: "object",
      properties: { ok: { type: "boolean", title: "Yes, do exactly this", default: false } },
      required: ["ok"],
    },
  };
}

/** What the user said, from the result of an `elicitation/create`; undefined for what is none. */
export function replyOf(result: Json | undefined): UserReply | undefined {
  if (!isObject(result)) return undefined;
  const { action, content } = result;
  if (action === "cancel") return "later";
  if (action === "decline") return "no";
  if (action !== "accept" || !isObject(content) || typeof content["ok"] !== "boolean") return undefined;
  return content["ok"] ? "yes" : "no";
}

/** Whether a client's capabilities say that it shows forms. Without a mode it is forms that are meant. */
export function showsForms(capabilities: Json | undefined): boolean {
  const elicitation = isObject(capabilities) ? capabilities["elicitation"] : undefined;
  return isObject(elicitation) && (isObject(elicitation["form"]) || Object.keys(elicitation).length === 0);
}

/** The user's word through the client: a credential of its own, since the one that calls may not answer. It can do nothing else. */
function userCredential({ id, tenant }: Credential): Credential {
  return {
    id: `${id}/elicitation`,
    tenant,
    actsFor: [],
    approves: [confirmationGroup],
    administers: false,
    words: "claimed",
    authenticatedAtMs: undefined,
  };
}

/** What a state stands for: the credential, and the call as it was sent. */
function boundTo(credential: Credential, { name, arguments: args }: JsonObject): string {
  return sha256Hex(canonicalJson([credential.tenant, credential.id, name ?? null, args ?? null]));
}

function base64url(text: string): string {
  return Buffer.from(text, "utf8").toString("base64url");
}
