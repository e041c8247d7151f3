import type { JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { ExecutionResult, FailureKind, Tool } from "../domain/tool.ts";
import type { Effect } from "../errors/codes.ts";

/** Which function a worker runs. */
export interface WorkerTarget {
  /** URL of the module. */
  readonly module: string;
  readonly exportName: string;
}

/** What a worker is sent. */
export type ToWorker =
  | {
      readonly kind: "run";
      readonly args: JsonObject;
      readonly callId: string;
      readonly key: string;
      readonly principal: Principal;
      readonly sessionId: string;
      readonly tool: Tool;
      readonly attempt: number;
    }
  | { readonly kind: "secret"; readonly id: number; readonly value: string | undefined };

/** What a worker sends. */
export type FromWorker =
  | { readonly kind: "progress"; readonly message: string }
  | { readonly kind: "secret"; readonly id: number; readonly reference: string }
  | { readonly kind: "conceal"; readonly value: string }
  | { readonly kind: "result"; readonly result: ExecutionResult }
  /** The handler threw; `declared` when it was a `ToolFailure`. */
  | { readonly kind: "thrown"; readonly text: string; readonly declared: DeclaredFailure | undefined };

/** A `ToolFailure` on its way between threads. */
export interface DeclaredFailure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly effect: Effect | undefined;
  readonly retryAfterMs: number | undefined;
}
