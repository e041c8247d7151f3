import type { Json } from "../domain/json.ts";

/** A member of a JSON value as text for people: a text as it is, nothing for what is absent, anything else as JSON. */
export function jsonText(value: Json | undefined): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
