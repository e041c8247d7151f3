import type { JsonObject } from "./json.ts";
import type { Connector, JsonSchema } from "./tool.ts";

/** A tool as a source describes it. Nothing of it is believed yet: what it may be called, and whether, is decided by whoever admits it. */
export interface SourcedTool {
  /** The source's own name of it. */
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonSchema | undefined;
  /** The whole definition as it came, bounded: what a pin is made of. */
  readonly definition: JsonObject;
  readonly connector: Connector;
}

/** Everything that a source offers at one moment. */
export interface SourceListing {
  readonly tools: readonly SourcedTool[];
  /** What was left out, and why, one line each. */
  readonly problems: readonly string[];
}

/** Where a source stands. `note` is one line for people. */
export interface SourceState {
  readonly kind: "connecting" | "ready" | "down" | "closed";
  readonly note: string;
}

/** What a source works with once it is started. */
export interface SourceStart {
  /** Takes each complete listing. Calls wait until it has resolved, so that nothing runs under a definition that nobody has compared. */
  readonly onListing: (listing: SourceListing) => Promise<void>;
  /** Resolves a `secret://` reference; the value is redacted from everything that leaves. */
  readonly secret: (reference: string) => Promise<string>;
  /** Told what an operator should know; never an argument, result or secret. */
  readonly onTrouble: (note: string, cause?: unknown) => void;
}

/** A place from which tools come, appear, change and disappear at run time. */
export interface ToolSource {
  readonly name: string;
  /** Begins to connect, and to connect again for as long as it is not closed. Never throws. */
  start(parts: SourceStart): void;
  /** Resolves once the first listing was taken, or the first attempt has failed. */
  settled(): Promise<void>;
  state(): SourceState;
  /** Ends everything it has begun: connections, processes, timers. Idempotent. */
  close(): Promise<void>;
}
