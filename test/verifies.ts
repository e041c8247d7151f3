import type { RequirementId } from "./requirements.ts";

/**
 * Title of a test that shows one or more rows of `test/requirements.ts`: the ids first, the sentence last. Write the ids as string literals:
 * `scripts/check-requirements.ts` finds them without running anything.
 *
 *     test(verifies("CALL-06", "refuses duplicate keys"), () => { … });
 */
export function verifies(...idsThenTitle: readonly [RequirementId, ...RequirementId[], string]): string {
  const title = idsThenTitle.at(-1);
  return `${title} [${idsThenTitle.slice(0, -1).join(", ")}]`;
}
