import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Answer, Outcome } from "../../domain/outcome.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { isShared } from "../../store/shared.ts";
import type { Row } from "../../store/store.ts";
import type { KeyClaim } from "../keys.ts";
import { orphanUnit } from "./orphan.ts";
import { rebuildCall } from "./rebuild.ts";
import type { Runtime, CallState } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import type { StageName } from "../stage.ts";

/** What became of the calls that nobody is carrying out any more. */
export interface Recovery {
  /** Settles open intents whose process is gone and looks into unknown outcomes. */
  sweep(options: SweepOptions): Promise<Readonly<Record<Resolution, number>>>;
  /** Looks into one claim by its key row. */
  reconcile(tenant: string, keyRow: string): Promise<Outcome>;
  /** Works on the claim of a call while recovery keeps off it; undefined where somebody works on it already. */
  apart(callId: string, work: () => Promise<void>): Promise<void> | undefined;
}

/** How claims are looked through. */
export interface SweepOptions {
  readonly nowMs: number;
  /** At start every running claim of a store that nobody shares is an orphan. */
  readonly isStart: boolean;
  /** Once aborted, no further claim is taken up. */
  readonly signal: AbortSignal;
}

/** What looking into one claim came to. */
export type Resolution = "reconciled" | "unknown" | "resumed" | "nothing";

interface Resolved {
  readonly resolution: Resolution;
  readonly outcome?: Outcome;
}

/**
 * Recovery finds either an open intent with its claims, or a settled call; nothing in between. An open one is resolved by what its tool declares:
 * sent again under the same key where that is safe, looked up where it can be, and otherwise reported `unknown` for a person to settle. `run` takes
 * a rebuilt call on from a stage.
 */
export function createRecovery(
  runtime: Runtime,
  sessions: Sessions,
  run: (state: CallState, from: StageName) => Promise<Answer>,
): Recovery {
  return new CallRecovery(runtime, sessions, run);
}

class CallRecovery implements Recovery {
  readonly #runtime: Runtime;
  readonly #sessions: Sessions;
  readonly #run: (state: CallState, from: StageName) => Promise<Answer>;
  /** One claim at a time is looked into once, whoever asks. */
  readonly #underWay = new Map<string, Promise<Resolved>>();

  constructor(runtime: Runtime, sessions: Sessions, run: (state: CallState, from: StageName) => Promise<Answer>) {
    this.#runtime = runtime;
    this.#sessions = sessions;
    this.#run = run;
  }

  async sweep({ nowMs, isStart, signal }: SweepOptions): ReturnType<Recovery["sweep"]> {
    const { store, limits, reportFault } = this.#runtime;
    const counts = { reconciled: 0, unknown: 0, resumed: 0, nothing: 0 };
    // On a shared store a running claim may be another live process's; there it is an orphan only when its deadline has passed.
    const isAlone = isStart && !isShared(store);
    const rows = (
      await store.due({ space: "key", untilMs: isAlone ? nowMs + fixedBounds.orphanHorizonMs : nowMs, limit: fixedBounds.sweepRowsMax })
    ).values();
    // Several at a time, so that one upstream that hangs does not keep the other calls waiting; they share one list.
    const worker = async (): Promise<void> => {
      for (const row of rows) {
        if (signal.aborted) return;
        // What is wrong with one claim must not keep the others open.
        const resolution = await this.#sweepRow(row, { nowMs, isStart }).catch((cause: unknown) => reportFault("recovery", cause));
        counts[resolution ?? "nothing"] += 1;
      }
    };
    await Promise.all(Array.from({ length: limits.recoveryAtOnceMax }, worker));
    return counts;
  }

  async reconcile(tenant: string, keyRow: string): Promise<Outcome> {
    const [row] = await this.#runtime.store.read([{ space: "key", tenant, key: keyRow }]);
    if (row === undefined)
      return { kind: "failed", error: toolCallError("NOT_FOUND", "nothing is known of this call any more"), isReplay: true };
    const claim = claimOf(row);
    const { outcome } = claim.state === "unknown" ? await this.#resolve(row) : { outcome: undefined };
    return outcome ?? (await this.#runtime.recordedOutcome(tenant, claim.callId));
  }

  apart(callId: string, work: () => Promise<void>): Promise<void> | undefined {
    if (this.#underWay.has(callId) || this.#runtime.running.has(callId)) return undefined;
    const working = work();
    const ended = (): Resolved => {
      this.#underWay.delete(callId);
      return { resolution: "nothing" };
    };
    // Who comes to look into it meanwhile waits, and then reads what was settled.
    this.#underWay.set(callId, working.then(ended, ended));
    return working;
  }

  async #sweepRow(row: Row, { nowMs, isStart }: Pick<SweepOptions, "nowMs" | "isStart">): Promise<Resolution> {
    const { state } = claimOf(row);
    const isDue = row.dueMs !== undefined && row.dueMs <= nowMs;
    if (state === "running" || (state === "unknown" && (isDue || isStart))) return (await this.#resolve(row)).resolution;
    const isSettled = state === "completed" || state === "failed" || state === "rejected" || state === "free";
    if (isDue && isSettled)
      await this.#runtime.store.commit({ operations: [{ op: "delete", key: row, expect: row.version }], entries: [] });
    return "nothing";
  }

  #resolve(row: Row): Promise<Resolved> {
    const { callId } = claimOf(row);
    const already = this.#underWay.get(callId);
    if (already !== undefined) return already;
    const work = this.#resolveOpen(row).finally(() => this.#underWay.delete(callId));
    this.#underWay.set(callId, work);
    return work;
  }

  async #resolveOpen(row: Row): Promise<Resolved> {
    const { runtime, claim } = { runtime: this.#runtime, claim: claimOf(row) };
    // INVARIANT: only a claim that nobody is working on is taken up. A call leaves `running` after it was settled, so that whoever finds it gone
    // and then finds its row as it was read knows that no one settled it.
    if (runtime.running.has(claim.callId)) return { resolution: "nothing" };
    const [now] = await runtime.store.read([row]);
    if (now?.version !== row.version) return { resolution: "nothing" };
    const state = await rebuildCall(runtime, this.#sessions, { row, claim });
    if (state === undefined) return await this.#giveUp(row, claim);
    const { tool } = state.registered as NonNullable<CallState["registered"]>;
    const mayStill = state.session.stopped === undefined && state.session.mayUse(tool);
    if ((tool.idempotency === "natural" || tool.idempotency === "key") && mayStill) {
      if (!(await this.#takeOver(state, row, claim))) return { resolution: "nothing" };
      const { outcome } = await this.#run(state, "execute");
      return { resolution: outcome.kind === "unknown" ? "unknown" : "resumed", outcome };
    }
    if (tool.idempotency === "lookup" && tool.lookupTool !== undefined)
      return await this.#lookUp(state, { row, claim, tool: tool.lookupTool });
    if (claim.state === "unknown") return await this.#postpone(row, runtime.limits.keyRetentionMs);
    return await this.#settleUnknown(state);
  }

  /** Claims the call anew before anything is sent again: of several processes one wins, and the one that had it can no longer settle it. */
  async #takeOver(state: CallState, row: Row, claim: KeyClaim): Promise<boolean> {
    const { clock, store } = this.#runtime;
    const { tool } = state.registered as NonNullable<CallState["registered"]>;
    const deadlineMs = clock.now() + tool.timeouts.executeMs;
    const body: KeyClaim = { ...claim, state: "running", deadlineMs };
    const put = { op: "put", key: row, body: body as unknown as Json, expect: row.version, dueMs: deadlineMs } as const;
    const result = await store.commit({ operations: [put], entries: [] });
    state.claimVersion = row.version + 1;
    state.claimDeadlineMs = deadlineMs;
    return result.kind === "committed";
  }

  async #lookUp(
    state: CallState,
    { row, claim, tool }: { readonly row: Row; readonly claim: KeyClaim; readonly tool: string },
  ): Promise<Resolved> {
    const { clock, limits, callInside } = this.#runtime;
    const answer = await callInside(state, { tool, arguments: { key: claim.upstream }, purpose: "reconcile" });
    const seen = lookedUp(answer.outcome);
    if (seen.kind === "found") {
      state.execution = { kind: "value", value: seen.value };
      return { resolution: "reconciled", outcome: (await this.#run(state, "verify")).outcome };
    }
    // A negative look-up counts only after the last moment at which the old attempt could still arrive.
    const waitMs = claim.deadlineMs + limits.reconcileSettleMs - clock.now();
    if (seen.kind === "absent" && waitMs <= 0) {
      const message = "the reply was lost; a look-up shows that it did not happen, so it may be called again";
      state.execution = { kind: "failure", failure: { kind: "unavailable", effect: "none", message } };
      return { resolution: "reconciled", outcome: (await this.#run(state, "settle")).outcome };
    }
    return claim.state === "unknown" ? await this.#postpone(row, fixedBounds.unknownAgainMs) : await this.#settleUnknown(state);
  }

  async #settleUnknown(state: CallState): Promise<Resolved> {
    const { tool } = state.registered as NonNullable<CallState["registered"]>;
    const message = `the reply of \`${tool.name}\` was lost, and nobody can say yet whether it happened; do not repeat it, a person has to look`;
    state.execution = { kind: "failure", failure: { kind: "failed", code: "OUTCOME_UNKNOWN", effect: "unknown", message } };
    return { resolution: "unknown", outcome: (await this.#run(state, "settle")).outcome };
  }

  /** Nothing can be said now: the claim stays as it is and is looked into again when it is due, or after the delay where it was due already. */
  async #postpone(row: Row, delayMs: number): Promise<Resolved> {
    const dueMs = this.#runtime.clock.now() + delayMs;
    const isEarly = row.dueMs !== undefined && row.dueMs > this.#runtime.clock.now();
    if (!isEarly)
      await this.#runtime.store.commit({ operations: [{ op: "put", key: row, body: row.body, expect: row.version, dueMs }], entries: [] });
    return { resolution: "unknown" };
  }

  /** Nothing can ever be said: what was open is settled as unknown, what was unknown stays so. */
  async #giveUp(row: Row, claim: KeyClaim): Promise<Resolved> {
    if (claim.state === "unknown") return await this.#postpone(row, this.#runtime.limits.keyRetentionMs);
    await this.#runtime.store.commit(await orphanUnit(this.#runtime, row, claim));
    return { resolution: "unknown" };
  }
}

function claimOf(row: Row): KeyClaim {
  return row.body as unknown as KeyClaim;
}

type LookedUp = { readonly kind: "found"; readonly value: unknown } | { readonly kind: "absent" } | { readonly kind: "undecided" };

/** A look-up says `null` or `{found: false}` for no, `{found: true, result}` or any other value for yes. Not-found refusals say no. */
function lookedUp(outcome: Outcome): LookedUp {
  if (outcome.kind === "failed" && outcome.error.code === "TOOL_REFUSED") return { kind: "absent" };
  if (outcome.kind !== "completed" || outcome.isFallback) return { kind: "undecided" };
  const value = outcome.result.value;
  if (value === null) return { kind: "absent" };
  if (value === undefined) return { kind: "undecided" };
  if (typeof value === "object" && !Array.isArray(value) && "found" in value) {
    const told = value as JsonObject;
    return told["found"] === true ? { kind: "found", value: told["result"] ?? null } : { kind: "absent" };
  }
  return { kind: "found", value };
}
