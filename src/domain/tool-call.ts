import type { ToolCallError } from "../errors/tool-call-error.ts";
import type { Json, JsonObject } from "./json.ts";

/** The forms in which a call can arrive and be answered. */
export type Form = "openai-chat" | "openai-responses" | "anthropic" | "gemini" | "mcp" | "plain";

/** What a model asked for, in one shape for all providers. */
export interface ToolCall {
  /** The provider's id, or one minted by the codec where the provider gives none. */
  readonly id: string;
  /** Whether `id` came from the provider. */
  readonly hasProviderId: boolean;
  /** The tool's own name (already mapped back from the provider's), with an optional `@version`. */
  readonly name: string;
  /** The arguments exactly as sent: evidence. Where the provider sends an object, its JSON with the members in their order. */
  readonly raw: string;
  /** Parsing `raw` gives exactly `arguments`, so their canonical text can still be made when the value is in other hands. */
  readonly isRawWhole?: true;
  /** The parsed arguments, or why they could not be read. */
  readonly arguments:
    | { readonly kind: "parsed"; readonly value: JsonObject }
    | { readonly kind: "malformed"; readonly error: ToolCallError };
  /** Explicit idempotency key. */
  readonly key?: string | undefined;
  /** What must be echoed when answering, such as Gemini's name and thought signature or a programmatic caller. */
  readonly echo: Json;
}

/** One part of an answer. */
export type ResultPart =
  | { readonly kind: "text"; readonly text: string }
  /** `text` is the value's JSON where it was at hand, so that nobody need write it again. */
  | { readonly kind: "json"; readonly value: Json; readonly text?: string }
  | {
      readonly kind: "image" | "audio" | "video" | "file";
      readonly mediaType: string;
      readonly dataBase64: string;
      readonly name?: string;
    };
