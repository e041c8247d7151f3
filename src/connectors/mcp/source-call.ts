import type { JsonObject } from "../../domain/json.ts";
import type { Execution } from "../../domain/tool.ts";
import type { ParamHeader } from "./param-headers.ts";

/** One call on its way to the server. */
export interface SourceCall {
  readonly name: string;
  /** Digest of the definition under which the call was admitted. */
  readonly digest: string;
  readonly args: JsonObject;
  readonly headers: readonly ParamHeader[];
  readonly execution: Execution;
}
