import type { Json, JsonObject } from "../domain/json.ts";

/** A member of a JSON object that may have been tampered with; `undefined` where it is no object or has none of that name. */
export function member(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}

/** The same where a text is expected: anything else is the empty text, which nothing is named by. */
export function textMember(value: Json | undefined, name: string): string {
  const found = member(value, name);
  return typeof found === "string" ? found : "";
}
