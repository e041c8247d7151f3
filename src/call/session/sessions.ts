import { assert } from "../../base/assert.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Limits } from "../../base/limits.ts";
import type { Json } from "../../domain/json.ts";
import type { Credential } from "../../domain/principal.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { rolesRevoked, sessionOpened } from "../../ledger/session-entries.ts";
import { isShared } from "../../store/shared.ts";
import type { Row, RowKey, Store } from "../../store/store.ts";
import { sessionOfToken, writeBelow } from "./delegate.ts";
import { Live, type LiveParts, type SessionParts } from "./live-session.ts";
import { epochOf, principalKey, sessionKey, type PrincipalBody, type SessionBody } from "./session-row.ts";
import type { LiveSession } from "../live-session.ts";
import type { SessionOptions, DelegationOptions } from "../box/box-session.ts";

/** Opens sessions and keeps the live ones at hand. */
export interface Sessions {
  open(options: SessionOptions, credential: Credential): Promise<LiveSession>;
  /** A session below another one, and the token that stands for it. */
  delegate(from: LiveSession, options: DelegationOptions): Promise<{ readonly session: LiveSession; readonly token: string }>;
  /** The session that a token stands for; undefined for one that is over, and for anything else. */
  findByToken(token: string): Promise<LiveSession | undefined>;
  /** The session behind a handle; undefined where there is none in this tenant. */
  find(id: string, tenant: string): Promise<LiveSession | undefined>;
  stop(id: string, tenant: string, reason: string, by: string): Promise<void>;
  revoke(revocation: {
    readonly tenant: string;
    readonly user: string;
    readonly roles: readonly string[];
    readonly by: string;
  }): Promise<void>;
}

/** The sessions of one box. At most `sessionsLiveMax` are kept in memory, the longest unused forgotten first; all of them live in the store. */
export function createSessions(parts: SessionParts): Sessions {
  const live = new Map<string, Live>();
  const livesIn: LiveParts = { ...parts, find: (id, tenant) => find(id, tenant) };

  function keep(session: Live): Live {
    if (live.size >= parts.limits.sessionsLiveMax) live.delete(live.keys().next().value as string);
    live.set(session.id, session);
    return session;
  }

  async function find(id: string, tenant: string): Promise<Live | undefined> {
    const known = live.get(id);
    if (known !== undefined) return known.principal.tenant === tenant ? known : undefined;
    const row = await found(parts.store, sessionKey(tenant, id));
    if (row === undefined) return undefined;
    const session = new Live(id, tenant, row, livesIn);
    await session.refresh();
    return keep(session);
  }

  return {
    async open(options, credential) {
      checkOptions(options, credential, parts.limits);
      const nowMs = parts.clock.now();
      const id = parts.ids.next("ses");
      const body = bodyOf(options, credential, nowMs, epochOf(parts.store));
      const entry = sessionOpened({
        place: { tenant: options.tenant, sessionId: id, atMs: nowMs },
        user: body.user,
        roles: body.roles,
        credentialId: body.credentialId,
        conversationId: options.conversationId,
        wordsAttested: body.wordsAttested,
      });
      const key = sessionKey(options.tenant, id);
      await parts.store.commit({ operations: [{ op: "put", key, body: body as unknown as Json, expect: "absent" }], entries: [entry] });
      const session = new Live(id, options.tenant, { ...key, version: 1, body: body as unknown as Json }, livesIn);
      await session.refresh();
      return keep(session);
    },
    find,
    async delegate(from, options) {
      const { tenant } = from.principal;
      const above = await find(from.id, tenant);
      assert(above !== undefined, "a session that delegates exists");
      const { row, token } = await writeBelow(parts, above, options);
      const session = new Live(row.key, tenant, row, livesIn);
      await session.refresh();
      return { session: keep(session), token };
    },
    async findByToken(token) {
      const found = await sessionOfToken(parts.store, token);
      const session = found === undefined ? undefined : await find(found.sessionId, found.tenant);
      return session === undefined || session.stopped !== undefined ? undefined : session;
    },
    async stop(id, tenant, reason, by) {
      const session = await find(id, tenant);
      if (session === undefined) throw toolCallError("SESSION_UNKNOWN", "no such session; open one first");
      await session.stopBy(reason, by);
      for (const below of live.values()) if (below.ancestorIds.includes(id)) await below.refresh();
    },
    async revoke(revocation) {
      await revokeRoles(parts, revocation);
      for (const session of live.values()) {
        if (session.principal.tenant === revocation.tenant && session.principal.user === revocation.user) await session.refresh();
      }
    },
  };
}

/**
 * The row of a session that this process did not open. On a shared store the finding is written into it: the process that opened it notices at its next gate,
 * and from then on each looks at what the others brought into the session (`flow-desk.ts`).
 */
async function found(store: Store, key: RowKey): Promise<Row | undefined> {
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const [row] = await store.read([key]);
    const body = row?.body as unknown as SessionBody | undefined;
    if (row === undefined || body === undefined || body.isShared === true || !isShared(store)) return row;
    const marked = { ...body, isShared: true } as unknown as Json;
    const result = await store.commit({ operations: [{ op: "put", key, body: marked, expect: row.version }], entries: [] });
    if (result.kind === "committed") return { ...row, body: marked, version: row.version + 1 };
  }
  throw toolCallError("INTERNAL", "the session could not be opened here: its record keeps changing; try again");
}

function checkOptions(options: SessionOptions, credential: Credential, limits: Limits): void {
  const { principalCharsMax } = limits;
  // Names go into keys and entries of the store, which hold well-formed text.
  const isName = (value: unknown): boolean =>
    typeof value === "string" && value !== "" && value.length <= principalCharsMax && value.isWellFormed();
  if (!isName(options.tenant) || !isName(options.user))
    throw toolCallError("REQUEST_INVALID", `a session needs a tenant and a user, each text of 1 to ${principalCharsMax} characters`);
  if (!Array.isArray(options.roles) || !options.roles.every(isName))
    throw toolCallError("REQUEST_INVALID", "a session needs `roles`, a list of names; an empty one grants nothing");
  if (credential.tenant !== options.tenant && credential.tenant !== "*")
    throw toolCallError("REQUEST_INVALID", "this credential belongs to another tenant");
  const foreign = credential.actsFor.includes("*")
    ? undefined
    : (options.roles as readonly string[]).find((role) => !credential.actsFor.includes(role));
  if (foreign !== undefined) throw toolCallError("PERMISSION_DENIED", `this credential may not act for the role \`${foreign}\``);
}

function bodyOf(options: SessionOptions, credential: Credential, nowMs: number, epoch: number): SessionBody {
  return {
    user: options.user,
    roles: options.roles,
    attributes: options.attributes ?? {},
    credentialId: credential.id,
    wordsAttested: credential.words === "attested",
    conversationId: options.conversationId ?? null,
    dataSubject: options.dataSubject ?? null,
    createdAtMs: nowMs,
    epoch,
    stopped: null,
  };
}

async function revokeRoles(parts: SessionParts, revocation: Parameters<Sessions["revoke"]>[0]): Promise<void> {
  const { tenant, user, roles, by } = revocation;
  const key = principalKey(tenant, user);
  for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
    const [row] = await parts.store.read([key]);
    const before = (row?.body as unknown as PrincipalBody | undefined)?.revoked ?? [];
    const revoked = [...new Set([...before, ...roles])].sort();
    const entry = rolesRevoked({ place: { tenant, atMs: parts.clock.now() }, user, roles, by });
    const result = await parts.store.commit({
      operations: [{ op: "put", key, body: { revoked }, expect: row?.version ?? "absent" }],
      entries: [entry],
    });
    if (result.kind === "committed") return;
  }
  throw toolCallError("INTERNAL", "the roles could not be revoked: the user's record keeps changing; try again");
}
