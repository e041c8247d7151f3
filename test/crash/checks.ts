import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { readAnchorFile } from "../../src/ledger/anchor.ts";
import { openKeyFile } from "../../src/ledger/key-file.ts";
import type { Verification } from "../../src/ledger/verification.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { pendingCounter } from "../../src/approvals/approvals.ts";
import { stepCounter } from "../../src/approvals/plans.ts";
import { deferredCounter } from "../../src/call/deferral-rows.ts";
import { openSqliteReader } from "../../src/store/sqlite.ts";
import type { Entry, Store } from "../../src/store/store.ts";
import type { Acknowledgement, Order } from "./load.ts";

/** An effect that the outside world saw. */
export interface SeenEffect {
  readonly path: string;
  readonly key: string;
  readonly order: string;
}

/** How a call of an order ended, as the gateway tells it at last; undefined where it knows of no such call. */
export type Ends = ReadonlyMap<string, Acknowledgement | undefined>;

/** Everything that is wrong with one order, in words; nothing when all is well. */
export function judgeOrder(order: Order, ends: Ends, effects: readonly SeenEffect[]): readonly string[] {
  const wrong: string[] = [];
  const told = [...ends.values()].filter((end) => end !== undefined);
  const completed = told.filter((end) => end.outcome === "completed").length;
  const unknown = told.filter((end) => end.outcome === "unknown").length;
  if (order.acknowledgements.length === 0) wrong.push("was never answered");
  for (const [callId, end] of ends) if (end === undefined) wrong.push(`\`${callId}\` was acknowledged and is lost`);
  for (const said of order.acknowledgements)
    if (!isKept(said, ends.get(said.callId))) wrong.push(`was told ${words(said)}, which became ${words(ends.get(said.callId))}`);
  for (const end of told) if (!isEnd(order, end)) wrong.push(`ended ${words(end)}`);
  if (effects.length > 1) wrong.push(`had ${effects.length} effects`);
  if (new Set(effects.map(({ key }) => key)).size > 1) wrong.push("reached the outside under several keys");
  if (completed > effects.length) wrong.push(`completed ${completed} times with ${effects.length} effects`);
  if (effects.length > completed + unknown) wrong.push(`had ${effects.length} effects, and no outcome says so`);
  if (order.kind === "keyed" && order.wish !== "no" && completed !== 1) wrong.push(`completed ${completed} times`);
  return wrong.map((what) => `${order.id} ${what}`);
}

/** Whether what was once told still holds: only what waited or was unknown may have become something else. */
function isKept(said: Acknowledgement, end: Acknowledgement | undefined): boolean {
  if (end === undefined || said.outcome === "pending") return true;
  return said.outcome === "unknown" || (said.outcome === end.outcome && said.effect === end.effect && said.code === end.code);
}

/** Whether a call of this order may end so. */
function isEnd(order: Order, end: Acknowledgement): boolean {
  if (order.wish === "no") return end.outcome === "denied" && end.code === "APPROVAL_REJECTED";
  if (end.outcome === "completed") return true;
  if (order.kind === "looked") return end.outcome === "failed" && end.effect === "none";
  return order.kind === "opaque" && end.outcome === "unknown";
}

function words(end: Acknowledgement | undefined): string {
  return end === undefined ? "nothing" : [end.outcome, end.code, end.effect, end.waitsFor].filter((word) => word !== undefined).join(" ");
}

/** What the store says when no process has it open. */
export interface Inspected {
  readonly verification: Verification;
  readonly anchors: number;
  /** What contradicts itself; nothing when all is well. */
  readonly problems: readonly string[];
  /** Idempotency keys of every call that was intended or waits. */
  readonly acceptedKeys: ReadonlySet<string>;
  /** Calls that ran under a plan. */
  readonly plannedCount: number;
}

/** What of a store is read here. */
type StoreReader = Pick<Store, "entries" | "batches" | "writers" | "read" | "scan" | "due" | "counters">;

const pageEntries = 1_000;

/** Verifies the ledger against keys and anchors, and looks for calls that are neither open nor settled as they should be. */
export async function inspectStore(storePath: string, anchorPath: string): Promise<Inspected> {
  const reader = openSqliteReader({ path: storePath });
  try {
    return await inspect(reader, { keysPath: `${storePath}.keys`, anchorPath });
  } finally {
    await reader.close();
  }
}

/** The same of any store that can be read. */
export async function inspect(
  reader: StoreReader,
  { keysPath, anchorPath }: { readonly keysPath: string; readonly anchorPath: string },
): Promise<Inspected> {
  const keyring = await openKeyFile({ path: keysPath, clock: systemClock, random: systemRandom });
  const anchors = await readAnchorFile(anchorPath);
  const verification = await verifyLedger(reader, { publicKeys: keyring.publicKeys, anchors });
  const counts = new Map<string, Map<string, number>>();
  const acceptedKeys = new Set<string>();
  const reads = new Set<string>();
  const uses = new Map<string, PlanUse>();
  for (const entry of await callEntries(reader)) {
    const callId = entry.callId as string;
    const kinds = counts.get(callId) ?? new Map<string, number>();
    counts.set(callId, kinds.set(entry.kind, (kinds.get(entry.kind) ?? 0) + 1));
    const { body } = JSON.parse(entry.text) as { readonly body: { readonly key?: string; readonly tier?: string } };
    // A look-up of recovery claims nothing and has no effect: one that a kill cut off stays open, and nobody asks for it.
    if (body.tier === "read") reads.add(callId);
    else if (askingKinds.has(entry.kind) && body.key !== undefined) acceptedKeys.add(body.key.replace(/^key:/, ""));
    noteUse(uses, callId, entry);
  }
  for (const callId of reads) counts.delete(callId);
  const problems = [...counts].flatMap(([callId, kinds]) => entryProblems(callId, kinds));
  for (const row of await reader.due({ space: "key", untilMs: Number.MAX_SAFE_INTEGER, limit: 1_000_000 }))
    if ((row.body as { readonly state: string }).state === "running") problems.push(`${row.key} is claimed by nobody`);
  problems.push(...(await planProblems(reader, uses)));
  return { verification, anchors: anchors.length, problems, acceptedKeys, plannedCount: uses.size };
}

const askingKinds: ReadonlySet<string> = new Set(["call-intended", "call-parked", "call-deferred"]);

/** A call that ran under a plan. */
interface PlanUse {
  readonly planId: string;
  /** It certainly had no effect, so it may have given back what it took. */
  isReturned: boolean;
}

function noteUse(uses: Map<string, PlanUse>, callId: string, { kind, text }: Entry): void {
  const planId = kind === "call-intended" ? /"plan:(pln_[^"]+)"/.exec(text)?.[1] : undefined;
  if (planId !== undefined) uses.set(callId, { planId, isReturned: false });
  const use = uses.get(callId);
  if (use !== undefined && kind === "call-settled") use.isReturned = text.includes('"effect":"none"');
}

/** Plans of which more, or less, was taken than calls ran under them. */
async function planProblems(reader: StoreReader, uses: ReadonlyMap<string, PlanUse>): Promise<readonly string[]> {
  const byPlan = Map.groupBy(uses.values(), ({ planId }) => planId);
  const ids = [...byPlan.keys()];
  const taken = await reader.counters(ids.map((id) => stepCounter({ tenant: "t", id }, 0, "calls")));
  return ids.flatMap((id, index) => {
    const all = byPlan.get(id) ?? [];
    const [count, least] = [taken[index] ?? 0, all.filter(({ isReturned }) => !isReturned).length];
    return least <= count && count <= all.length
      ? []
      : [`${count} calls were taken from ${id}, and ${least} to ${all.length} ran under it`];
  });
}

/** What still lies in a store of calls that waited although all have ended: sealed arguments, delays, counts of who waits. */
export async function waitingLeft(reader: StoreReader, users: readonly string[]): Promise<readonly string[]> {
  const spaces = ["parked", "deferral"];
  const rows = (await Promise.all(spaces.map((space) => reader.scan({ space, tenant: "t", limit: pageEntries })))).flat();
  const keys = users.flatMap((user) => [pendingCounter("t", user), deferredCounter("t", user)]);
  const counts = await reader.counters(keys);
  const counted = keys.flatMap(({ space, key }, index) => ((counts[index] ?? 0) === 0 ? [] : [`${space} of ${key}: ${counts[index]}`]));
  return [...rows.map(({ space, key }) => `${space} ${key}`), ...counted];
}

/** The same of a store that no process has open. */
export async function waitingLeftAt(storePath: string, users: readonly string[]): Promise<readonly string[]> {
  const reader = openSqliteReader({ path: storePath });
  try {
    return await waitingLeft(reader, users);
  } finally {
    await reader.close();
  }
}

async function callEntries(reader: StoreReader): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const { writer, epoch } of await reader.writers()) {
    let afterSeq = 0;
    for (;;) {
      const page = await reader.entries({ writer, epoch, afterSeq, limit: pageEntries });
      found.push(...page.filter((entry) => entry.callId !== undefined));
      afterSeq = page.at(-1)?.seq ?? afterSeq;
      if (page.length < pageEntries) break;
    }
  }
  return found;
}

function entryProblems(callId: string, kinds: ReadonlyMap<string, number>): readonly string[] {
  const count = (kind: string): number => kinds.get(kind) ?? 0;
  const problems: string[] = [];
  if (count("call-intended") > 1) problems.push(`${callId} was intended ${count("call-intended")} times`);
  if (count("call-intended") === 1 && count("call-settled") === 0) problems.push(`${callId} was intended and never settled`);
  if (count("call-settled") > 0 && count("call-intended") === 0) problems.push(`${callId} was settled and never intended`);
  if (count("call-denied") > 0 && count("call-intended") > 0) problems.push(`${callId} was both denied and carried out`);
  return problems;
}
