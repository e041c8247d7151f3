import type { Principal } from "../domain/principal.ts";
import type { CommitResult, Operation, RowKey } from "../store/store.ts";
import { asksRefused } from "../ledger/ask-entries.ts";
import { stop } from "./endings.ts";
import type { Runtime, CallState } from "./runtime.ts";
import type { Ending } from "./verdict.ts";

/** Spaces of counters that are over when they are due. */
export const askSpaces = ["asks", "asks-refused"] as const;

const minuteMs = 60_000;
const hourMs = 3_600_000;

function windowKey(space: (typeof askSpaces)[number], { tenant, user }: Principal, name: string): RowKey {
  return { space, tenant, key: JSON.stringify([user, name]) };
}

/** What a question takes of how often one user's calls may ask in a minute; exact over all processes, as part of the question's own transaction. */
export function askClaim(state: CallState): Operation {
  const { clock, limits } = state.runtime;
  const minute = Math.floor(clock.now() / minuteMs);
  const dueMs = (minute + 1) * minuteMs;
  return {
    op: "add",
    key: windowKey("asks", state.session.principal, String(minute)),
    delta: 1,
    max: limits.approvalAsksPerMinuteMax,
    dueMs,
  };
}

/** Nobody is asked, since too many wait or too many were asked in a moment. It is counted, and the first of an hour stands in the ledger. */
export async function refuseAsk(
  state: CallState,
  refused: Extract<CommitResult, { readonly reason: "counter" }>,
  isPending: boolean,
): Promise<Ending> {
  const { clock, limits } = state.runtime;
  await countRefusal(state, isPending ? "pending" : "rate");
  if (isPending)
    return stop("RATE_LIMITED", `${refused.value} calls of this user wait for a person already; let somebody answer those first`, {
      retryAfterMs: minuteMs,
    });
  const retryAfterMs = minuteMs - (clock.now() % minuteMs);
  const most = limits.approvalAsksPerMinuteMax;
  return stop("RATE_LIMITED", `calls of this user asked people ${most} times within a minute, which is the most; wait ${retryAfterMs} ms`, {
    retryAfterMs,
  });
}

async function countRefusal(state: CallState, cap: "pending" | "rate"): Promise<void> {
  const { runtime, session, registered } = state;
  const nowMs = runtime.clock.now();
  const hour = Math.floor(nowMs / hourMs);
  const dueMs = (hour + 2) * hourMs;
  const count: Operation = { op: "add", key: windowKey("asks-refused", session.principal, String(hour)), delta: 1, dueMs };
  const first: Operation = { op: "add", key: windowKey("asks-refused", session.principal, `${hour}/told`), delta: 1, max: 1, dueMs };
  const { tenant, user } = session.principal;
  const entry = asksRefused({
    place: { tenant, sessionId: session.id, atMs: nowMs },
    cap,
    credentialId: session.credentialId,
    tool: registered?.tool.name,
    user,
  });
  try {
    const told = await runtime.store.commit({ operations: [first, count], entries: [entry] });
    if (told.kind === "refused") await runtime.store.commit({ operations: [count], entries: [] });
  } catch (cause) {
    // The refusal stands all the same: nobody was asked and nothing is done.
    runtime.reportFault("asks", cause);
  }
}

/** How many questions about calls of a user were refused in this hour and the last: a flood is news to whoever judges one of them. */
export async function refusedAsks(runtime: Pick<Runtime, "clock" | "store">, principal: Principal): Promise<number> {
  const hour = Math.floor(runtime.clock.now() / hourMs);
  const keys = [hour, hour - 1].map((each) => windowKey("asks-refused", principal, String(each)));
  const counts = await runtime.store.counters(keys);
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
