import type { Approval } from "../domain/approval.ts";
import type { Json } from "../domain/json.ts";
import type { Operation } from "../store/store.ts";
import { meaningKey, type KeyClaim, type KeyState, type MeaningClaim } from "./keys.ts";
import type { ParkedCall } from "./parked.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Resolves what a parked call had claimed. With a state, key and meaning keep the answer for whoever asks again; without, they are free, so that
 * the same call may be made anew.
 */
export async function releaseOperations(
  runtime: Runtime,
  waiting: Pick<Approval, "tenant" | "callId" | "sessionId" | "tool" | "effectiveDigest">,
  keyState: KeyState | undefined,
): Promise<Operation[]> {
  const { tenant, callId } = waiting;
  const meaning = meaningKey(tenant, waiting.sessionId, waiting.tool, waiting.effectiveDigest);
  const parkedKey = { space: "parked", tenant, key: callId };
  const [meaningRow, parkedRow] = await runtime.store.read([meaning, parkedKey]);
  const claim = meaningRow?.body as unknown as MeaningClaim | undefined;
  const operations: Operation[] = [{ op: "delete", key: parkedKey }];
  const nowMs = runtime.clock.now();
  if (claim?.callId === callId) {
    operations.push(
      keyState === undefined
        ? { op: "delete", key: meaning }
        : {
            op: "put",
            key: meaning,
            body: { ...claim, state: keyState, atMs: nowMs } as unknown as Json,
            dueMs: nowMs + runtime.limits.duplicateWindowMs,
          },
    );
  }
  const parked = parkedRow?.body as unknown as ParkedCall | undefined;
  const key = { space: "key", tenant, key: parked?.keyRow ?? callId };
  const [keyRow] = await runtime.store.read([key]);
  const keyClaim = keyRow?.body as unknown as KeyClaim | undefined;
  if (keyClaim?.callId === callId) {
    operations.push(
      keyState === undefined || !keyClaim.isAddressable
        ? { op: "delete", key }
        : { op: "put", key, body: { ...keyClaim, state: keyState } as unknown as Json, dueMs: nowMs + runtime.limits.keyRetentionMs },
    );
  }
  return operations;
}
