import type { CallLetter, DeadLetter } from "../../domain/dead-letter.ts";
import type { Tool } from "../../domain/tool.ts";
import type { Runtime } from "../runtime.ts";

/** What happened, for people. */
export function causeOf(letter: DeadLetter): string {
  switch (letter.kind) {
    case "unknown":
      return `the reply of \`${letter.tool}\` was lost (${letter.code}), and nobody can say yet whether it happened`;
    case "failed":
      return `\`${letter.tool}\` was taken on for later and failed for good (${letter.code})${letter.effect === "none" ? "; nothing was done" : ""}`;
    case "undelivered":
      return `the notice of \`${letter.subject}\` did not reach \`${letter.target}\`: ${letter.problem}`;
  }
}

/** What to do next, for people. */
export function nextStep(runtime: Runtime, letter: DeadLetter): string {
  switch (letter.kind) {
    case "unknown":
      return whyNoRetry(runtime, letter) === undefined
        ? "retry it: it is looked up, or sent again under its own key, which cannot act twice; or look yourself and resolve it"
        : "look into the system that it went to, then resolve it: say whether it happened";
    case "failed":
      return letter.effect === "none"
        ? "once the cause is mended retry it, which makes the call again under the policy of now; or tell whoever asked for it, and resolve it"
        : "tell whoever asked for it what was done, put right what is wrong, then resolve it";
    case "undelivered":
      return "mend where it should go, then retry it, which sends it again under its own id; or tell whoever it was for, and resolve it";
  }
}

/** Why a letter cannot be tried again; `undefined` where it can. */
export function whyNoRetry(runtime: Runtime, letter: DeadLetter): string | undefined {
  if (letter.kind === "undelivered")
    return runtime.notices.isOn ? undefined : "notices go nowhere any more (`notify`); tell whoever it was for, then resolve it";
  const tool = toolOf(runtime, letter);
  if (tool === undefined)
    return `\`${letter.tool}@${letter.version}\` is not here any more, so nothing can be tried; look yourself, then resolve it`;
  if (letter.kind === "failed")
    return letter.effect === "none"
      ? undefined
      : "what it did is done, and making it again would do it twice; put it right, then resolve it";
  const isSafe =
    tool.idempotency === "natural" || tool.idempotency === "key" || (tool.idempotency === "lookup" && tool.lookupTool !== undefined);
  return isSafe
    ? undefined
    : `\`${letter.tool}\` can neither be looked up nor sent again safely: it could act twice; look into the system yourself, then resolve it`;
}

function toolOf({ registry }: Runtime, { tool, version }: CallLetter): Tool | undefined {
  const found = registry.resolve(`${tool}@${version}`, () => true);
  return found.kind === "found" ? found.registered.tool : undefined;
}
