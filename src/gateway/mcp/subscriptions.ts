import type { Limits } from "../../base/limits.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { ListWatch } from "./list-watch.ts";
import { isObject, metaMembers, type RpcId } from "./protocol.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** One `subscriptions/listen` of 2026-07-28. */
export interface Listening {
  readonly id: RpcId;
  /** Of whom there are at most `mcpSubscriptionsMax`. */
  readonly credentialId: string;
  readonly session: BoxSession;
  /** What the client asked for: `params.notifications`. */
  readonly filter: Json | undefined;
  readonly notify: (message: JsonObject) => void;
  /** Any of them ends it. */
  readonly ends: readonly (AbortSignal | undefined)[];
}

/** The open subscriptions of a face. */
export interface Subscriptions {
  /** Resolves with the final result when it has ended; undefined at once where the credential has as many as it may. */
  listen(listening: Listening): Promise<JsonObject> | undefined;
  /** Ends all of them, each with its final result. */
  close(): void;
}

/** Makes it. Only changes of the list of tools are told, since nothing else is offered that changes. */
export function createSubscriptions(watch: ListWatch, limits: Limits): Subscriptions {
  const openCounts = new Map<string, number>();
  const closing = new AbortController();
  return {
    listen({ id, credentialId, session, filter, notify, ends }) {
      const openCount = openCounts.get(credentialId) ?? 0;
      if (openCount >= limits.mcpSubscriptionsMax) return undefined;
      openCounts.set(credentialId, openCount + 1);
      const _meta = { [metaMembers.subscription]: id };
      const wantsTools = isObject(filter) && filter["toolsListChanged"] === true;
      const notifications = wantsTools ? { toolsListChanged: true } : {};
      notify({ jsonrpc: "2.0", method: "notifications/subscriptions/acknowledged", params: { _meta, notifications } });
      const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed", params: { _meta } };
      const stop = wantsTools ? watch.add(session, () => notify(changed)) : () => undefined;
      return untilAny([closing.signal, ...ends]).then(() => {
        stop();
        const left = (openCounts.get(credentialId) ?? 1) - 1;
        if (left === 0) openCounts.delete(credentialId);
        else openCounts.set(credentialId, left);
        return { _meta };
      });
    },
    close: () => closing.abort(),
  };
}

function untilAny(signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      for (const signal of signals) signal?.removeEventListener("abort", end);
      resolve();
    };
    for (const signal of signals) {
      if (signal?.aborted === true) return end();
      signal?.addEventListener("abort", end);
    }
  });
}
