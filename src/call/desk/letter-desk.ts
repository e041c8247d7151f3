import { canonicalJson } from "../../base/canonical-json.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import type { CallLetter, DeadLetter, UndeliveredLetter } from "../../domain/dead-letter.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Answer } from "../../domain/outcome.ts";
import { toolCallError, type ToolCallError } from "../../errors/tool-call-error.ts";
import type { CallBody } from "../../ledger/entries.ts";
import { letterClosed, letterRetried } from "../../ledger/letter-entries.ts";
import type { Row } from "../../store/store.ts";
import type { Assembly } from "../box/assemble.ts";
import type { DeadLetters, LetterCount, LetterResolution, LetterView } from "../box/box.ts";
import { outcomeOfCall } from "./call-outcome.ts";
import { letterKey, letterOf, putLetter } from "../dead-letters.ts";
import { causeOf, nextStep, whyNoRetry } from "./letter-words.ts";
import { resolveUnknown } from "../recovery/resolve-unknown.ts";
import { newState, noTurn } from "../state.ts";

type Parts = Pick<Assembly, "runtime" | "sessions" | "recovery" | "carrier" | "desk">;

/** Where people look into what was given up. */
export function createLetterDesk(parts: Parts, refuseWhenClosing: () => void): DeadLetters {
  return {
    list: (query) => list(parts, query),
    count: (tenant) => countLetters(parts, tenant),
    get: (id, tenant) => get(parts, id, tenant),
    async retry(id, request) {
      refuseWhenClosing();
      const row = await letterRow(parts, id, request.tenant);
      const letter = letterOf(row);
      const why = whyNoRetry(parts.runtime, letter);
      if (why !== undefined) throw toolCallError("REQUEST_INVALID", why);
      if (letter.kind === "undelivered") return await sendAgain(parts, row, letter, request.by);
      return await (letter.kind === "unknown" ? lookAgain(parts, letter, request.by) : makeAgain(parts, row, request.by));
    },
    async resolve(id, resolution) {
      refuseWhenClosing();
      checkResolution(resolution, parts.runtime.limits.reasoningCharsMax);
      const [row] = await parts.runtime.store.read([letterKey(resolution.tenant, id)]);
      // What has no letter is refused with the reason: no such call, or nothing of it is open.
      if (row === undefined || letterOf(row).kind === "unknown") return await settleUnknown(parts, id, resolution);
      return await putAway(parts, row, resolution);
    },
  };
}

async function list(
  { runtime }: Parts,
  { tenant, kind, after, limit }: Parameters<DeadLetters["list"]>[0],
): ReturnType<DeadLetters["list"]> {
  const letters: LetterView[] = [];
  const pageRows = runtime.limits.pageRowsMax;
  let last = after;
  // Few enough to be looked through: `deadLettersMax` of a tenant, but for what came since upkeep counted them.
  for (;;) {
    const rows = await runtime.store.scan({ space: "dead-letter", tenant, ...(last !== undefined && { after: last }), limit: pageRows });
    for (const row of rows) {
      last = row.key;
      const letter = letterOf(row);
      if (kind === undefined || letter.kind === kind) letters.push(viewOf(runtime, letter));
      if (letters.length === limit) return { letters, next: last };
    }
    if (rows.length < pageRows) return { letters, next: undefined };
  }
}

/** How many letters of a tenant are open. */
async function countLetters({ runtime }: Pick<Parts, "runtime">, tenant: string): Promise<LetterCount> {
  const rows = await runtime.store.scan({ space: "dead-letter", tenant, limit: runtime.limits.deadLettersMax });
  const letters = rows.map(letterOf);
  return {
    openCount: letters.length,
    unknownCount: letters.filter(({ kind }) => kind === "unknown").length,
    oldestMs: letters.length === 0 ? undefined : Math.min(...letters.map(({ sinceMs }) => sinceMs)),
  };
}

async function get(parts: Parts, id: string, tenant: string): ReturnType<DeadLetters["get"]> {
  const letter = letterOf(await letterRow(parts, id, tenant));
  const view = viewOf(parts.runtime, letter);
  if (letter.kind === "undelivered") return { ...view, arguments: undefined, message: undefined };
  const intent = await intentOf(parts, letter);
  const { outcome } = await answerFor(parts, letter);
  return { ...view, arguments: intent?.args, message: "error" in outcome ? outcome.error.message : undefined };
}

function viewOf(runtime: Parts["runtime"], letter: DeadLetter): LetterView {
  const said = { cause: causeOf(letter), next: nextStep(runtime, letter), canRetry: whyNoRetry(runtime, letter) === undefined };
  if (letter.kind !== "undelivered") return { ...letter, ...said };
  const { notice, ...facts } = letter;
  return { ...facts, type: notice.type, ...said };
}

async function letterRow({ runtime }: Parts, id: string, tenant: string): Promise<Row> {
  const [row] = await runtime.store.read([letterKey(tenant, id)]);
  if (row === undefined) throw toolCallError("NOT_FOUND", `no open dead letter \`${id.slice(0, 60)}\` here; it may have been settled`);
  return row;
}

function answerFor(parts: Parts, { id, tenant }: CallLetter): Promise<Answer> {
  return outcomeOfCall(parts, id, { id: "", tenant, administers: true });
}

async function intentOf(
  { runtime }: Parts,
  { id, tenant }: CallLetter,
): Promise<{ readonly body: CallBody; readonly args: JsonObject | undefined } | undefined> {
  const [entry] = await runtime.store.entries({ tenant, callId: id, kind: "call-intended", limit: 1 });
  if (entry === undefined) return undefined;
  const { body } = parseOwnJson(entry.text) as { readonly body: CallBody };
  return { body, args: (await runtime.vault.openValues(entry))?.["arguments"]?.value as JsonObject | undefined };
}

/** A notice: sent again soon, under its own id, as often as a new one. The letter is gone by then; where it does not arrive once more, it comes back. */
async function sendAgain({ runtime }: Parts, row: Row, letter: UndeliveredLetter, by: string): Promise<undefined> {
  const result = await runtime.store.commit({
    operations: [{ op: "delete", key: row, expect: row.version }, runtime.notices.again(letter.notice)],
    entries: [letterRetried({ place: placeOf({ runtime }, letter), by })],
  });
  if (result.kind !== "committed") throw workedOn();
  runtime.notices.nudge();
}

function workedOn(): ToolCallError {
  return toolCallError("REQUEST_INVALID", "somebody else is working on it at this moment; look again");
}

/** An unknown call: recovery looks it up, or sends it again under its own key. It never sends again what is not safe to send twice. */
async function lookAgain(parts: Parts, letter: CallLetter, by: string): Promise<Answer> {
  const { runtime, recovery } = parts;
  await runtime.store.commit({ operations: [], entries: [letterRetried({ place: placeOf(parts, letter), by })] });
  await recovery.reconcile(letter.tenant, letter.keyRow);
  return await answerFor(parts, letter);
}

/**
 * A failed call that did nothing: made again in its session under the same key, with the rights and the policy of now. While that is under way nobody else can
 * have it made again; the letter goes when the call has not failed once more.
 */
async function makeAgain(parts: Parts, row: Row, by: string): Promise<Answer> {
  const { runtime, sessions, carrier } = parts;
  const letter = letterOf(row) as CallLetter;
  const [session, intent] = await Promise.all([sessions.find(letter.sessionId, letter.tenant), intentOf(parts, letter)]);
  if (session === undefined || session.stopped !== undefined)
    throw toolCallError("REQUEST_INVALID", "its session is over, so it cannot be made again; whoever wants it asks anew");
  if (intent?.args === undefined)
    throw toolCallError("REQUEST_INVALID", "its arguments were erased, so it cannot be made again; whoever wants it asks anew");
  const nowMs = runtime.clock.now();
  if ((letter.retriedUntilMs ?? 0) > nowMs) throw toolCallError("REQUEST_INVALID", "somebody has it made again at this moment");
  const state = newState({ runtime, session, ...madeOf(letter, intent.body, intent.args) });
  const held: CallLetter = { ...letter, retriedUntilMs: nowMs + runtime.limits.executeDeadlineMs + runtime.limits.replyDeadlineMs };
  const claimed = await runtime.store.commit({
    operations: [putLetter(held, runtime.limits.deadLetterKeepMs, row.version)],
    entries: [letterRetried({ place: placeOf(parts, letter), by, retriedAs: state.callId })],
  });
  if (claimed.kind !== "committed") throw toolCallError("REQUEST_INVALID", "somebody has it made again at this moment");
  const answer = await carrier.track(state);
  const { kind } = answer.outcome;
  const isOver = kind !== "failed" && kind !== "denied";
  await runtime.store.commit({
    operations: [
      isOver ? { op: "delete", key: row, expect: row.version + 1 } : putLetter(letter, runtime.limits.deadLetterKeepMs, row.version + 1),
    ],
    entries: [],
  });
  return answer;
}

/** The same call: its explicit key, or its turn and provider id, give it the key that it had. */
function madeOf(letter: CallLetter, body: CallBody, args: JsonObject): Pick<Parameters<typeof newState>[0], "turn" | "call"> {
  const { providerCallId, turnId, traceId, model, key } = body;
  return {
    turn: { ...noTurn, id: turnId, traceId, model },
    call: {
      id: providerCallId ?? letter.id,
      hasProviderId: providerCallId !== undefined,
      name: `${letter.tool}@${letter.version}`,
      raw: canonicalJson(args),
      arguments: { kind: "parsed", value: args },
      echo: null,
      ...(key?.startsWith("key:") === true && { key: key.slice("key:".length) }),
    },
  };
}

function checkResolution({ by, note }: LetterResolution, noteCharsMax: number): void {
  if (by === "") throw toolCallError("REQUEST_INVALID", "say who found it out, in `by`");
  if (note.trim() === "" || note.length > noteCharsMax || !note.isWellFormed())
    throw toolCallError("REQUEST_INVALID", `say in \`note\` how you found out, in 1 to ${noteCharsMax} characters`);
}

async function settleUnknown(parts: Parts, id: string, resolution: LetterResolution): Promise<Answer> {
  const { happened, tenant } = resolution;
  if (happened === undefined)
    throw toolCallError("REQUEST_INVALID", "nobody knows whether this call happened; look, and say in `happened` whether it did");
  await resolveUnknown(parts, id, { ...resolution, happened });
  return await outcomeOfCall(parts, id, { id: resolution.by, tenant, administers: true });
}

async function putAway(parts: Parts, row: Row, { by, happened, note, tenant }: LetterResolution): Promise<Answer | undefined> {
  const { runtime } = parts;
  const letter = letterOf(row);
  if (happened !== undefined)
    throw toolCallError("REQUEST_INVALID", "how this one ended is known already; leave `happened` out to put it away");
  await runtime.vault.prepare(tenant);
  const values = runtime.vault.sealValues({ tenant, kind: "dead-letter-closed", callId: letter.id }, { note: canonicalJson(note) });
  const result = await runtime.store.commit({
    operations: [{ op: "delete", key: row, expect: row.version }],
    entries: [letterClosed({ place: placeOf(parts, letter), by, kind: letter.kind, values })],
  });
  if (result.kind !== "committed") throw workedOn();
  return letter.kind === "undelivered" ? undefined : await answerFor(parts, letter);
}

function placeOf({ runtime }: Pick<Parts, "runtime">, letter: DeadLetter): Parameters<typeof letterClosed>[0]["place"] {
  const { id: callId, tenant } = letter;
  return { tenant, callId, ...("sessionId" in letter && { sessionId: letter.sessionId }), atMs: runtime.clock.now() };
}
