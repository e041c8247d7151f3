import type { JsonObject } from "../domain/json.ts";

/** Verifies the whole ledger on demand. One run at a time: who asks meanwhile gets the result of the run under way. */
export interface LedgerVerifier {
  verify(): Promise<JsonObject>;
}

/** A verifier around the work itself, shared by concurrent askers. */
export function sharedVerifier(work: () => Promise<JsonObject>): LedgerVerifier {
  let running: Promise<JsonObject> | undefined;
  return {
    verify() {
      running ??= work().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}
