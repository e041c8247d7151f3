import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { SessionCounters } from "../../budget/holds.ts";
import type { Json } from "../../domain/json.ts";
import type { Principal, Session } from "../../domain/principal.ts";
import type { Tool } from "../../domain/tool.ts";
import { sessionStopped } from "../../ledger/session-entries.ts";
import { keptKey } from "../../store/row-key.ts";
import type { Operation, Row, RowKey, Store } from "../../store/store.ts";
import type { Clock } from "../../base/clock.ts";
import type { IdSource } from "../../base/ids.ts";
import type { Limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import { accountsOf, handsOn, type Delegation } from "../delegation.ts";
import { isSwitchedOn, switchExpectations, switchKeys } from "../read-only.ts";
import { epochOf, principalKey, sessionKey, type PrincipalBody, type SessionBody } from "./session-row.ts";
import type { LiveSession } from "../live-session.ts";
import type { DelegationOptions } from "../box/box-session.ts";

/** What sessions are made with. */
export interface SessionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly limits: Limits;
  /** Whether roles grant a tool, by the policy in force. */
  readonly grants: (roles: readonly string[], tool: Tool) => boolean;
}

const noPlans: readonly string[] = Object.freeze([]);
const noAncestors: readonly string[] = Object.freeze([]);

/** What a live session looks up by itself. */
export interface LiveParts extends SessionParts {
  readonly find: (id: string, tenant: string) => Promise<Live | undefined>;
}

/** An open session: a cache of its row, its principal's and those of the sessions above it, read again whenever a gate says that one of them has changed. */
export class Live implements LiveSession {
  readonly id: string;
  readonly rowKey: RowKey;
  readonly principalKey: RowKey;
  readonly throttleKey: string;
  readonly counters: SessionCounters;
  accounts: LiveSession["accounts"];
  lineage: LiveSession["lineage"] = [];
  isReadOnly = false;
  switches: LiveSession["switches"] = [];
  readonly #parts: LiveParts;
  /** One of the sessions above is stopped or gone. */
  #isCutOff = false;
  #row: Row;
  #body: SessionBody;
  #principal: Principal;
  #principalVersion: number | "absent" = "absent";
  #revoked: readonly string[] = [];

  constructor(id: string, tenant: string, row: Row, parts: LiveParts) {
    this.id = id;
    this.#parts = parts;
    this.#row = row;
    this.#body = row.body as unknown as SessionBody;
    this.rowKey = keptKey(sessionKey(tenant, id));
    this.principalKey = keptKey(principalKey(tenant, this.#body.user));
    this.accounts = accountsOf({ tenant, id, delegation: this.#body.delegation }, []);
    this.counters = (this.accounts[0] as LiveSession["accounts"][number]).counters;
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
    if (this.#body.stopped !== null) return this.#body.stopped;
    const { delegation } = this.#body;
    if (delegation === undefined) return undefined;
    if (this.#isCutOff) return { reason: "the session that it was delegated from was stopped", atMs: this.#body.createdAtMs };
    const isOver = this.#parts.clock.now() >= delegation.expiresAtMs;
    return isOver ? { reason: "the time it was delegated for is over", atMs: delegation.expiresAtMs } : undefined;
  }
  get delegation(): Delegation | undefined {
    return this.#body.delegation;
  }
  get ancestorIds(): readonly string[] {
    return this.#body.delegation?.ancestors ?? noAncestors;
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
      parentSessionId: this.ancestorIds.at(-1),
      expiresAtMs: this.#body.delegation?.expiresAtMs,
      stopped: this.stopped,
    };
  }

  /** What is kept of a session below this one. Its words are nobody's: what grants does not travel. */
  bodyBelow(options: DelegationOptions, delegation: Delegation, nowMs: number): SessionBody {
    const { user, attributes, credentialId, conversationId, dataSubject, epoch } = this.#body;
    return {
      user,
      roles: [...(options.roles ?? this.#principal.roles)],
      attributes,
      credentialId,
      wordsAttested: false,
      conversationId: options.conversationId ?? conversationId,
      dataSubject,
      createdAtMs: nowMs,
      epoch,
      stopped: null,
      delegation,
    };
  }

  withPlan(id: string): Operation {
    const body = { ...this.#body, plans: [...this.plans, id] };
    return { op: "put", key: this.rowKey, body: body as unknown as Json, expect: this.#row.version };
  }

  mayUse(tool: Tool): boolean {
    const { delegation } = this.#body;
    return this.#parts.grants(this.#principal.roles, tool) && (delegation === undefined || handsOn(delegation, tool));
  }

  async refresh(): Promise<void> {
    const { tenant } = this.#principal;
    const above = this.ancestorIds.map((id) => sessionKey(tenant, id));
    const switches = switchKeys(tenant, [this.id, ...this.ancestorIds]);
    const [row, principal, ...rest] = await this.#parts.store.read([this.rowKey, this.principalKey, ...above, ...switches]);
    if (above.length > 0) this.#look(above, rest.slice(0, above.length));
    const turned = rest.slice(above.length);
    this.switches = switchExpectations(switches, turned);
    this.isReadOnly = turned.some(isSwitchedOn);
    if (row !== undefined) {
      this.#row = row;
      this.#body = row.body as unknown as SessionBody;
    }
    this.#principalVersion = principal?.version ?? "absent";
    this.#revoked = (principal?.body as unknown as PrincipalBody | undefined)?.revoked ?? [];
    const roles = this.#body.roles.filter((role) => !this.#revoked.includes(role));
    this.#principal = { ...this.#principal, roles, attributes: this.#body.attributes };
  }

  /** The sessions above: whether they still go on, and that each gate holds them to what was seen. */
  #look(keys: readonly RowKey[], rows: readonly (Row | undefined)[]): void {
    const bodies = rows.map((row) => row?.body as unknown as SessionBody | undefined);
    this.lineage = keys.map((key, index) => ({ op: "expect", key, version: rows[index]?.version ?? "absent" }));
    this.#isCutOff = bodies.some((body) => body === undefined || body.stopped !== null);
    const { delegation } = this.#body;
    this.accounts = accountsOf(
      { tenant: this.#principal.tenant, id: this.id, delegation },
      bodies.map((body) => body?.delegation),
    );
  }

  async stop(reason: string): Promise<void> {
    const [first] = this.ancestorIds;
    const whole = first === undefined ? this : await this.#parts.find(first, this.#principal.tenant);
    await (whole ?? this).stopBy(reason, "signalbox");
    if (whole !== this) await this.refresh();
  }

  async stopBy(reason: string, by: string): Promise<void> {
    for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
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
