import type { Form } from "../domain/tool-call.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { anthropic } from "./anthropic.ts";
import type { Codec } from "./form-codec.ts";
import { gemini } from "./gemini.ts";
import { mcp } from "./mcp.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import { plain } from "./plain.ts";
import { quoteInput } from "./quote.ts";

/** The codec of every form. */
export const codecs: Readonly<Record<Form, Codec>> = {
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  anthropic,
  gemini,
  mcp,
  plain,
};

/** Every form, in the order of the table. */
export const forms = Object.keys(codecs) as readonly Form[];

/** The codec of a form. Throws `REQUEST_INVALID` for a name that is none, since forms arrive in URLs and bodies too. */
export function codecFor(form: Form): Codec {
  if (Object.hasOwn(codecs, form)) return codecs[form];
  throw toolCallError(
    "REQUEST_INVALID",
    `no form named ${quoteInput(String(form))}; there are ${forms.map((name) => `\`${name}\``).join(", ")}`,
  );
}
