import type { StreamForm } from "../../codec/stream.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import type { Credential, Principal, Session } from "../../domain/principal.ts";
import type { Form, ToolCall } from "../../domain/tool-call.ts";
import type { Tool } from "../../domain/tool.ts";

export interface SessionOptions {
  readonly tenant: string;
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes?: Readonly<Record<string, Json>>;
  readonly conversationId?: string;
  /** The person whom this conversation's private values are about; their data can be erased on its own. Default: the tenant's key seals them. */
  readonly dataSubject?: string;
  /** Default: the library's own credential, which acts for any role and whose words are attested. */
  readonly credential?: Credential;
}

/** One conversation. */
export interface BoxSession {
  readonly id: string;
  readonly session: Session;
  readonly principal: Principal;
  /**
   * Hands a part of what this session may do to another agent, as a session below it for the same user. Never more than this one has, whatever is asked for;
   * what is taken from this one is taken from it as well, at its next gate. Throws `REQUEST_INVALID`, `PERMISSION_DENIED`, `SESSION_STOPPED`.
   */
  delegate(options: DelegationOptions): Promise<Delegated>;
  /** A turn. Throws `REQUEST_INVALID` for words beyond `saidCharsMax`, reasoning beyond `reasoningCharsMax`, ids beyond `callIdCharsMax`. */
  turn(facts?: TurnOptions): BoxTurn;
  /** Tools that this principal may call, newest version of each. */
  visibleTools(): readonly Tool[];
  /** The same in a provider's form, ready to send. */
  tools(form: Form): readonly JsonObject[];
}

export interface TurnOptions {
  readonly id?: string;
  /** The user's own words of this turn. */
  readonly said?: string;
  readonly reasoning?: string;
  readonly model?: string;
  readonly traceId?: string;
  readonly offered?: readonly string[];
  /**
   * The calls of a response are authorised as a set before the first of them runs: where one is refused, would have to wait for a person, or they
   * would together break a rule or a budget, none runs, and each other is answered with `SET_REFUSED`. Default false: each stands alone.
   */
  readonly allOrNothing?: boolean;
}

/** One turn: the calls of one model response. */
export interface BoxTurn {
  /** Carries out every call of a provider's response, concurrently, and answers in that provider's form, in the order of the request. Never throws for a tool. */
  answer(form: Form, response: unknown): Promise<readonly JsonObject[]>;
  /** The same for a response that streams: events as the provider sends them, already parsed. Nothing runs before the stream has ended validly. */
  answerStream(form: StreamForm, events: AsyncIterable<unknown> | Iterable<unknown>): Promise<readonly JsonObject[]>;
  /** The same, with the outcomes themselves. */
  answers(form: Form, response: unknown, listener?: Listener): Promise<readonly Answer[]>;
  /** One call by name. */
  call(request: CallRequest): Promise<Answer>;
  /** One call already decoded. */
  run(call: ToolCall): Promise<Answer>;
}

/** Who waits for calls while they run. */
export interface Listener {
  /** Fires when nobody waits any more: what has not been sent is not sent. */
  readonly signal?: AbortSignal | undefined;
  /** Told of progress messages of tools, redacted, at most `progressMessagesMax` an attempt. They are as untrusted as results. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

export interface CallRequest {
  readonly tool: string;
  readonly arguments: Json;
  /** Idempotency key; default (session, turn, call id) where both are given, else one per delivery. */
  readonly key?: string;
  readonly callId?: string;
  readonly signal?: AbortSignal;
}

/** A delegated session. */
export interface Delegated {
  readonly session: BoxSession;
  /** Proves over HTTP the right to this session and those below it, and to nothing else. It is shown once; only its hash is kept. */
  readonly token: string;
}

/** What a session hands to another agent. */
export interface DelegationOptions {
  /** Globs over the tools that it may call, of those that this session may call. 1 to `delegatedGlobsMax`. */
  readonly tools: readonly string[];
  /** Default: the roles that this session has. */
  readonly roles?: readonly string[];
  /** Its own limits. Whatever it uses counts in the budget of this session too. Default: nothing of its own. */
  readonly budget?: { readonly calls?: number; readonly usd?: number };
  /** From 1 to `delegationMsMax`; never longer than this session's own end. */
  readonly expiresInMs: number;
  /** The call of this session that the work belongs to, for the ledger. */
  readonly callId?: string;
  /** Yours, for the ledger; such as the other agent's name. Default: that of this session. */
  readonly conversationId?: string;
}
