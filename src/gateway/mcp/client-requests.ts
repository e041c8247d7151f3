import type { Clock } from "../../base/clock.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { RpcId } from "./protocol.ts";

/** Requests of ours to clients of the eras before 2026-07-28, sent in the stream of the call that they belong to. */
export interface ClientRequests {
  /** Resolves with the client's result; undefined when it answers with an error, not within `waitMs`, or the call is taken back. */
  ask(request: ClientRequest): Promise<JsonObject | undefined>;
  /** An answer that came from this scope; one that nobody waits for is dropped. */
  take(scope: string, id: RpcId | undefined, result: JsonObject | undefined): void;
}

/** One of them. */
export interface ClientRequest {
  /** Whose answer counts. */
  readonly scope: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly send: (message: JsonObject) => void;
  readonly waitMs: number;
  /** Gives it up. */
  readonly signal: AbortSignal | undefined;
}

/** Makes it. As many wait as there are calls under way. */
export function createClientRequests(clock: Clock): ClientRequests {
  const waiting = new Map<string, (result: JsonObject | undefined) => void>();
  let askedCount = 0;
  return {
    ask({ scope, method, params, send, waitMs, signal }) {
      askedCount += 1;
      const id = `ask-${askedCount}`;
      const name = `${scope}\n${id}`;
      return new Promise((resolve) => {
        const end = (result: JsonObject | undefined): void => {
          waiting.delete(name);
          timer.cancel();
          signal?.removeEventListener("abort", giveUp);
          resolve(result);
        };
        const giveUp = (): void => {
          send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason: "not waited for any longer" } });
          end(undefined);
        };
        const timer = clock.after(waitMs, giveUp);
        waiting.set(name, end);
        signal?.addEventListener("abort", giveUp);
        send({ jsonrpc: "2.0", id, method, params });
      });
    },
    take(scope, id, result) {
      if (typeof id === "string") waiting.get(`${scope}\n${id}`)?.(result);
    },
  };
}
