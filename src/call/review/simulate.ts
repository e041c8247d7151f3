/**
 * What another policy would have made of the calls that the ledger holds: every recorded call is judged again with the arguments and facts of its time.
 * Reads only; nothing is called. What a policy does not decide stays as it was recorded: where arguments came from (`flow:`), what decision points said
 * (`point:`), and that the same call had been made a moment before (`duplicate`). What cannot be judged is named instead of guessed.
 */
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Limits } from "../../base/limits.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { Decision, Effective, Reason } from "../../domain/decision.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { Tool } from "../../domain/tool.ts";
import { isConsequential } from "../../flow/trace.ts";
import type { CallBody } from "../../ledger/entries.ts";
import { readEntry, type TrailItem } from "../../ledger/trail.ts";
import type { Vault } from "../../ledger/vault.ts";
import { factAbsent, type PolicyEngine } from "../../policy/engine.ts";
import { createArgumentValidator } from "../../schema/validate.ts";
import type { Store } from "../../store/store.ts";
import { notOffered } from "../resolve.ts";
import { entriesInTime } from "./simulate-entries.ts";
import { recordedFacts, type RecordedFacts } from "./simulate-facts.ts";
import { simulatedHistory, type SimulatedHistory } from "./simulate-history.ts";
import type { DecisionInput } from "../../policy/decision-input.ts";
import type { HistoryClaim } from "../../policy/call-history.ts";

/** What a simulation works with. */
export interface SimulationParts {
  readonly store: Pick<Store, "entries" | "writers" | "read">;
  readonly vault: Vault;
  readonly limits: Limits;
  /** The policy that is tried. */
  readonly engine: PolicyEngine;
  readonly tools: readonly Tool[];
  /** Default every tenant. */
  readonly tenant?: string | undefined;
  /** Wall time in milliseconds; calls of this time and later. */
  readonly sinceMs: number;
}

/** Why a recorded call cannot be judged again. */
export type Unjudged =
  /** Its private values were erased, or are not those that were committed to. */
  | "erased"
  | "altered"
  /** A look-up that the tried policy needs was not made at the time, or failed. */
  | "fact-not-recorded"
  /** No tool of that name and version is there now. */
  | "tool-gone"
  /** The policy asks what only the session knew, and that is gone. */
  | "session-gone"
  /** Its arguments were never found valid. */
  | "arguments-invalid";

/** One side of a difference. */
export interface Judgement {
  readonly effect: Effective;
  /** With `ask`: who may answer. */
  readonly approvers: readonly string[];
  /** Each of them, by a person of its own. */
  readonly isOfEach?: true;
  /** Rules that speak for the effect. */
  readonly rules: readonly string[];
}

interface OfCall {
  readonly callId: string;
  readonly tenant: string;
  readonly atMs: number;
  readonly tool: string;
  readonly user: string;
}

/** What a simulation finds, call by call, and last its summary. */
export type SimulationItem =
  | (OfCall & {
      readonly kind: "differs";
      readonly was: Judgement;
      readonly would: Judgement;
      /** What was not heard at the time, since the policy had denied already, and could still ask or deny. */
      readonly unheard: readonly ("trace" | "points")[];
    })
  | (OfCall & { readonly kind: "unjudged"; readonly why: Unjudged })
  | SimulationSummary;

/** The counts of a simulation. */
export interface SimulationSummary {
  readonly kind: "summary";
  /** Version of the tried policy. */
  readonly policyVersion: string;
  readonly sinceMs: number;
  readonly judgedCount: number;
  readonly sameCount: number;
  readonly differsCount: number;
  readonly unjudgedCount: number;
  /** Counts by change, such as `allow → deny`, and by why a call could not be judged. */
  readonly changes: Readonly<Record<string, number>>;
  readonly unjudged: Readonly<Record<string, number>>;
  /** False when there were more than `simulatedCallsMax` calls; the rest was not looked at. */
  readonly isComplete: boolean;
}

/** Judges every recorded call of the period again. Holds nobody up: it pauses every few calls, and keeps at most `simulatedRowsMax` of anything in mind. */
export async function* simulatePolicy(parts: SimulationParts): AsyncGenerator<SimulationItem> {
  const simulation = new Simulation(parts);
  const { limits, store, vault } = parts;
  let isComplete = true;
  let readCount = 0;
  for await (const entry of entriesInTime(parts)) {
    if (!judgedKinds.has(entry.kind)) continue;
    if (simulation.callsCount >= limits.simulatedCallsMax) {
      isComplete = false;
      break;
    }
    readCount += 1;
    if (readCount % fixedBounds.simulatedStepCalls === 0) await pause();
    const item = await simulation.hear(await readEntry(entry, vault), store);
    if (item !== undefined) yield item;
  }
  yield simulation.summary(isComplete);
}

const judgedKinds: ReadonlySet<string> = new Set(["call-intended", "call-denied", "call-parked", "call-deferred", "call-settled"]);

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface SessionKnown {
  readonly attributes: Readonly<Record<string, Json>>;
  readonly wordsAttested: boolean;
}

type Judged =
  | { readonly kind: "judged"; readonly would: Judgement; readonly unheard: readonly ("trace" | "points")[] }
  | { readonly kind: "unjudged"; readonly why: Unjudged };

/** One run over the ledger. */
class Simulation {
  callsCount = 0;
  readonly #parts: SimulationParts;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #facts: RecordedFacts;
  readonly #history: SimulatedHistory;
  readonly #sessions = new Map<string, SessionKnown | undefined>();
  readonly #marking = new Map<string, readonly HistoryClaim[]>();
  readonly #validate: ReturnType<typeof createArgumentValidator>;
  readonly #asksSession: boolean;
  readonly #changes: Record<string, number> = {};
  readonly #unjudged: Record<string, number> = {};
  #differsCount = 0;
  #unjudgedCount = 0;

  constructor(parts: SimulationParts) {
    this.#parts = parts;
    this.#tools = new Map(parts.tools.map((tool) => [`${tool.name}@${tool.version}`, tool]));
    this.#facts = recordedFacts(parts.limits.simulatedRowsMax);
    this.#history = simulatedHistory(parts.sinceMs, parts.limits.simulatedRowsMax);
    this.#validate = createArgumentValidator(parts.limits);
    this.#asksSession = /\bprincipal(?!\.(?:user|tenant|roles)\b)|\bsession\.attested/.test(JSON.stringify(parts.engine.document));
  }

  /** Takes one entry in. Undefined where there is nothing to say of it. */
  async hear(item: TrailItem, store: SimulationParts["store"]): Promise<SimulationItem | undefined> {
    const { entry } = item;
    const callId = entry.callId ?? "";
    if (this.#facts.note(item)) return undefined;
    if (entry.kind === "call-settled") {
      this.#settled(callId, item);
      return undefined;
    }
    const body = item.body as unknown as CallBody;
    const was = wasOf(body);
    // A call that a person answered for is judged once, as it was first decided.
    if (was === undefined || (await isWoken(item, body, store))) return undefined;
    this.callsCount += 1;
    const of: OfCall = { callId, tenant: entry.tenant, atMs: entry.atMs, tool: body.tool, user: body.user };
    const judged = await this.#judge(item, body, was);
    this.#facts.forget(callId);
    if (judged.kind === "unjudged") {
      this.#unjudgedCount += 1;
      this.#unjudged[judged.why] = (this.#unjudged[judged.why] ?? 0) + 1;
      return { ...judged, ...of };
    }
    const { would, unheard } = judged;
    const isSame = would.isOfEach === was.isOfEach && would.approvers.join("\n") === was.approvers.join("\n");
    if (would.effect === was.effect && isSame) return undefined;
    this.#differsCount += 1;
    const change = `${was.effect} → ${would.effect}`;
    this.#changes[change] = (this.#changes[change] ?? 0) + 1;
    return { kind: "differs", ...of, was, would, unheard };
  }

  summary(isComplete: boolean): SimulationSummary {
    return {
      kind: "summary",
      policyVersion: this.#parts.engine.version,
      sinceMs: this.#parts.sinceMs,
      judgedCount: this.callsCount - this.#unjudgedCount,
      sameCount: this.callsCount - this.#unjudgedCount - this.#differsCount,
      differsCount: this.#differsCount,
      unjudgedCount: this.#unjudgedCount,
      changes: this.#changes,
      unjudged: this.#unjudged,
      isComplete,
    };
  }

  #settled(callId: string, item: TrailItem): void {
    const claims = this.#marking.get(callId);
    this.#marking.delete(callId);
    const { outcome } = item.body as unknown as { readonly outcome: string };
    if (claims !== undefined && outcome === "completed") this.#history.mark(item.entry.tenant, claims, item.entry.atMs);
  }

  async #judge(item: TrailItem, body: CallBody, was: Judgement): Promise<Judged> {
    const { engine } = this.#parts;
    const tool = this.#toolOf(body);
    const isHidden = body.stage === "resolve";
    if (tool === undefined) return isHidden ? asBefore(was) : unjudged("tool-gone");
    if (!engine.grants(body.roles, tool)) return judgedAs({ effect: "deny", approvers: [], rules: ["grant"] });
    if (item.private === undefined) return unjudged(item.values === "altered" ? "altered" : "erased");
    const args = this.#argumentsOf(item.private["requested"] ?? item.private["arguments"], tool, isHidden);
    if (args === undefined) return unjudged("arguments-invalid");
    const session = await this.#session(item);
    if (session === undefined && this.#asksSession) return unjudged("session-gone");
    const input: DecisionInput = {
      tool,
      args,
      principal: { tenant: item.entry.tenant, user: body.user, roles: body.roles, attributes: session?.attributes ?? {} },
      session: { id: item.entry.sessionId ?? "", attested: session?.wordsAttested ?? false },
      nowMs: item.entry.atMs,
    };
    return this.#decide(input, item, { body, was });
  }

  #decide(input: DecisionInput, item: TrailItem, { body, was }: { readonly body: CallBody; readonly was: Judgement }): Judged {
    const { engine } = this.#parts;
    const callId = item.entry.callId ?? "";
    const recorded = (body.decision?.reasons ?? []) as readonly Reason[];
    const needed = engine.neededFacts(input);
    if (needed.kind === "error") return judgedAs({ effect: "deny", approvers: [], rules: [`error:${needed.rule}`] });
    const facts: Record<string, Json> = {};
    for (const request of needed.facts) {
      const answer = this.#facts.answerTo(callId, request, body.decision?.factsFrom?.[request.name]);
      if (answer.kind === "missing") return unjudged(answer.why);
      if (answer.kind === "absent") return judgedAs({ effect: "deny", approvers: [], rules: [factAbsent] });
      facts[request.name] = answer.value;
    }
    const history = engine.history({ ...input, facts });
    if (history?.kind === "error") return judgedAs({ effect: "deny", approvers: [], rules: [`error:${history.rule}`] });
    const claims = history?.claims ?? [];
    const { tenant, atMs } = item.entry;
    const findings = this.#history.findings(claims, { tenant, atMs, recorded });
    const decision = withRecorded(engine.decide({ ...input, facts, findings }), recorded, body.decision?.approvers);
    // It counts where it passed then, or would pass now without anybody's answer.
    if (decision.effect !== "deny" && (item.entry.kind !== "call-denied" || decision.effect === "allow" || decision.effect === "modify"))
      this.#count(item, claims);
    const isNewlyHeard = was.effect === "deny" && decision.effect !== "deny" && !recorded.some(isElsewhere);
    return { kind: "judged", would: judgementOf(decision), unheard: isNewlyHeard ? unheardOf(input.tool) : [] };
  }

  #count({ entry }: TrailItem, claims: readonly HistoryClaim[]): void {
    this.#history.count(entry.tenant, claims, entry.atMs);
    if (!claims.some(({ kind }) => kind === "mark")) return;
    dropOldest(this.#marking, this.#parts.limits.simulatedRowsMax);
    this.#marking.set(entry.callId ?? "", claims);
  }

  /** What was hidden is looked for as the model named it. */
  #toolOf({ tool, version }: CallBody): Tool | undefined {
    if (version !== undefined) return this.#tools.get(`${tool}@${version}`);
    return this.#tools.get(tool) ?? this.#parts.tools.find(({ name }) => name === tool);
  }

  /** Arguments of a call that was decided are recorded as they were valid; those of a hidden tool's as they were sent. */
  #argumentsOf(given: Json | undefined, tool: Tool, isSent: boolean): JsonObject | undefined {
    if (!isSent) return isObject(given) ? given : undefined;
    let sent: unknown;
    try {
      sent = typeof given === "string" ? parseOwnJson(given) : given;
    } catch {
      // The model sent no JSON: then there is nothing to judge.
      return undefined;
    }
    if (!isObject(sent)) return undefined;
    const checked = this.#validate(tool, sent);
    return checked.kind === "invalid" ? undefined : checked.value;
  }

  async #session({ entry }: TrailItem): Promise<SessionKnown | undefined> {
    const key = `${entry.tenant}\u0000${entry.sessionId ?? ""}`;
    if (this.#sessions.has(key)) return this.#sessions.get(key);
    const [row] = await this.#parts.store.read([{ space: "session", tenant: entry.tenant, key: entry.sessionId ?? "" }]);
    const known = row?.body as unknown as SessionKnown | undefined;
    dropOldest(this.#sessions, this.#parts.limits.simulatedRowsMax);
    this.#sessions.set(key, known === undefined ? undefined : { attributes: known.attributes, wordsAttested: known.wordsAttested });
    return known;
  }
}

function unjudged(why: Unjudged): Judged {
  return { kind: "unjudged", why };
}

function judgedAs(would: Judgement): Judged {
  return { kind: "judged", would, unheard: [] };
}

function asBefore(was: Judgement): Judged {
  return judgedAs(was);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value as string);
}

/** What was decided at the time; undefined for what no policy decided, such as arguments that did not fit. */
function wasOf({ decision, stage, code, reason }: CallBody): Judgement | undefined {
  if (decision !== undefined)
    return {
      effect: decision.effect as Effective,
      approvers: decision.approvers ?? [],
      ...(decision.isOfEach === true && { isOfEach: true }),
      rules: rulesFor(decision.reasons as readonly Reason[], decision.effect),
    };
  const isUnseen = stage === "resolve" && code === "TOOL_NOT_FOUND" && reason?.includes(notOffered) !== true;
  const isBroken = stage === "authorize" && (code === "DECISION_FAILED" || code === "DECISION_UNAVAILABLE");
  return isUnseen || isBroken ? { effect: "deny", approvers: [], rules: [isUnseen ? "grant" : "error"] } : undefined;
}

async function isWoken({ entry }: TrailItem, { approvalId, waitedSinceMs }: CallBody, store: Pick<Store, "entries">): Promise<boolean> {
  if (waitedSinceMs !== undefined) return true;
  if (entry.kind === "call-intended") return approvalId !== undefined;
  if (entry.kind !== "call-denied" || entry.callId === undefined) return false;
  return (await store.entries({ tenant: entry.tenant, callId: entry.callId, kind: "call-parked", limit: 1 })).length > 0;
}

function judgementOf(decision: Decision): Judgement {
  const { effect, ask, reasons } = decision;
  return { effect, approvers: ask?.approvers ?? [], ...(ask?.isOfEach === true && { isOfEach: true }), rules: rulesFor(reasons, effect) };
}

function rulesFor(reasons: readonly Reason[], effect: string): readonly string[] {
  return [...new Set(reasons.flatMap((reason) => (reason.effect === effect ? [reason.rule] : [])))];
}

function isElsewhere({ rule }: Reason): boolean {
  return rule.startsWith("flow:") || rule.startsWith("set:") || rule.startsWith("point:") || rule === "duplicate";
}

function unheardOf(tool: Tool): readonly ("trace" | "points")[] {
  return isConsequential(tool) ? ["trace", "points"] : ["points"];
}

/** What others than the policy said of the call stands: the policy that is tried does not change it. */
function withRecorded(decision: Decision, recorded: readonly Reason[], approvers: readonly string[] | undefined): Decision {
  const elsewhere = recorded.filter(isElsewhere);
  if (elsewhere.length === 0) return decision;
  const reasons = [...decision.reasons, ...elsewhere];
  if (decision.effect === "deny" || elsewhere.some(({ effect }) => effect === "deny"))
    return { ...decision, effect: "deny", reasons, ask: undefined };
  if (elsewhere.some(({ effect }) => effect === "ask")) {
    const ask = decision.ask ?? { gate: "approval", approvers: approvers ?? [], quorum: 1, needsFreshAuthentication: false };
    return { ...decision, effect: "ask", reasons, ask };
  }
  const asking = decision.reasons.filter(({ effect }) => effect === "ask");
  const isAnswered = elsewhere.some(({ rule }) => rule === "flow:passed") && asking.every(({ rule }) => rule === "tier:irreversible");
  return isAnswered ? { ...decision, effect: "allow", reasons, ask: undefined } : { ...decision, reasons };
}
