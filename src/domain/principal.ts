import type { Json } from "./json.ts";

/** On whose behalf a call is made. */
export interface Principal {
  /** `""` is never a tenant. */
  readonly tenant: string;
  readonly user: string;
  readonly roles: readonly string[];
  /** What policy may ask about the user, such as `region`. */
  readonly attributes: Readonly<Record<string, Json>>;
}

/** What a caller proved to hold. No credential both calls and approves. */
export interface Credential {
  readonly id: string;
  readonly tenant: string;
  /** Roles that it may act for; `["*"]` for every role of the policy. */
  readonly actsFor: readonly string[];
  /** Approver groups that it may answer for; empty for a credential that calls. */
  readonly approves: readonly string[];
  /** May change the installation (policy, sessions of others, ledger export). */
  readonly administers: boolean;
  /** Whether what it says of the user's words is believed. */
  readonly words: "attested" | "claimed";
  /** When the person behind it last proved who they are, for privileged approvals; wall ms. */
  readonly authenticatedAtMs: number | undefined;
  /** The person behind a credential that approves: the user whose own calls it confirms, with the roles that let it change arguments. Absent: nobody known. */
  readonly person?: Pick<Principal, "user" | "roles" | "attributes"> | undefined;
  /** The one session, with those below it, that it may use: what a delegated session's token proves. Absent: every session that the credential opened. */
  readonly sessionId?: string | undefined;
}

/** One conversation of one principal, under a handle that we minted. */
export interface Session {
  readonly id: string;
  readonly principal: Principal;
  readonly credentialId: string;
  readonly wordsAttested: boolean;
  readonly conversationId: string | undefined;
  readonly createdAtMs: number;
  /** The session that it was delegated from; undefined for one that a user opened. */
  readonly parentSessionId: string | undefined;
  /** Wall time at which a delegated session ends. */
  readonly expiresAtMs: number | undefined;
  readonly stopped: { readonly reason: string; readonly atMs: number } | undefined;
}

/** One turn of a session: what the user said, and whatever the caller wants to have beside it in the ledger. */
export interface TurnFacts {
  readonly id: string | undefined;
  readonly said: string | undefined;
  /** The model's stated reasoning, as supplied. */
  readonly reasoning: string | undefined;
  /** The exact model id, as supplied. */
  readonly model: string | undefined;
  readonly traceId: string | undefined;
  /** Names of the tools the model was offered; calls for others are refused. Undefined: all that are visible. */
  readonly offered: readonly string[] | undefined;
}
