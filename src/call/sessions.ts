import type { Clock } from "../base/clock.ts";
import type { IdSource } from "../base/ids.ts";
import type { Limits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import type { Credential, Principal, Session } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { rolesRevoked, sessionOpened, sessionStopped } from "../ledger/session-entries.ts";
import { sessionCounters, type SessionCounters } from "../budget/holds.ts";
import { keptKey } from "../store/row-key.ts";
import { isShared } from "../store/shared.ts";
import type { Operation, Row, RowKey, Store } from "../store/store.ts";
import type { SessionOptions } from "./box.ts";
import { isSwitchedOn, switchExpectations, switchKeys } from "./read-only.ts";
import type { LiveSession } from "./runtime.ts";

/** What is kept of a session. */
interface SessionBody {
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, Json>>;
  readonly credentialId: string;
  readonly wordsAttested: boolean;
  readonly conversationId: string | null;
  readonly dataSubject: string | null;
  readonly createdAtMs: number;
  /** It was found in the store by a process that had not opened it; absent: only the one that opened it has ever served it. */
  readonly isShared?: true;
  /** Epoch of the store in which it was opened. */
  readonly epoch: number;
  readonly stopped: { readonly reason: string; readonly atMs: number } | null;
  /** Absent: none was ever approved. */
  readonly plans?: readonly string[];
}

/** Which roles a principal has lost since its sessions were opened. */
interface PrincipalBody {
  readonly revoked: readonly string[];
}

/** Opens sessions and keeps the live ones at hand. */
export interface Sessions {
  open(options: SessionOptions, credential: Credential): Promise<LiveSession>;
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

/** What sessions are made with. */
export interface SessionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly limits: Limits;
  /** Whether roles grant a tool, by the policy in force. */
  readonly grants: (roles: readonly string[], tool: Tool) => boolean;
}

const attemptsMax = 10;
const noPlans: readonly string[] = Object.freeze([]);

/** The sessions of one box. At most `sessionsLiveMax` are kept in memory, the longest unused forgotten first; all of them live in the store. */
export function createSessions(parts: SessionParts): Sessions {
  const live = new Map<string, Live>();

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
    const session = new Live(id, tenant, row, parts);
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
      const session = new Live(id, options.tenant, { ...key, version: 1, body: body as unknown as Json }, parts);
      await session.refresh();
      return keep(session);
    },
    find,
    async stop(id, tenant, reason, by) {
      const session = await find(id, tenant);
      if (session === undefined) throw toolCallError("SESSION_UNKNOWN", "no such session; open one first");
      await session.stopBy(reason, by);
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
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
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

function epochOf(store: Store): number {
  return store.epoch ?? 1;
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

function sessionKey(tenant: string, id: string): RowKey {
  return { space: "session", tenant, key: id };
}

function principalKey(tenant: string, user: string): RowKey {
  return { space: "principal", tenant, key: user };
}

async function revokeRoles(parts: SessionParts, revocation: Parameters<Sessions["revoke"]>[0]): Promise<void> {
  const { tenant, user, roles, by } = revocation;
  const key = principalKey(tenant, user);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
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

/** An open session: a cache of two rows, read again whenever a gate says that one of them has changed. */
class Live implements LiveSession {
  readonly id: string;
  readonly rowKey: RowKey;
  readonly principalKey: RowKey;
  readonly throttleKey: string;
  readonly counters: SessionCounters;
  isReadOnly = false;
  switches: LiveSession["switches"] = [];
  readonly #parts: SessionParts;
  #row: Row;
  #body: SessionBody;
  #principal: Principal;
  #principalVersion: number | "absent" = "absent";
  #revoked: readonly string[] = [];

  constructor(id: string, tenant: string, row: Row, parts: SessionParts) {
    this.id = id;
    this.#parts = parts;
    this.#row = row;
    this.#body = row.body as unknown as SessionBody;
    this.rowKey = keptKey(sessionKey(tenant, id));
    this.principalKey = keptKey(principalKey(tenant, this.#body.user));
    this.counters = sessionCounters(tenant, id);
    // Unambiguous, since tenants and users choose their names.
    this.throttleKey = JSON.stringify([tenant, this.#body.user]);
    this.#principal = { tenant, user: this.#body.user, roles: this.#body.roles, attributes: this.#body.attributes };
  }

  get credentialId(): string {
    return this.#body.credentialId;
  }
  get wordsAttested(): boolean {
    return this.#body.wordsAttested;
  }
  get createdAtMs(): number {
    return this.#body.createdAtMs;
  }
  get isShared(): boolean {
    return this.#body.isShared === true;
  }
  get conversationId(): string | undefined {
    return this.#body.conversationId ?? undefined;
  }
  get dataSubject(): string | undefined {
    return this.#body.dataSubject ?? undefined;
  }
  get principal(): Principal {
    return this.#principal;
  }
  get revokedRoles(): readonly string[] {
    return this.#revoked;
  }
  get stopped(): { readonly reason: string; readonly atMs: number } | undefined {
    // What was said and done in it after the backup is lost: its keys, approvals and budgets can no longer be trusted.
    if (this.#body.epoch !== epochOf(this.#parts.store))
      return { reason: "the ledger was restored from a backup since; open another session", atMs: this.#body.createdAtMs };
    return this.#body.stopped ?? undefined;
  }
  get plans(): readonly string[] {
    return this.#body.plans ?? noPlans;
  }
  get rowVersion(): number {
    return this.#row.version;
  }
  get principalVersion(): number | "absent" {
    return this.#principalVersion;
  }

  /** The session as the rest of the product knows it. */
  get session(): Session {
    return {
      id: this.id,
      principal: this.#principal,
      credentialId: this.credentialId,
      wordsAttested: this.wordsAttested,
      conversationId: this.conversationId,
      createdAtMs: this.#body.createdAtMs,
      stopped: this.stopped,
    };
  }

  withPlan(id: string): Operation {
    const body = { ...this.#body, plans: [...this.plans, id] };
    return { op: "put", key: this.rowKey, body: body as unknown as Json, expect: this.#row.version };
  }

  mayUse(tool: Tool): boolean {
    return this.#parts.grants(this.#principal.roles, tool);
  }

  async refresh(): Promise<void> {
    const { tenant } = this.#principal;
    const [row, principal, ...switches] = await this.#parts.store.read([this.rowKey, this.principalKey, ...switchKeys(tenant, this.id)]);
    this.switches = switchExpectations(tenant, this.id, switches);
    this.isReadOnly = switches.some(isSwitchedOn);
    if (row !== undefined) {
      this.#row = row;
      this.#body = row.body as unknown as SessionBody;
    }
    this.#principalVersion = principal?.version ?? "absent";
    this.#revoked = (principal?.body as unknown as PrincipalBody | undefined)?.revoked ?? [];
    const roles = this.#body.roles.filter((role) => !this.#revoked.includes(role));
    this.#principal = { ...this.#principal, roles, attributes: this.#body.attributes };
  }

  async stop(reason: string): Promise<void> {
    await this.stopBy(reason, "signalbox");
  }

  async stopBy(reason: string, by: string): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      if (this.stopped !== undefined) return;
      const atMs = this.#parts.clock.now();
      const tenant = this.#principal.tenant;
      const result = await this.#parts.store.commit({
        operations: [
          { op: "put", key: this.rowKey, body: { ...this.#body, stopped: { reason, atMs } } as unknown as Json, expect: this.#row.version },
        ],
        entries: [sessionStopped({ place: { tenant, sessionId: this.id, atMs }, reason, by })],
      });
      await this.refresh();
      if (result.kind === "committed") return;
    }
  }
}
