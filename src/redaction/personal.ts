import { isIban, isLuhn } from "./check-digits.ts";
import type { Shape } from "./shapes.ts";

/**
 * Personal data that is known by its shape and, where it has one, its checksum. Phone numbers only in the international form with `+`, since a
 * national one cannot be told from any other number. Names and addresses have no shape and are not found.
 */
export const personalShapes: readonly Shape[] = [
  {
    kind: "email",
    pattern: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
  },
  {
    kind: "iban",
    pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}/g,
    replace: (match, marker) => {
      const text = match[0] ?? "";
      const iban = longestIban(text);
      return iban === undefined ? undefined : marker + text.slice(iban.length);
    },
  },
  {
    kind: "card",
    pattern: /(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?!\d)/g,
    replace: (match, marker) => (isLuhn((match[0] ?? "").replace(/[ -]/g, "")) ? marker : undefined),
  },
  { kind: "phone", pattern: /(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,13}(?!\d)/g },
];

/** What stands after an IBAN may look like more of it, so its end is where the checksum holds. */
function longestIban(text: string): string | undefined {
  for (let end = text.length; end >= 15; end -= 1) {
    const next = text[end];
    // It ends at the text's end or at a space, never inside a word.
    if ((next === undefined || next === " ") && isIban(text.slice(0, end).replaceAll(" ", ""))) return text.slice(0, end);
  }
  return undefined;
}
