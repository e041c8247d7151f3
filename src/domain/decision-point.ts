import type { Json, JsonObject } from "./json.ts";
import type { Principal } from "./principal.ts";

/** What a decision point is asked about one call. */
export interface PointRequest {
  readonly principal: Principal;
  readonly tool: { readonly name: string; readonly version: string; readonly tier: string; readonly source: string };
  readonly args: JsonObject;
  readonly sessionId: string;
  /** Facts that the policy has looked up for this call. */
  readonly facts: Readonly<Record<string, Json>>;
}

/** What a decision point answers. It can only narrow what the policy allows. */
export type PointAnswer =
  | { readonly kind: "allow" }
  | { readonly kind: "deny"; /** For people; never shown to the model. */ readonly reason: string | undefined }
  /** It answered something that is no decision, which denies. */
  | { readonly kind: "garbage"; readonly problem: string };

/** Something outside that decides too. A throw, and no answer in time, mean that it could not be reached, which denies. */
export interface DecisionPoint {
  /** Stands in the reason as `point:NAME`. */
  readonly name: string;
  /** Tool globs that it is asked about. */
  readonly on: readonly string[];
  /** How long an answer to the very same question is used again. Default 0: never. */
  readonly cacheMs?: number;
  decide(
    request: PointRequest,
    parts: { readonly signal: AbortSignal; readonly secret: (reference: string) => Promise<string> },
  ): Promise<PointAnswer>;
  close?(): Promise<void>;
}
