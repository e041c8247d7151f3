import type { CallState } from "./runtime.ts";
import type { Verdict } from "./verdict.ts";

/** One stage of the journey. Never throws for anything a caller, a model, a tool or a policy did. */
export interface Stage {
  readonly name: StageName;
  readonly run: (state: CallState) => Verdict | Promise<Verdict>;
}

/** The stages in order. Their order is a security property; `pipeline.test.ts` asserts it. */
export type StageName =
  | "decode"
  | "identify"
  | "throttle"
  | "resolve"
  | "validate"
  | "replay"
  | "authorize"
  | "trace"
  | "deduplicate"
  | "approve"
  | "admit"
  | "gate"
  | "execute"
  | "verify"
  | "shape"
  | "settle";
