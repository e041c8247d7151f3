import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Checkpointer } from "../../ledger/checkpointer.ts";
import type { Runtime } from "../runtime.ts";
import type { Carrier } from "./carry.ts";
import type { ToolSources } from "./tool-sources.ts";

/** What a box that closes consists of. */
export interface ClosingParts {
  readonly runtime: Pick<Runtime, "clock" | "limits" | "resilience" | "registry" | "decisionPoints" | "notices" | "store">;
  /** What begins work by itself. Each `stop` begins nothing more, and resolves once what is under way has ended. */
  readonly byItself: readonly { stop(): Promise<void> }[];
  readonly carrier: Pick<Carrier, "drain">;
  readonly toolSources: Pick<ToolSources, "close">;
  readonly checkpointer: Pick<Checkpointer, "close">;
}

/**
 * Ends a box. First nothing begins any more, then what is under way ends, within `drainMs`; then what it worked with closes, within `closeMs`; the store is last.
 * Rejects where the last checkpoint cannot be written; the store is closed all the same.
 */
export async function closeBox({ runtime, byItself, carrier, toolSources, checkpointer }: ClosingParts): Promise<void> {
  const { clock, limits, resilience, registry, decisionPoints, notices, store } = runtime;
  const ended = Promise.allSettled(byItself.map((each) => each.stop()));
  await carrier.drain(limits.drainMs, ended);
  const connectors = registry.listVersions(() => true).map(async ({ connector }) => await connector.close?.());
  const closed = Promise.allSettled([toolSources.close(), decisionPoints.close(), notices.close(), ...connectors]);
  // Code of others may never come to an end; what it leaves open ends with the process.
  await new Promise<void>((resolve) => {
    const timer = clock.after(fixedBounds.closeMs, resolve, "process");
    void closed.then(() => {
      timer.cancel();
      resolve();
    });
  });
  resilience.wheel.release();
  try {
    await checkpointer.close();
  } finally {
    await store.close();
  }
}
