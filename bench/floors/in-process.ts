import { hash } from "node:crypto";

/** FLOOR, frozen: the least that any runtime does with a call. Parse the arguments, write the result, hash both. */
export function floorCall(argumentsText: string, result: unknown): string {
  JSON.parse(argumentsText);
  const text = JSON.stringify(result);
  return hash("sha256", argumentsText + text, "hex");
}
