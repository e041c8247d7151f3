const amountShape = /^(-?)(\d{1,12})(?:\.(\d{1,6}))?$/;

/**
 * An amount as an exact whole number of millionths, so that amounts compare and add without rounding. Takes `"12.34"` or a JSON number.
 *
 * @throws RangeError for what is no decimal of at most 12 digits before and 6 after the point.
 */
export function moneyMicros(amount: string | number | bigint): bigint {
  const text = typeof amount === "string" ? amount.trim() : String(amount);
  const parts = amountShape.exec(text);
  if (parts === null)
    throw new RangeError("an amount is a decimal with at most 12 digits before the point and 6 after it, such as `12.34`");
  const [, sign, whole, fraction = ""] = parts;
  const micros = BigInt((whole as string) + fraction.padEnd(6, "0"));
  return sign === "-" ? -micros : micros;
}
