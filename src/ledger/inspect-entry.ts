import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import type { Entry } from "../store/store.ts";
import type { ProblemKind } from "./verification.ts";
import { isProven, isSealedUnder, valuesProof } from "./values-proof.ts";
import type { Vault } from "./vault.ts";

/** Checks one entry by itself: its row says what its text says, and, with a vault, its private values are those it committed to. */
export async function inspectEntry(
  entry: Entry,
  vault: Vault | undefined,
): Promise<{ readonly kind: ProblemKind; readonly message: string } | undefined> {
  const where = `entry ${entry.seq} of \`${entry.writer}\``;
  const facts = parsed(entry.text);
  if (facts === undefined) return { kind: "edited", message: `the text of ${where} is not JSON` };
  if (typeof facts["seq"] === "number" && facts["seq"] !== entry.seq)
    return { kind: "reordered", message: `at ${where} stands the text of entry ${facts["seq"]}` };
  const wrong = disagreements(entry, facts);
  if (wrong.length > 0)
    return { kind: "edited", message: `${where} has other values than its text: ${wrong.map((name) => `\`${name}\``).join(", ")}` };
  if (vault === undefined) return undefined;
  const trouble = await valuesTrouble(entry, facts, vault);
  return trouble === undefined ? undefined : { kind: "values-altered", message: `the private values of ${where} ${trouble}` };
}

function disagreements(entry: Entry, facts: JsonObject): readonly string[] {
  const expected: Readonly<Record<string, unknown>> = {
    seq: entry.seq,
    writer: entry.writer,
    epoch: entry.epoch,
    tenant: entry.tenant,
    kind: entry.kind,
    at: timeText(entry.atMs),
    callId: entry.callId,
    sessionId: entry.sessionId,
    runId: entry.runId,
  };
  return Object.keys(expected).filter((name) => facts[name] !== expected[name]);
}

function timeText(atMs: number): string | undefined {
  // A time out of range has no text and so agrees with none.
  return Number.isFinite(atMs) && Math.abs(atMs) <= 8.64e15 ? isoTime(atMs) : undefined;
}

async function valuesTrouble(entry: Entry, facts: JsonObject, vault: Vault): Promise<string | undefined> {
  const proof = valuesProof(facts["body"]);
  if (proof === undefined) return entry.sealed === undefined ? undefined : "were added to an entry that committed to none";
  if (entry.sealed === undefined) return "are missing";
  if (!isSealedUnder(proof, entry.sealed)) return "are sealed under another key than the entry names";
  try {
    const opened = await vault.openValues(entry);
    // `undefined`: the key was destroyed, which is how values are erased.
    return opened === undefined || isProven(proof, opened) ? undefined : "are not those it committed to";
  } catch (error) {
    if (error instanceof ToolCallError) return `do not open: ${error.message}`;
    throw error;
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    // Reported by the caller as an edited text.
    return undefined;
  }
}
