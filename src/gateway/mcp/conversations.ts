import type { Clock } from "../../base/clock.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Limits } from "../../base/limits.ts";
import type { Signalbox } from "../../call/box/box.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { RowKey } from "../../store/store.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** For whom the calls of one credential are made: an MCP client names no user. */
export interface McpUser {
  readonly user: string;
  readonly roles: readonly string[];
  /** The client shows forms to this user and to nobody else. Default false. */
  readonly isInteractive?: boolean;
}

/** Users by the id of the credential. */
export type McpUsers = ReadonlyMap<string, McpUser>;

/** Finds the session that a request belongs to. */
export interface Conversations {
  /** Opens one for a client that shakes hands; its id is the `Mcp-Session-Id`. */
  open(credential: Credential): Promise<BoxSession>;
  /** The session behind an `Mcp-Session-Id`; `SESSION_UNKNOWN` where it is not of this credential and user. */
  resume(credential: Credential, sessionId: string): Promise<BoxSession>;
  /** The session of a conversation that the client names, or the ambient one of the credential. The same one after a restart. */
  of(credential: Credential, conversation: string | undefined): Promise<BoxSession>;
}

/** What conversations are found with. */
export interface ConversationParts {
  readonly box: Pick<Signalbox, "session" | "resume" | "store">;
  readonly users: McpUsers;
  readonly clock: Clock;
  readonly limits: Limits;
}

const space = "mcp-session";

/**
 * Sessions of MCP clients. Which session a conversation has stands in the store, so that neither a restart nor another replica gives it a new budget.
 * The ambient session of a credential, for clients that name no conversation, is replaced every `ambientSessionMs`: its budget and its count of denials
 * would otherwise end the credential's use for ever, and a new one on demand would make them worth nothing.
 */
export function createConversations(parts: ConversationParts): Conversations {
  const { box, clock, limits } = parts;
  const remember = createMemory(limits.sessionsLiveMax);

  const userOf = (credential: Credential): McpUser => {
    const user = parts.users.get(credential.id);
    if (user === undefined)
      throw toolCallError(
        "PERMISSION_DENIED",
        `no user is configured for the credential \`${credential.id}\`; its operator must add it under \`mcp.credentials\``,
      );
    return user;
  };

  async function open(credential: Credential, conversationId?: string): Promise<BoxSession> {
    const { user, roles } = userOf(credential);
    const named = conversationId === undefined ? {} : { conversationId };
    return await box.session({ tenant: credential.tenant, user, roles, credential, ...named });
  }

  async function findOrOpen(
    credential: Credential,
    key: RowKey,
    from: { readonly conversation: string | undefined; readonly dueMs: number },
  ): Promise<string> {
    const [row] = await box.store.read([key]);
    if (row !== undefined) return (row.body as { readonly sessionId: string }).sessionId;
    await box.store.purge({ space, untilMs: clock.now(), limit: fixedBounds.purgeRowsMax });
    const { id } = await open(credential, from.conversation);
    const put = { op: "put", key, body: { sessionId: id }, expect: "absent", dueMs: from.dueMs } as const;
    const result = await box.store.commit({ operations: [put], entries: [] });
    if (result.kind === "committed") return id;
    // Another replica was faster; its session is the one, and ours is never used.
    const [winner] = await box.store.read([key]);
    return (winner?.body as { readonly sessionId: string } | undefined)?.sessionId ?? id;
  }

  return {
    // The token of a delegated session brings its session along, and its user with it.
    open: (credential) => (credential.sessionId === undefined ? open(credential) : box.resume(credential.sessionId, credential)),
    async resume(credential, sessionId) {
      if (credential.sessionId !== undefined) return await box.resume(sessionId, credential);
      const wanted = userOf(credential);
      const session = await box.resume(sessionId, credential);
      // Who lost a role in the configuration has lost it in conversations that began before, too.
      const isWider = session.principal.roles.some((role) => !wanted.roles.includes(role));
      if (session.principal.user !== wanted.user || isWider)
        throw toolCallError("SESSION_UNKNOWN", "this session was opened for another user or other roles; initialize again");
      return session;
    },
    async of(credential, conversation) {
      if (credential.sessionId !== undefined) return await box.resume(credential.sessionId, credential);
      const { user, roles } = userOf(credential);
      const nowMs = clock.now();
      const windowIndex = Math.floor(nowMs / limits.ambientSessionMs);
      const scope = conversation === undefined ? ["ambient", windowIndex] : ["conversation", conversation];
      const name = JSON.stringify([credential.tenant, credential.id, user, roles, scope]);
      const id = await remember(name, () => {
        const dueMs = conversation === undefined ? (windowIndex + 1) * limits.ambientSessionMs : nowMs + limits.keyRetentionMs;
        return findOrOpen(credential, { space, tenant: credential.tenant, key: sha256Hex(name) }, { conversation, dueMs });
      });
      return await box.resume(id, credential);
    },
  };
}

/** Makes a session's id once for each name; what failed is tried again. At most `namesMax`, the oldest forgotten first: the store still knows. */
function createMemory(namesMax: number): (name: string, make: () => Promise<string>) => Promise<string> {
  const made = new Map<string, Promise<string>>();
  return (name, make) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    if (made.size >= namesMax) made.delete(made.keys().next().value as string);
    const id = make();
    made.set(name, id);
    id.catch(() => made.delete(name));
    return id;
  };
}
