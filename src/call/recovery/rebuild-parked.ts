import { canonicalJson } from "../../base/canonical-json.ts";
import type { JsonObject } from "../../domain/json.ts";
import { deferredKind, parkedKind, type ParkedCall } from "../parked.ts";
import type { Runtime, CallState } from "../runtime.ts";
import { newState, noTurn, type StateParts } from "../state.ts";
import type { LiveSession } from "../live-session.ts";

/** A call that waited, at the start of another journey, as it was made: rules narrow it again. Undefined where it can no longer be read. */
export async function rebuildParked(
  { runtime, session, parked }: { readonly runtime: Runtime; readonly session: LiveSession; readonly parked: ParkedCall },
  callId: string,
  woken: Pick<StateParts, "approval" | "deferral" | "waitingSinceMs">,
): Promise<CallState | undefined> {
  const { tenant } = session.principal;
  const kind = parked.approvalId === undefined ? deferredKind : parkedKind;
  const opened = await runtime.vault.openValues({ tenant, kind, callId, sealed: Buffer.from(parked.sealed, "base64") });
  if (opened === undefined) return undefined;
  await session.refresh();
  const args = (opened["requested"]?.value ?? opened["arguments"]?.value ?? {}) as JsonObject;
  const said = opened["said"]?.value as string | undefined;
  const reasoning = opened["reasoning"]?.value as string | undefined;
  const call = { ...parked.call, raw: canonicalJson(args), arguments: { kind: "parsed", value: args } } as const;
  const turn = { ...noTurn, ...parked.turn, said, reasoning };
  return newState({ runtime, session, turn, call, callId, ...woken });
}
