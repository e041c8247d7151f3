import type { JsonObject } from "../domain/json.ts";
import type { Principal } from "../domain/principal.ts";
import type { Tool } from "../domain/tool.ts";

/** What rules may ask about a call. */
export interface DecisionInput {
  readonly tool: Tool;
  readonly args: JsonObject;
  readonly principal: Principal;
  readonly session: { readonly id: string; readonly attested: boolean };
  /** Wall time of the decision in milliseconds. */
  readonly nowMs: number;
  /** Wall time at which the call was first put off or asked about. Default `nowMs`: it has not waited yet. */
  readonly sinceMs?: number | undefined;
}
