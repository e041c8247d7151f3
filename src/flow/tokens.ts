/**
 * Actionable values inside a text: what somebody could be made to write to, pay to, open or dial. Found in content that leaves, and in trusted text
 * that may vouch for them. Each in one normal form, so that notation does not tell two spellings of the same place apart.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";

/** A place that something can be sent to or fetched from. */
export interface Actionable {
  readonly kind: "email" | "url" | "iban" | "phone";
  /** Normal form; see `normalEmail`, `normalUrl`. */
  readonly value: string;
  /** As it stands in the text. */
  readonly text: string;
}

const emailPattern = /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu;
const urlPattern =
  /\b(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.)[^\s"'<>()[\]{}|\\^`,;]+|\b(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}(?::\d{2,5})?\/[^\s"'<>()[\]{}|\\^`,;]*/giu;
const ibanPattern = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/g;
const phonePattern = /(?<![\w.])\+?\d[\d ().-]{7,18}\d(?![\w])/g;

const anyWww = /www\./i;
const ibanStart = /[A-Z]{2}\d{2}/;
const phoneStart = /\d[\d ().-]{7}/;

/** Every actionable value of a text, at most `actionablesMax`. */
export function actionablesIn(text: string): readonly Actionable[] {
  const found: Actionable[] = [];
  const add = (kind: Actionable["kind"], value: string | undefined, original: string): void => {
    if (value !== undefined && found.length < fixedBounds.actionablesMax) found.push({ kind, value, text: original });
  };
  // Most texts hold nothing of a kind, and what every match of a pattern has to have in it is found faster than the pattern is tried at each place.
  if (text.includes("@")) for (const [match] of text.matchAll(emailPattern)) add("email", normalEmail(match), match);
  if (text.includes("/") || anyWww.test(text)) {
    for (const [match] of text.matchAll(urlPattern)) {
      const trimmed = match.replace(/[.!?:]+$/, "");
      add("url", normalUrl(trimmed), trimmed);
    }
  }
  if (ibanStart.test(text)) for (const [match] of text.matchAll(ibanPattern)) add("iban", normalIban(match), match);
  if (phoneStart.test(text)) for (const [match] of text.matchAll(phonePattern)) add("phone", normalPhone(match), match);
  return found;
}

// With the two other characters whose compatibility form it is.
const atSign = /[@\uFE6B\uFF20]/;

/** Lower case without the `mailto:`; undefined where it is no address. */
export function normalEmail(text: string): string | undefined {
  if (!atSign.test(text)) return undefined;
  const plain = text
    .trim()
    .replace(/^mailto:/i, "")
    .normalize("NFKC")
    .toLowerCase();
  return /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>.]+$/.test(plain) ? plain : undefined;
}

/**
 * Host without `www.`, port where it is not the scheme's own, path without a final slash, and query: `example.com/a?b=1`. A fragment never leaves and
 * is dropped. Undefined where it is no address.
 */
export function normalUrl(text: string): string | undefined {
  const parts = urlParts(text);
  return parts === undefined ? undefined : `${parts.host}${parts.rest}`;
}

/** Host (without `www.`) and what follows it. */
export function urlParts(text: string): { readonly host: string; readonly rest: string } | undefined {
  const plain = text.trim();
  if (/\s/.test(plain) || plain.includes("@") || !plain.includes(".")) return undefined;
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(plain) ? plain : `http://${plain}`;
  if (!URL.canParse(whole)) return undefined;
  const url = new URL(whole);
  if (!/\.[\p{L}\p{N}-]{2,}$|^\[|^\d/u.test(url.hostname)) return undefined;
  const host = `${url.hostname.replace(/^www\./, "")}${url.port === "" ? "" : `:${url.port}`}`;
  return { host, rest: `${url.pathname.replace(/\/+$/, "")}${url.search}` };
}

function normalIban(text: string): string | undefined {
  const plain = text.replaceAll(" ", "");
  return plain.length >= 15 && plain.length <= 34 ? plain.toLowerCase() : undefined;
}

/** Digits only. Fewer than nine digits, or a date, is nothing that one dials. */
function normalPhone(text: string): string | undefined {
  if (/^\d{4}-\d{2}-\d{2}|^\d{1,2}\.\d{1,2}\.\d{4}|\d:\d/.test(text)) return undefined;
  const digits = text.replace(/\D/g, "");
  return digits.length >= 9 && digits.length <= 15 ? digits : undefined;
}
