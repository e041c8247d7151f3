import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { RecentValues } from "../base/recent-values.ts";
import type { FlowMode } from "../domain/flow.ts";
import type { Json } from "../domain/json.ts";
import type { Outcome, Ended } from "../domain/outcome.ts";
import type { Tool } from "../domain/tool.ts";
import { labelReader } from "../flow/labels.ts";
import { argumentLeaves } from "../flow/roles.ts";
import { isConsequential } from "../flow/trace.ts";
import { SessionKnowledge } from "../flow/knowledge.ts";
import { keep, Restrictions, type KnowledgeBounds } from "../flow/restrictions.ts";
import { isShared } from "../store/shared.ts";
import type { Entry, EntryPosition, Operation, Store, WriterHead } from "../store/store.ts";
import { namesSomething, pastOf, shortValues, takeIn, type ReadBackParts } from "./read-back.ts";
import { noteAgainMs, readerOf, readerPut, readerSessions, type ReaderSession } from "./readers.ts";
import type { LiveSession } from "./live-session.ts";
import type { CallState, FlowDesk, GivenCall } from "./runtime.ts";

/** What a desk is made with. */
export interface FlowParts {
  readonly mode: FlowMode;
  /** Whether values that nobody labelled are looked through for personal and secret ones. */
  readonly guesses: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** The store and what opens its entries; they come after the desk. */
  readonly past: () => ReadBackParts & { readonly store: Store };
}

/** The desk of one box. */
export function createFlowDesk(parts: FlowParts): FlowDesk {
  return new Desk(parts);
}

/** A principal under one credential: what restricts all of their sessions. */
interface Reader {
  readonly restrictions: Restrictions;
  /** Wall time of the last look at what other sessions read; undefined before the first. */
  lookedAtMs: number | undefined;
  /** The writer as which this process appended at that time. */
  lookedAs: string | undefined;
  /** How far the other writers were then. */
  lookedAfter: string | undefined;
  looking: Promise<void> | undefined;
}

/** Where the past of one session stands. */
interface Recalled {
  /** Wall time up to which its entries were read back; undefined before the first time. */
  untilMs: number | undefined;
  reading: Promise<void> | undefined;
}

class Desk implements FlowDesk {
  readonly mode: FlowMode;
  readonly #parts: FlowParts;
  readonly #bounds: KnowledgeBounds;
  readonly #startedAtMs: number;
  readonly #sessions = new Map<string, SessionKnowledge>();
  readonly #recalled = new WeakMap<SessionKnowledge, Recalled>();
  /** Something that this process knew is forgotten, so that its own sessions may have a past as well. */
  #hasForgotten = false;
  readonly #readers = new Map<string, Reader>();
  /** Entries and calls that need not be read back: they were noted when they happened. */
  readonly #known = new RecentValues<true>(fixedBounds.flowCallsKnownMax);
  readonly #notedAtMs = new WeakMap<LiveSession, number>();
  readonly #noting = new WeakMap<CallState, number>();

  constructor(parts: FlowParts) {
    this.mode = parts.mode;
    this.#parts = parts;
    this.#startedAtMs = parts.clock.now();
    this.#bounds = {
      slotsMax: parts.limits.flowSlotsMax,
      valuesMax: parts.limits.flowValuesMax,
      circlesMax: parts.limits.flowCirclesMax,
      guesses: parts.guesses,
    };
  }

  knowledgeOf(session: LiveSession): SessionKnowledge | Promise<SessionKnowledge> {
    const reader = this.#readerOf(session);
    const knowledge = this.#knowledgeOf(session, reader);
    const recalling = this.#recall(session, knowledge);
    const looking = this.#lookAround(session, reader);
    if (recalling === undefined && looking === undefined) return this.#upToDate(knowledge);
    return Promise.all([recalling, looking]).then(() => this.#upToDate(knowledge));
  }

  #upToDate(knowledge: SessionKnowledge): SessionKnowledge | Promise<SessionKnowledge> {
    knowledge.restrictions.age(this.#parts.clock.now(), this.#parts.limits.flowDecayMs);
    const waiting = knowledge.restrictions.settle(pause);
    return waiting === undefined ? knowledge : waiting.then(() => knowledge);
  }

  noteResult(state: CallState, outcome: Ended): Promise<void> | undefined {
    const { registered, session } = state;
    // What the runtime looks up for itself is shown to no model.
    if (registered === undefined || state.parent !== undefined) return undefined;
    const { tool } = registered;
    const isValue = outcome.kind === "completed";
    if (isConsequential(tool) && (isValue || outcome.error.effect !== "none")) {
      const knowledge = this.#knowledgeOf(session);
      for (const { value: given } of argumentLeaves(tool, state.args)) knowledge.noteCarried(String(given));
    }
    const value = isValue ? state.resultValue : outcome.error.detail;
    if (value === undefined || value === null) return undefined;
    if (isShared(this.#parts.past().store)) keep(this.#known, state.callId, true);
    return this.#note(state, tool, { value, isValue, text: isValue ? state.resultText : undefined });
  }

  noteGiven({ session, callId, tool }: GivenCall, outcome: Outcome): Promise<void> | undefined {
    if (outcome.kind === "pending") return undefined;
    const isValue = outcome.kind === "completed";
    const value = isValue ? (outcome.result.value ?? (outcome.result.parts as unknown as Json)) : outcome.error.detail;
    if (value === undefined || value === null) return undefined;
    const { restrictions } = this.#readerOf(session);
    const { clock, limits } = this.#parts;
    restrictions.age(clock.now(), limits.flowDecayMs);
    // What grants stays with the session that asked.
    new SessionKnowledge(restrictions, this.#bounds).note({
      origin: { callId, sessionId: session.id, tool: tool.name, atMs: clock.now(), isOutside: tool.isEgress, isNamed: false },
      value,
      given: [],
      labels: labelReader(isValue ? tool : { source: tool.source, outputLabels: {} }),
      chars: JSON.stringify(value).length,
      text: undefined,
    });
    return restrictions.waitingChars > limits.flowWaitingCharsMax ? restrictions.settle(pause) : undefined;
  }

  #note(
    state: CallState,
    tool: Tool,
    { value, isValue, text }: { readonly value: Json; readonly isValue: boolean; readonly text: string | undefined },
  ): Promise<void> | undefined {
    const { session, callId } = state;
    const { clock, limits } = this.#parts;
    const knowledge = this.#knowledgeOf(session);
    knowledge.restrictions.age(clock.now(), limits.flowDecayMs);
    if (state.turn.said !== undefined) knowledge.words.add(state.turn.said, session.wordsAttested);
    knowledge.note({
      origin: {
        callId,
        sessionId: session.id,
        tool: tool.name,
        atMs: clock.now(),
        isOutside: tool.isEgress,
        isNamed: namesSomething(state.args, knowledge),
      },
      value,
      given: shortValues(state.args),
      // What an upstream says of a failure is nobody's declared output.
      labels: labelReader(isValue ? tool : { source: tool.source, outputLabels: {} }),
      chars: text?.length ?? JSON.stringify(value).length,
      text,
    });
    return knowledge.restrictions.waitingChars > limits.flowWaitingCharsMax ? knowledge.restrictions.settle(pause) : undefined;
  }

  noteReader(state: CallState): readonly Operation[] {
    const { session, parent } = state;
    if (parent !== undefined) return [];
    const { clock, limits, past } = this.#parts;
    const nowMs = clock.now();
    const lastMs = this.#notedAtMs.get(session);
    if (lastMs !== undefined && nowMs - lastMs < noteAgainMs(past().store, limits)) return [];
    this.#noting.set(state, nowMs);
    return [readerPut(session, { nowMs, decayMs: limits.flowDecayMs })];
  }

  readerNoted(state: CallState): void {
    const atMs = this.#noting.get(state);
    if (atMs !== undefined) this.#notedAtMs.set(state.session, atMs);
  }

  /**
   * A session that another process began or may serve as well, or that was forgotten here, is read back before it is judged. Undefined where all of it is
   * known.
   */
  #recall(session: LiveSession, knowledge: SessionKnowledge): Promise<void> | undefined {
    let recalled = this.#recalled.get(knowledge);
    if (recalled === undefined) {
      recalled = { untilMs: undefined, reading: undefined };
      this.#recalled.set(knowledge, recalled);
      if (session.createdAtMs >= this.#startedAtMs && !this.#hasForgotten && !session.isShared) recalled.untilMs = this.#parts.clock.now();
    }
    if (recalled.reading !== undefined) return recalled.reading;
    if (recalled.untilMs !== undefined && !session.isShared) return undefined;
    const standing = recalled;
    standing.reading = this.#readBack(session, knowledge, standing).finally(() => (standing.reading = undefined));
    return standing.reading;
  }

  async #readBack(session: LiveSession, knowledge: SessionKnowledge, recalled: Recalled): Promise<void> {
    const { clock, limits } = this.#parts;
    const beganMs = clock.now();
    const { untilMs } = recalled;
    const query = { tenant: session.principal.tenant, sessionId: session.id, limit: limits.flowHistoryEntriesMax };
    const parts = this.#parts.past();
    const isFirst = untilMs === undefined;
    const { items, isWhole } = await pastOf(parts, isFirst ? query : { ...query, sinceMs: untilMs - limits.readerOverlapMs }, (entry) =>
      isFirst ? false : this.#isKnown(entry),
    );
    assert(isWhole, "a past that is not known whole decides nothing");
    for (const { entry } of items) keep(this.#known, entryName(entry), true);
    const past = { sessionId: session.id, wordsAttested: session.wordsAttested };
    if (!takeIn(parts, knowledge, past, items)) knowledge.restrictions.saturate(beganMs + limits.flowDecayMs);
    recalled.untilMs = beganMs;
  }

  #isKnown(entry: Entry): boolean {
    if (this.#known.get(entryName(entry)) === true) return true;
    return entry.kind === "call-settled" && this.#known.get(entry.callId ?? "") === true;
  }

  /** What other sessions of the principal under the same credential have read elsewhere or before. Undefined where that was looked at already. */
  #lookAround(session: LiveSession, reader: Reader): Promise<void> | undefined {
    const { clock, limits, past } = this.#parts;
    if (reader.looking !== undefined) return reader.looking;
    const { store } = past();
    const isStale = isShared(store) && clock.now() - (reader.lookedAtMs ?? 0) >= limits.readerLookMs;
    const hasPast = store.survivesRestart || this.#hasForgotten;
    if (reader.lookedAtMs === undefined ? !hasPast : !isStale) return undefined;
    reader.looking = this.#look(session, reader).finally(() => (reader.looking = undefined));
    return reader.looking;
  }

  async #look(session: LiveSession, reader: Reader): Promise<void> {
    const { clock } = this.#parts;
    const { store } = this.#parts.past();
    const beganMs = clock.now();
    const { writer } = store;
    const others = writer === undefined ? undefined : othersOf(await store.writers(), writer);
    // Nobody else wrote anything since the last look: one question, whatever the number of sessions.
    const isQuiet = others !== undefined && reader.lookedAs === writer && reader.lookedAfter === others;
    if (!isQuiet) await this.#lookInto(session, reader, beganMs);
    reader.lookedAtMs = beganMs;
    reader.lookedAs = writer;
    reader.lookedAfter = others;
  }

  async #lookInto(session: LiveSession, reader: Reader, beganMs: number): Promise<void> {
    const { limits } = this.#parts;
    const { store } = this.#parts.past();
    const sessions = await readerSessions(store, session, limits.readerSessionsMax);
    const endMs = beganMs + limits.flowDecayMs;
    if (sessions.length >= limits.readerSessionsMax) reader.restrictions.saturate(endMs);
    let left = limits.readerEntriesMax;
    for (const other of sessions) {
      if (other.sessionId === session.id || !this.#mayBeNew(other, reader, beganMs)) continue;
      if (left > 0) left -= await this.#readOther(session, reader, { other, limit: Math.min(left, limits.flowHistoryEntriesMax) });
      if (left <= 0) reader.restrictions.saturate(endMs);
    }
  }

  /** Whether a session has read anything that this process does not know yet. */
  #mayBeNew({ createdAtMs, atMs }: ReaderSession, { lookedAtMs }: Reader, nowMs: number): boolean {
    const { limits, past } = this.#parts;
    if (nowMs - atMs > limits.flowDecayMs + noteAgainMs(past().store, limits)) return false;
    if (!isShared(past().store)) return this.#hasForgotten || createdAtMs < this.#startedAtMs;
    return lookedAtMs === undefined || atMs + limits.readerNoteMs + limits.readerOverlapMs >= lookedAtMs;
  }

  /** Returns how many entries it took. */
  async #readOther(
    session: LiveSession,
    reader: Reader,
    { other, limit }: { readonly other: ReaderSession; readonly limit: number },
  ): Promise<number> {
    const { clock, limits } = this.#parts;
    const parts = this.#parts.past();
    const nowMs = clock.now();
    const { lookedAtMs, lookedAs } = reader;
    // What this process wrote it noted when it happened; under another place than at the last look somebody else may have written before it.
    const exceptWriter = lookedAtMs !== undefined && lookedAs === parts.store.writer ? lookedAs : undefined;
    const sinceMs = lookedAtMs === undefined ? nowMs - limits.flowDecayMs : lookedAtMs - limits.readerOverlapMs;
    const query = { tenant: session.principal.tenant, sessionId: other.sessionId, sinceMs, exceptWriter, limit };
    const { items, isWhole } = await pastOf(parts, query, (entry) => this.#isKnown(entry));
    for (const { entry } of items) keep(this.#known, entryName(entry), true);
    // What grants stays with the session that it was granted to: only what restricts is taken over.
    const knowledge = new SessionKnowledge(reader.restrictions, this.#bounds);
    const isOpen = takeIn(parts, knowledge, { sessionId: other.sessionId, wordsAttested: false }, items);
    if (!isOpen || !isWhole) reader.restrictions.saturate(nowMs + limits.flowDecayMs);
    return items.length;
  }

  #knowledgeOf(session: LiveSession, reader = this.#readerOf(session)): SessionKnowledge {
    const known = this.#sessions.get(session.id);
    if (known !== undefined) return known;
    if (this.#sessions.size >= this.#parts.limits.flowSessionsMax) {
      this.#sessions.delete(this.#sessions.keys().next().value as string);
      this.#hasForgotten = true;
    }
    const knowledge = new SessionKnowledge(reader.restrictions, this.#bounds);
    this.#sessions.set(session.id, knowledge);
    return knowledge;
  }

  #readerOf(session: LiveSession): Reader {
    const key = `${readerOf(session)}/${session.principal.tenant}`;
    const known = this.#readers.get(key);
    if (known !== undefined) return known;
    if (this.#readers.size >= this.#parts.limits.flowSessionsMax) this.#forgetReader(this.#readers.keys().next().value as string);
    const restrictions = new Restrictions(this.#parts.random.bytes(4).readUInt32LE(), this.#bounds, this.#parts.clock.now());
    const reader: Reader = { restrictions, lookedAtMs: undefined, lookedAs: undefined, lookedAfter: undefined, looking: undefined };
    this.#readers.set(key, reader);
    return reader;
  }

  /** Its sessions go with it: they would go on with restrictions that no new session sees. */
  #forgetReader(key: string): void {
    const gone = this.#readers.get(key);
    this.#readers.delete(key);
    for (const [id, knowledge] of this.#sessions) if (knowledge.restrictions === gone?.restrictions) this.#sessions.delete(id);
    this.#hasForgotten = true;
  }
}

function entryName({ writer, epoch, seq }: EntryPosition): string {
  return `${writer}/${epoch}/${seq}`;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How far all other writers are, as one text. */
function othersOf(heads: readonly WriterHead[], writer: string): string {
  return heads.flatMap((head) => (head.writer === writer ? [] : [`${head.writer}/${head.epoch}/${head.seq}`])).join(" ");
}
