import { fixedBounds } from "../base/fixed-bounds.ts";

const numberPattern = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:e([+-]?\d{1,4}))?$/i;

/**
 * The number that a text writes in JSON's grammar, if a double holds exactly what is written: `5`, `5.0`, `1e-9`. Undefined for anything else: `007`
 * (an identifier, rather), `+5`, `0x10`, digits beyond a double's precision.
 */
export function exactNumber(text: string): number | undefined {
  if (text.length > fixedBounds.numberCharsMax || !numberPattern.test(text)) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || Object.is(value, -0)) return undefined;
  return decimalForm(text) === decimalForm(String(value)) ? value : undefined;
}

// Sign, digits without zeros around them, and the power of ten of the last digit: equal exactly for equal decimal numbers.
function decimalForm(text: string): string {
  const match = numberPattern.exec(text);
  if (match === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  const trimmed = digits.replace(/0+$/, "");
  if (trimmed === "") return "0";
  return `${sign}${trimmed}e${Number(exponent) - fraction.length + (digits.length - trimmed.length)}`;
}
