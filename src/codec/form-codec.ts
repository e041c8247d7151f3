import type { Limits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Answer } from "../domain/outcome.ts";
import type { Form, ToolCall } from "../domain/tool-call.ts";
import type { Tool } from "../domain/tool.ts";
import type { NameMap } from "./names.ts";

/** Why the model stopped: `truncated` means that the last call may be incomplete, `refused` that the provider or the model declined. */
export type Stop = "tool-calls" | "end" | "truncated" | "refused" | "other";

/** What a provider's response asks for. */
export interface Decoded {
  /** In the order of the response; a call that cannot be used is here too, with `arguments.kind === "malformed"`, so that it can be answered. */
  readonly calls: readonly ToolCall[];
  readonly stop: Stop;
  /** What was odd about the response besides its calls, in words for logs. */
  readonly problems: readonly string[];
}

/** One provider's form of calls, answers and tool definitions. */
export interface Codec {
  readonly form: Form;
  /**
   * Reads a whole response of the provider, its message, or a bare list of call items. Throws a `ToolCallError` with `REQUEST_INVALID` for anything
   * else, and nothing but that; what is wrong with a single call is in that call.
   */
  decode(response: unknown, names: NameMap, limits: Limits): Decoded;
  /** The messages or items that answer the calls, in the order of `answers`, to be appended to the conversation. Empty for no answers. */
  answer(answers: readonly Answer[], calls: readonly ToolCall[]): readonly JsonObject[];
  /** The definitions of tools for the provider's request. */
  tools(tools: readonly Tool[], names: NameMap): readonly JsonObject[];
}
