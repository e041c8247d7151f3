import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { FlowMode } from "../domain/flow.ts";
import type { Json } from "../domain/json.ts";
import type { Tool } from "../domain/tool.ts";
import { labelReader } from "../flow/labels.ts";
import { argumentLeaves } from "../flow/roles.ts";
import { isConsequential } from "../flow/trace.ts";
import { SessionKnowledge } from "../flow/knowledge.ts";
import { Restrictions, type KnowledgeBounds } from "../flow/restrictions.ts";
import type { SettledBody } from "../ledger/entries.ts";
import type { TrailItem } from "../ledger/trail.ts";
import type { Ended } from "./outcome-record.ts";
import type { LiveSession } from "./runtime.ts";
import type { CallState } from "./stage.ts";

/** What the sessions of one process know of where values come from. */
export interface FlowDesk {
  readonly mode: FlowMode;
  /** What a session knows, with everything it has read indexed. */
  knowledgeOf(session: LiveSession): SessionKnowledge | Promise<SessionKnowledge>;
  /** Takes note of what a call brought back, before any of it leaves. Returns what to wait for, if anything. */
  noteResult(state: CallState, outcome: Ended): Promise<void> | undefined;
}

/** What a desk is made with. */
export interface FlowParts {
  readonly mode: FlowMode;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** What the ledger holds of a session, oldest first. */
  readonly history: (session: LiveSession) => Promise<readonly TrailItem[]>;
  /** The tool that a recorded call was made with, where it is still registered. */
  readonly toolOf: (nameAndVersion: string) => Tool | undefined;
}

/** The desk of one box. */
export function createFlowDesk(parts: FlowParts): FlowDesk {
  return new Desk(parts);
}

class Desk implements FlowDesk {
  readonly mode: FlowMode;
  readonly #parts: FlowParts;
  readonly #bounds: KnowledgeBounds;
  readonly #startedAtMs: number;
  readonly #sessions = new Map<string, SessionKnowledge>();
  /** Sessions whose past is known: begun here and never forgotten, or read back from the ledger. */
  readonly #recalled = new WeakMap<SessionKnowledge, Promise<void> | true>();
  #hasForgotten = false;
  readonly #restrictions = new Map<string, Restrictions>();

  constructor(parts: FlowParts) {
    this.mode = parts.mode;
    this.#parts = parts;
    this.#startedAtMs = parts.clock.now();
    this.#bounds = { slotsMax: parts.limits.flowSlotsMax, valuesMax: parts.limits.flowValuesMax };
  }

  knowledgeOf(session: LiveSession): SessionKnowledge | Promise<SessionKnowledge> {
    const knowledge = this.#known(session);
    const recalling = this.#recall(session, knowledge);
    return recalling === undefined ? this.#upToDate(knowledge) : recalling.then(() => this.#upToDate(knowledge));
  }

  #upToDate(knowledge: SessionKnowledge): SessionKnowledge | Promise<SessionKnowledge> {
    knowledge.restrictions.age(this.#parts.clock.now(), this.#parts.limits.flowDecayMs);
    const waiting = knowledge.restrictions.settle(pause);
    return waiting === undefined ? knowledge : waiting.then(() => knowledge);
  }

  noteResult(state: CallState, outcome: Ended): Promise<void> | undefined {
    const { registered, session, callId } = state;
    // What the runtime looks up for itself is shown to no model.
    if (registered === undefined || state.parent !== undefined) return undefined;
    const { tool } = registered;
    const isValue = outcome.kind === "completed";
    if (isConsequential(tool) && (isValue || outcome.error.effect !== "none")) {
      const knowledge = this.#known(session);
      for (const { value: given } of argumentLeaves(tool, state.args)) knowledge.noteCarried(String(given));
    }
    const value = isValue ? state.resultValue : outcome.error.detail;
    if (value === undefined || value === null) return undefined;
    const knowledge = this.#known(session);
    knowledge.restrictions.age(this.#parts.clock.now(), this.#parts.limits.flowDecayMs);
    if (state.turn.said !== undefined) knowledge.words.add(state.turn.said, session.wordsAttested);
    knowledge.note({
      origin: {
        callId,
        sessionId: session.id,
        tool: tool.name,
        atMs: this.#parts.clock.now(),
        isOutside: tool.isEgress,
        isNamed: namesSomething(state.args, knowledge),
      },
      value,
      given: shortValues(state.args),
      // What an upstream says of a failure is nobody's declared output.
      labels: labelReader(isValue ? tool : { source: tool.source, outputLabels: {} }),
      chars: state.resultText?.length ?? 0,
      text: isValue ? state.resultText : undefined,
    });
    return knowledge.restrictions.waitingChars > this.#parts.limits.flowWaitingCharsMax ? knowledge.restrictions.settle(pause) : undefined;
  }

  /** A session that an earlier process began, or that was forgotten here, is read back from the ledger before it is judged. Undefined where it is known. */
  #recall(session: LiveSession, knowledge: SessionKnowledge): Promise<void> | undefined {
    const recalled = this.#recalled.get(knowledge);
    if (recalled === true) return undefined;
    if (recalled !== undefined) return recalled;
    if (session.createdAtMs >= this.#startedAtMs && !this.#hasForgotten) {
      this.#recalled.set(knowledge, true);
      return undefined;
    }
    const reading = this.#readBack(session, knowledge).then(() => void this.#recalled.set(knowledge, true));
    this.#recalled.set(knowledge, reading);
    // What could not be read back is tried again by the next call; this one is not decided.
    reading.catch(() => this.#recalled.delete(knowledge));
    return reading;
  }

  async #readBack(session: LiveSession, knowledge: SessionKnowledge): Promise<void> {
    const given = new Map<string, Readonly<Record<string, Json>>>();
    const items = await this.#parts.history(session);
    assert(items.length < this.#parts.limits.flowHistoryEntriesMax, "a past that is not known whole decides nothing");
    for (const { entry, body, private: values } of items) {
      const said = values?.["said"];
      if (typeof said === "string" && (this.mode !== "strict" || session.wordsAttested)) knowledge.words.add(said, session.wordsAttested);
      const args = values?.["arguments"];
      if (entry.callId !== undefined && args !== undefined && typeof args === "object" && args !== null)
        given.set(entry.callId, args as Readonly<Record<string, Json>>);
      const value = entry.kind === "call-settled" ? values?.["result"] : undefined;
      if (value === undefined || entry.callId === undefined) continue;
      const { tool: name, version } = body as unknown as SettledBody;
      const tool = this.#parts.toolOf(`${name}@${version ?? ""}`);
      const callArgs = given.get(entry.callId) ?? {};
      knowledge.note({
        origin: {
          callId: entry.callId,
          sessionId: session.id,
          tool: name,
          atMs: entry.atMs,
          isOutside: tool?.isEgress ?? true,
          isNamed: namesSomething(callArgs, knowledge),
        },
        value,
        given: shortValues(callArgs),
        labels: labelReader(tool ?? { source: name, outputLabels: {} }),
        chars: JSON.stringify(value).length,
        text: undefined,
      });
    }
  }

  #known(session: LiveSession): SessionKnowledge {
    const known = this.#sessions.get(session.id);
    if (known !== undefined) return known;
    if (this.#sessions.size >= this.#parts.limits.flowSessionsMax) {
      this.#sessions.delete(this.#sessions.keys().next().value as string);
      this.#hasForgotten = true;
    }
    const knowledge = new SessionKnowledge(this.#restrictionsOf(session), this.#bounds);
    this.#sessions.set(session.id, knowledge);
    return knowledge;
  }

  /** Shared by all sessions of a principal under one credential, so that a new conversation sheds nothing. */
  #restrictionsOf(session: LiveSession): Restrictions {
    const key = JSON.stringify([session.throttleKey, session.credentialId]);
    const known = this.#restrictions.get(key);
    if (known !== undefined) return known;
    const restrictions = new Restrictions(this.#parts.random.bytes(4).readUInt32LE(), this.#bounds, this.#parts.clock.now());
    if (this.#restrictions.size >= this.#parts.limits.flowSessionsMax)
      this.#restrictions.delete(this.#restrictions.keys().next().value as string);
    this.#restrictions.set(key, restrictions);
    return restrictions;
  }
}

const givenCharsMax = 300;

function shortValues(args: CallState["args"]): readonly string[] {
  return Object.values(args).flatMap((value) =>
    (typeof value === "string" && value.length <= givenCharsMax) || typeof value === "number" ? [String(value)] : [],
  );
}

/** Whether the user named one of the call's arguments: then what it brought is what the user pointed at. */
function namesSomething(args: CallState["args"], knowledge: SessionKnowledge): boolean {
  if (knowledge.words.isEmpty) return false;
  return Object.values(args).some((value) => typeof value === "string" && knowledge.words.says(value));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
