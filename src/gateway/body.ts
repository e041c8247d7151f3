import type { IncomingMessage } from "node:http";
import type { Gather } from "../base/gather.ts";
import type { Limits } from "../base/limits.ts";
import { parseArguments } from "../codec/parse-arguments.ts";
import type { JsonObject } from "../domain/json.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";

/** A body as text, or why it was not read. `isTooLarge`: the rest of it is not waited for. */
export type BodyText = { readonly text: string } | { readonly error: ToolCallError; readonly isTooLarge: boolean };

/**
 * Reads a body of at most `bodyBytesMax`; stops reading at the first byte too many. Bodies that became whole in one turn of the event loop are handed over in
 * a row. Rejects when the connection breaks.
 */
export async function readBody(request: IncomingMessage, limits: Limits, gather: Gather): Promise<BodyText> {
  const whole =
    Number(request.headers["content-length"] ?? 0) > limits.bodyBytesMax
      ? undefined
      : await readBytes(request, limits.bodyBytesMax, gather);
  if (whole === undefined)
    return { error: toolCallError("REQUEST_INVALID", `the body is larger than ${limits.bodyBytesMax} bytes`), isTooLarge: true };
  const text = whole.toString("utf8");
  // What is not UTF-8 would come out as other characters than were sent, so that two readers of the same bytes disagree.
  if (text.includes("\ufffd") && !Buffer.from(text).equals(whole))
    return { error: toolCallError("REQUEST_INVALID", "the body is not UTF-8"), isTooLarge: false };
  return { text };
}

// Iterating over the request would destroy the socket when it is left early, and the refusal could no longer be sent.
function readBytes(request: IncomingMessage, bytesMax: number, gather: Gather): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else {
        request.pause();
        resolve(undefined);
      }
    });
    request.on("end", () => gather(() => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))));
    request.on("error", reject);
    request.on("close", () => {
      if (!request.complete) reject(toolCallError("CANCELLED", "the connection broke before the body had arrived"));
    });
  });
}

/** A JSON object, read as strictly as the arguments of a call: duplicate keys, prototype keys, lossy numbers and excess of any kind are refused. */
export function parseBody(text: string, limits: Limits): { readonly value: JsonObject } | { readonly error: ToolCallError } {
  const parsed = parseArguments(text, boundsOf(limits));
  if (parsed.kind === "parsed") return { value: parsed.value };
  // The reader speaks of the arguments of a call; here the same is wrong with the body around it.
  const message = parsed.error.message
    .replace("with the tool's parameters as keys", "")
    .replaceAll("the arguments are", "the body is")
    .replaceAll("the arguments end", "the body ends")
    .replaceAll("the response was", "it was")
    .trim();
  return { error: toolCallError("REQUEST_INVALID", message) };
}

const bounds = new WeakMap<Limits, Limits>();

/** The bounds of a body in the places where the reader of arguments looks for its own; worked out once for each table. */
function boundsOf(limits: Limits): Limits {
  const known = bounds.get(limits);
  if (known !== undefined) return known;
  const { bodyBytesMax: argumentsBytesMax, bodyDepthMax: argumentsDepthMax, bodyKeysMax: argumentsKeysMax } = limits;
  const made = { ...limits, argumentsBytesMax, argumentsDepthMax, argumentsKeysMax };
  bounds.set(limits, made);
  return made;
}

/** Whether a content type says JSON in UTF-8. */
export function isJsonType(type: string | undefined): boolean {
  return type !== undefined && /^application\/(?:[a-z0-9.+-]+\+)?json(?:\s*;\s*charset="?utf-8"?)?\s*$/i.test(type);
}
