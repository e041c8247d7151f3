import { isLuhn } from "./check-digits.ts";
import type { Shape } from "./shapes.ts";

/**
 * Personal data that is known by its shape, besides what `find-personal.ts` finds. Phone numbers only in the international form with `+`, since a
 * national one cannot be told from any other number. Names and addresses have no shape and are not found.
 */
export const personalShapes: readonly Shape[] = [
  {
    kind: "email",
    pattern: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63}){1,8}/g,
  },
  {
    kind: "card",
    pattern: /(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?!\d)/g,
    replace: (match, marker) => (isLuhn((match[0] ?? "").replace(/[ -]/g, "")) ? marker : undefined),
  },
  { kind: "phone", pattern: /(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,13}(?!\d)/g },
];
