import type { JsonObject } from "./json.ts";

/** Something that people outside should hear of. It carries no argument, result or secret beyond the summary that an approver sees. */
export interface Notice {
  /** The same over every attempt to deliver it: receivers drop what they have seen. */
  readonly id: string;
  /** `approval.asked`: a call waits for a person. `plan.proposed`: a plan waits for a person. `call.ran`: a call that runs without a question, and whose owner is told, had its effect. */
  readonly type: "approval.asked" | "plan.proposed" | "call.ran";
  readonly tenant: string;
  readonly atMs: number;
  readonly data: JsonObject;
}

/** How one attempt to deliver a notice ended. `final`: no further attempt can help. */
export type Delivery = { readonly kind: "delivered" } | { readonly kind: "failed"; readonly isFinal: boolean; readonly problem: string };

/** Where notices go. Delivered at least once; a notice may come twice. */
export interface NoticePort {
  readonly name: string;
  /** One attempt. A throw counts as a failure that may pass. */
  deliver(
    notice: Notice,
    parts: { readonly signal: AbortSignal; readonly nowMs: number; readonly secret: (reference: string) => Promise<string> },
  ): Promise<Delivery>;
  close?(): Promise<void>;
}
