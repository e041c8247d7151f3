import { cleanForPeople } from "../approvals/card.ts";
import type { Runtime } from "./runtime.ts";

/**
 * What a tool's author or connector says of a failure, fit for models, logs and screens: one line without secrets or control characters, at most
 * `errorDetailCharsMax`. Handlers are tempted to pass on what an upstream said.
 */
export function failureWords(runtime: Pick<Runtime, "limits" | "redactText">, message: string): string {
  return cleanForPeople(runtime.redactText(message), runtime.limits.errorDetailCharsMax);
}
