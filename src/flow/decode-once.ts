/**
 * Values hidden in another notation are read once: percent escapes, base64, hexadecimal, JSON inside a string. Once, since text that has to be
 * decoded twice is nothing that a model copies by accident, and endless unwrapping would be a bill for whoever has to pay it.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";
import { parseOwnJson } from "../base/own-json.ts";
import type { Json } from "../domain/json.ts";

const base64Run = /[A-Za-z0-9+/_-]{16,}={0,2}/g;
const hexRun = /^(?:[0-9a-f]{2}){8,}$/i;
const percentEscape = /%[0-9a-f]{2}/i;
const jsonStart = /^\s*[[{]/;
// oxlint-disable-next-line no-control-regex -- binary is told from text by its control characters.
const binary = /[\u0000-\u0008\u000e-\u001f\ufffd]/;

/** What the text holds in percent escapes, base64 or hexadecimal, each as readable text; empty for most texts. */
export function decodedOnce(text: string): readonly string[] {
  const found: string[] = [];
  if (text.includes("%") && percentEscape.test(text)) {
    const plain = percentDecoded(text);
    if (plain !== undefined) found.push(plain);
  }
  for (let start = 0; start < text.length;) {
    const space = text.indexOf(" ", start);
    const end = space < 0 ? text.length : space;
    if (end - start >= fixedBounds.encodedCharsMin) decodeRuns(text.slice(start, end), found);
    start = end + 1;
  }
  return found;
}

/** Code has no spaces in it, so that most of a text need not be looked at closely. */
function decodeRuns(part: string, found: string[]): void {
  for (const [run] of part.matchAll(base64Run)) {
    const plain = hexRun.test(run) ? readable(Buffer.from(run, "hex")) : readable(Buffer.from(run, "base64"));
    if (plain !== undefined) found.push(plain);
  }
}

/** Whether a text is worth handing to `decodedOnce`; cheap. */
export function mayHoldCode(text: string): boolean {
  return text.includes("%") || text.length >= fixedBounds.encodedCharsMin;
}

/** The value of a text that is JSON of an object or a list; undefined otherwise. */
export function embeddedJson(text: string): Json | undefined {
  if (!jsonStart.test(text)) return undefined;
  try {
    return parseOwnJson(text) as Json;
  } catch {
    return undefined;
  }
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, "%25"));
  } catch {
    return undefined;
  }
}

/** Bytes as text, where they are text at all. */
function readable(bytes: Buffer): string | undefined {
  if (bytes.length < 6) return undefined;
  const text = bytes.toString("utf8");
  return binary.test(text) ? undefined : text;
}
