/**
 * Canonical JSON after RFC 8785 (JCS): keys sorted by UTF-16 code units, numbers and strings as ECMAScript serialises them, no white space.
 * Every digest, commitment and signature of the product is over these bytes.
 */

/** Canonical text of a JSON value. Members that are `undefined` are left out. Throws on what JSON cannot hold. */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError("canonical JSON has no number that is not finite");
      return `${value}`;
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? arrayText(value) : objectText(value as Record<string, unknown>);
    default:
      throw new TypeError(`canonical JSON has no ${typeof value}`);
  }
}

// A string of these characters alone is its own JSON; longer ones are cheaper through the engine's serialiser.
const plain = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return text.length < 32 && plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

function arrayText(items: readonly unknown[]): string {
  let text = "[";
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) text += ",";
    text += canonicalJson(items[index] ?? null);
  }
  return `${text}]`;
}

function objectText(members: Record<string, unknown>): string {
  let text = "{";
  let separator = "";
  for (const key of sortedKeys(members)) {
    const value = members[key];
    if (value === undefined) continue;
    text += `${separator}${quote(key)}:${canonicalJson(value)}`;
    separator = ",";
  }
  return `${text}}`;
}

function sortedKeys(members: Record<string, unknown>): string[] {
  const keys = Object.keys(members);
  // Most objects arrive sorted or tiny: looking first is cheaper than sorting.
  for (let index = 1; index < keys.length; index += 1) {
    if ((keys[index - 1] as string) > (keys[index] as string)) return keys.sort(byCodeUnit);
  }
  return keys;
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
