/**
 * Notices to people outside. A notice is written in the transaction of what it tells of, so none is lost and none is invented; it is delivered afterwards,
 * at least once, with back-off, by whichever process finds it due. What cannot be delivered becomes a dead letter, and is said.
 */
import type { Approval } from "../domain/approval.ts";
import type { UndeliveredLetter } from "../domain/dead-letter.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { Delivery, Notice, NoticePort } from "../domain/notice.ts";
import type { Plan } from "../domain/plan.ts";
import type { Operation, Row } from "../store/store.ts";
import { backoffMs } from "../resilience/backoff.ts";
import { putLetter } from "./dead-letters.ts";
import type { Runtime, CallState, NoticeDesk } from "./runtime.ts";

/** What stands in the store until a notice is delivered. */
interface Outgoing {
  readonly notice: Notice;
  readonly attempts: number;
}

/** What the desk needs. */
export type NoticeParts = Pick<Runtime, "clock" | "random" | "limits" | "ids" | "store" | "secret" | "reportFault"> & {
  readonly port: NoticePort | undefined;
  /** Told of a notice that is given up, before its letter is written. */
  readonly onDead: (letter: UndeliveredLetter) => void;
};

/** Makes it. */
export function createNoticeDesk(parts: NoticeParts): NoticeDesk {
  return new Desk(parts);
}

class Desk implements NoticeDesk {
  readonly isOn: boolean;
  readonly #parts: NoticeParts;
  readonly #stopped = new AbortController();
  #sweeping: Promise<void> | undefined;
  #isNudged = false;

  constructor(parts: NoticeParts) {
    this.#parts = parts;
    this.isOn = parts.port !== undefined;
  }

  asked(approval: Approval): readonly Operation[] {
    const { id, callId, sessionId, principal, tool, version, gate, approvers, quorum, isOfEach, summary, reasons, expiresAtMs } = approval;
    const rules = reasons.filter(({ effect }) => effect === "ask").map(({ rule }) => rule);
    const data = {
      approvalId: id,
      callId,
      sessionId,
      user: principal.user,
      tool,
      version,
      gate,
      approvers,
      quorum,
      ...(isOfEach === true && { isOfEach }),
      summary,
      rules,
      expiresAtMs,
    };
    return this.#put("approval.asked", approval.tenant, data);
  }

  proposed({ id, tenant, sessionId, user, proposedBy, steps, digest, expiresAtMs }: Plan): readonly Operation[] {
    const tools = [...new Set(steps.map(({ tool }) => tool))];
    return this.#put("plan.proposed", tenant, { planId: id, sessionId, user, proposedBy, tools, digest, expiresAtMs });
  }

  ran({ session, callId, registered, decision }: CallState): readonly Operation[] {
    const { name, version, owner, tier } = (registered as NonNullable<typeof registered>).tool;
    const rules = (decision?.reasons ?? []).map(({ rule }) => rule);
    const { user, tenant } = session.principal;
    return this.#put("call.ran", tenant, { callId, sessionId: session.id, user, tool: name, version, tier, owner: owner ?? null, rules });
  }

  #put(type: Notice["type"], tenant: string, data: JsonObject): readonly Operation[] {
    if (!this.isOn) return [];
    const { clock, ids } = this.#parts;
    const atMs = clock.now();
    return [this.again({ id: ids.next("ntc"), type, tenant, atMs, data })];
  }

  again(notice: Notice): Operation {
    const body: Outgoing = { notice, attempts: 0 };
    const key = { space: "notice", tenant: notice.tenant, key: notice.id };
    return { op: "put", key, body: body as unknown as Json, expect: "absent", dueMs: this.#parts.clock.now() };
  }

  nudge(): void {
    if (!this.isOn || this.#isNudged) return;
    this.#isNudged = true;
    this.#parts.clock.after(0, () => {
      this.#isNudged = false;
      this.sweep(this.#parts.clock.now()).catch((cause: unknown) => this.#parts.reportFault("notices", cause));
    });
  }

  sweep(nowMs: number): Promise<void> {
    if (!this.isOn || this.#stopped.signal.aborted) return Promise.resolve();
    this.#sweeping ??= this.#deliverDue(nowMs).finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  async #deliverDue(nowMs: number): Promise<void> {
    const rows = await this.#parts.store.due({ space: "notice", untilMs: nowMs, limit: this.#parts.limits.noticesAtOnceMax });
    await Promise.all(rows.map((row) => this.#deliver(row)));
  }

  async #deliver(row: Row): Promise<void> {
    const { clock, limits, store } = this.#parts;
    const { notice, attempts } = row.body as unknown as Outgoing;
    // Claimed for as long as an attempt may take: another process, or this one after a crash, takes it up only then.
    const claimed = { notice, attempts: attempts + 1 };
    const taken = await store.commit({
      operations: [
        { op: "put", key: row, body: claimed as unknown as Json, expect: row.version, dueMs: clock.now() + 2 * limits.noticeTimeoutMs },
      ],
      entries: [],
    });
    if (taken.kind === "refused") return;
    const delivery = await this.#attempt(notice);
    // An attempt that was broken off because the process stops says nothing of the receiver, so it does not count.
    const isBrokenOff = delivery.kind !== "delivered" && this.#stopped.signal.aborted;
    const operations = isBrokenOff ? this.#postpone(row, { notice, attempts }) : this.#after(row, claimed, delivery);
    await store.commit({ operations, entries: [] });
  }

  async #attempt(notice: Notice): Promise<Delivery> {
    const { clock, limits, port, secret } = this.#parts;
    const timeout = new AbortController();
    const timer = clock.after(limits.noticeTimeoutMs, () => timeout.abort());
    const signal = AbortSignal.any([timeout.signal, this.#stopped.signal]);
    // A race, so that a port that ignores its signal holds neither the notices that follow nor a process that stops.
    const givenUp = new Promise<Delivery>((resolve) => {
      signal.addEventListener("abort", () => resolve({ kind: "failed", isFinal: false, problem: "it did not answer in time" }), {
        once: true,
      });
    });
    try {
      return await Promise.race([(port as NoticePort).deliver(notice, { signal, nowMs: clock.now(), secret }), givenUp]);
    } catch {
      // Whatever a port throws may name secrets; what it says of itself is enough.
      return { kind: "failed", isFinal: false, problem: "the attempt broke" };
    } finally {
      timer.cancel();
    }
  }

  #postpone(row: Row, body: Outgoing): readonly Operation[] {
    const { clock, limits } = this.#parts;
    return [{ op: "put", key: row, body: body as unknown as Json, expect: row.version + 1, dueMs: clock.now() + limits.retryBaseMs }];
  }

  #after(row: Row, { notice, attempts }: Outgoing, delivery: Delivery): readonly Operation[] {
    const { clock, random, limits, port, onDead } = this.#parts;
    const version = row.version + 1;
    if (delivery.kind === "delivered") return [{ op: "delete", key: row, expect: version }];
    if (!delivery.isFinal && attempts < limits.noticeAttemptsMax) {
      const waitMs = backoffMs({ retryNumber: attempts, baseMs: limits.noticeRetryBaseMs, capMs: limits.noticeRetryCapMs, random });
      const dueMs = clock.now() + limits.retryBaseMs + waitMs;
      return [{ op: "put", key: row, body: { notice, attempts } as unknown as Json, expect: version, dueMs }];
    }
    const letter = letterFor(notice, {
      attemptsCount: attempts,
      problem: delivery.problem,
      target: (port as NoticePort).name,
      sinceMs: clock.now(),
    });
    onDead(letter);
    return [{ op: "delete", key: row, expect: version }, putLetter(letter, limits.deadLetterKeepMs)];
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#sweeping?.catch(() => undefined);
    await this.#parts.port?.close?.();
  }
}

function letterFor(notice: Notice, facts: Pick<UndeliveredLetter, "attemptsCount" | "problem" | "target" | "sinceMs">): UndeliveredLetter {
  const { id, tenant, type, data } = notice;
  const about = (name: string, member: string): string => `${name} ${data[member] as string}`;
  const subject = type === "approval.asked" ? about("approval", "approvalId") : about("call", "callId");
  return { ...facts, id, tenant, kind: "undelivered", subject, notice };
}
