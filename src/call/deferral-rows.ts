import type { Operation, RowKey } from "../store/store.ts";
import type { CallState } from "./runtime.ts";

/** Where calls lie that rules have put off; each is due when it wakes. */
export function deferralKey(tenant: string, callId: string): RowKey {
  return { space: "deferral", tenant, key: callId };
}

/** Counts the calls of one principal that are put off. */
export function deferredCounter(tenant: string, user: string): RowKey {
  return { space: "deferrals-pending", tenant, key: user };
}

/** What resolves a deferral, whatever becomes of its call; the version makes one process of all the first. */
export function deferralOver({ deferral, version }: NonNullable<CallState["deferral"]>): readonly Operation[] {
  const { tenant, callId, user } = deferral;
  return [
    { op: "delete", key: deferralKey(tenant, callId), expect: version },
    { op: "add", key: deferredCounter(tenant, user), delta: -1 },
  ];
}
