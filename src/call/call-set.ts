/**
 * Calls that run together or not at all. Each makes its own journey up to the gate and waits there for the others; then one transaction claims everything that all
 * of them need and writes every intent. So no two of them can each be allowed for themselves and complete together what a rule or a budget forbids, and
 * none has run when another is refused. What it does not do: take back the calls that ran where one fails later.
 */
import type { Outcome } from "../domain/outcome.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { compareKeys } from "../store/row-key.ts";
import type { CommitResult } from "../store/store.ts";
import { outcomeOf, stopWith } from "./endings.ts";
import { explainRefusal, gateClaims, passGate, unrecordedIntent, type Claims } from "./gate.ts";
import { lookBackTogether } from "./history-together.ts";
import { intendedEntry, prepareVault } from "./record.ts";
import { lookAfterAll } from "./replay.ts";
import type { Verdict } from "./verdict.ts";
import type { CallState, CallsTogether } from "./runtime.ts";

interface Waiting {
  readonly state: CallState;
  readonly answer: (verdict: Verdict) => void;
}

interface Member {
  readonly state: CallState;
  readonly claims: Claims;
}

/** A set of as many calls as it is made for. */
export class CallSet implements CallsTogether {
  /** Calls that are still on their way to the gate, or wait there. */
  #openCount: number;
  #waiting: Waiting[] = [];
  readonly #answered = new Set<CallState>();
  /** Why nothing of the set is done. */
  #refusal: string | undefined;

  constructor(count: number) {
    this.#openCount = count;
  }

  async gate(state: CallState): Promise<Verdict> {
    // One that was only taken for a new call is answered as before, and does not count a second time with the others.
    const looked = await lookAfterAll(state);
    if (looked.kind !== "proceed") return looked;
    return await new Promise((resolve) => {
      this.#waiting.push({ state, answer: resolve });
      this.#decideWhenComplete();
    });
  }

  leave(state: CallState, outcome: Outcome): void {
    if (this.#answered.has(state)) return;
    this.#answered.add(state);
    this.#openCount -= 1;
    if (outcome.kind !== "completed" && outcome.kind !== "pending") this.#refusal ??= refusalBy(state, outcome.error.code);
    this.#decideWhenComplete();
  }

  cannotWait(state: CallState): Outcome {
    const words = "has to wait first, for a person or a time, and a set of calls cannot wait; make it as a call of its own";
    return outcomeOf(toolCallError("SET_REFUSED", `\`${nameOf(state)}\` ${words}`));
  }

  #decideWhenComplete(): void {
    if (this.#waiting.length === 0 || (this.#refusal === undefined && this.#waiting.length < this.#openCount)) return;
    // In the order of the request, whoever came first: ids are time-ordered.
    const waiting = this.#waiting.sort((one, other) => compareKeys(one.state.callId, other.state.callId));
    this.#waiting = [];
    if (this.#refusal !== undefined) return this.#refuse(waiting, undefined);
    claimTogether(waiting.map(({ state }) => state)).then(
      (said) => this.#tell(waiting, said),
      // A store that is broken promises nothing to any of them.
      (cause: unknown) => this.#end(waiting, () => stopWith(unrecordedIntent(cause))),
    );
  }

  #tell(waiting: readonly Waiting[], said: Together): void {
    switch (said.kind) {
      case "claimed":
        return this.#end(waiting, (state) => passGate(state, said.claims.get(state) as Claims));
      case "again":
        for (const { answer } of waiting) answer({ kind: "again", from: "identify" });
        return undefined;
      case "refused":
        this.#refusal = refusalBy(said.state, said.error.code);
        return this.#refuse(waiting, said);
    }
  }

  #refuse(waiting: readonly Waiting[], by: { readonly state: CallState; readonly error: ToolCallError } | undefined): void {
    const others = toolCallError("SET_REFUSED", this.#refusal as string);
    this.#end(waiting, (state) => stopWith(state === by?.state ? by.error : others));
  }

  #end(waiting: readonly Waiting[], verdictOf: (state: CallState) => Verdict): void {
    for (const { state, answer } of waiting) {
      this.#answered.add(state);
      this.#openCount -= 1;
      answer(verdictOf(state));
    }
  }
}

function nameOf(state: CallState): string {
  return state.registered?.tool.name ?? state.call.name.slice(0, state.runtime.limits.toolNameCharsMax);
}

function refusalBy(state: CallState, code: string): string {
  return `nothing of this set of calls was done, since \`${nameOf(state)}\` was refused (${code}); mend that call or leave it out`;
}

/** What came of the one transaction. */
type Together =
  | { readonly kind: "claimed"; readonly claims: ReadonlyMap<CallState, Claims> }
  | { readonly kind: "again" }
  | { readonly kind: "refused"; readonly state: CallState; readonly error: ToolCallError };

async function claimTogether(states: readonly CallState[]): Promise<Together> {
  const found = await lookBackTogether(states);
  if (found.kind === "refused") return found;
  noteSet(states);
  const members = states.map((state): Member => ({ state, claims: gateClaims(state) }));
  const twice = saidTwice(members);
  if (twice !== undefined) return { kind: "refused", state: twice, error: duplicateIn(twice) };
  const result = await commit(members);
  if (result.kind === "committed") return { kind: "claimed", claims: new Map(members.map(({ state, claims }) => [state, claims])) };
  return refusedAt(members, result.index);
}

/** Each intent says that it was authorised with others. */
function noteSet(states: readonly CallState[]): void {
  const [first] = states as readonly [CallState];
  const id = first.runtime.ids.next("set");
  for (const state of states) {
    const { decision } = state;
    if (decision === undefined) continue;
    const reason = `authorised as one of ${states.length} calls that run together or not at all`;
    state.decision = { ...decision, reasons: [...decision.reasons, { rule: `set:${id}`, effect: "allow", reason }] };
  }
}

/** A call whose key or meaning another of the set has too. */
function saidTwice(members: readonly Member[]): CallState | undefined {
  const seen = new Set<string>();
  for (const { state, claims } of members)
    for (const [index, { key }] of claims.operations.entries()) {
      if (claims.guards[index] !== "key" && claims.guards[index] !== "meaning") continue;
      const name = JSON.stringify([key.space, key.tenant, key.key]);
      if (seen.has(name)) return state;
      seen.add(name);
    }
  return undefined;
}

function duplicateIn(state: CallState): ToolCallError {
  return toolCallError("SET_REFUSED", `\`${nameOf(state)}\` is in this set twice with the same meaning; nothing was done, leave one out`);
}

async function commit(members: readonly Member[]): Promise<CommitResult> {
  const [{ state: first }] = members as readonly [Member];
  for (const { state } of members) await prepareVault(state);
  const isRead = members.every(({ state }) => state.registered?.tool.tier === "read");
  return await first.runtime.store.commit({
    operations: members.flatMap(({ claims }) => claims.operations),
    entries: members.map(({ state }) => intendedEntry(state)),
    wait: isRead ? "claimed" : "durable",
  });
}

/** Whose claim did not hold, and what follows: what changed meanwhile is judged again, by all of them. */
function refusedAt(members: readonly Member[], index: number): Together {
  let before = 0;
  for (const { state, claims } of members) {
    const own = index - before;
    if (own < claims.operations.length) {
      const verdict = explainRefusal(state, claims, own);
      return verdict.kind === "stop" && "error" in verdict.outcome
        ? { kind: "refused", state, error: verdict.outcome.error }
        : { kind: "again" };
    }
    before += claims.operations.length;
  }
  return { kind: "again" };
}
