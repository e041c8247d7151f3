import { canonicalJson } from "../base/canonical-json.ts";
import type { Decision, NarrowedArgument } from "../domain/decision.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { ArgumentTexts } from "./argument-texts.ts";
import { stop } from "./endings.ts";
import { meaningRowKey } from "./gate.ts";
import type { DecisionInput } from "../policy/decision-input.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * The arguments that the rules leave of the call, as far as the facts can be used for them as well; undefined: those it came with. A fact that would have to
 * be looked up anew breaks the decision, since what was decided would rest on the wrong record.
 */
export function narrowedArguments(
  state: CallState,
  input: DecisionInput,
): { readonly kind: "arguments"; readonly args: JsonObject } | { readonly kind: "stop"; readonly verdict: Verdict } {
  const { engine } = state.runtime.policy;
  const args = engine.narrowed({ ...input, facts: state.facts });
  if (args === undefined) return { kind: "arguments", args: input.args };
  const [before, after] = [engine.neededFacts(input), engine.neededFacts({ ...input, args })];
  if (canonicalJson(before as unknown as Json) === canonicalJson(after as unknown as Json)) return { kind: "arguments", args };
  return { kind: "stop", verdict: stop("DECISION_FAILED", "a rule modifies an argument by which a fact is looked up, which denies") };
}

/**
 * From here on the call is the narrowed one: it is checked against the schema again, and against the meanings of this session. The digest of what was sent
 * stays, so that the caller's key goes on standing for its own words.
 */
export function applyNarrowing(state: CallState, args: JsonObject, changes: readonly NarrowedArgument[]): Verdict | Promise<Verdict> {
  const { runtime, registered, texts } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const checked = runtime.validateArguments(tool, args);
  if (checked.kind === "invalid" || checked.repairs.length > 0)
    return stop("DECISION_FAILED", `rule \`${changes[0]?.rule ?? ""}\` would make arguments that do not fit the schema, which denies`);
  state.narrowing = { changes, before: { args: state.args, texts: texts as ArgumentTexts } };
  state.args = checked.value;
  state.texts = new ArgumentTexts(checked.value, { requestDigest: state.requestDigest });
  const meaning = meaningRowKey(state);
  if (meaning === undefined) return proceed;
  return runtime.store.read([meaning]).then(([row]) => {
    state.meaningRow = row;
    return proceed;
  });
}

/** The call as it was before rules narrowed it, so that it can be judged again. */
export function undoNarrowing(state: CallState): void {
  const before = state.narrowing?.before;
  state.narrowing = undefined;
  if (before === undefined) return;
  state.args = before.args;
  state.texts = before.texts;
}

/** What the model is told of it beside the outcome; empty where nothing was narrowed. */
export function narrowedWords({ narrowing, args }: CallState): readonly string[] {
  if (narrowing === undefined) return [];
  const words = narrowing.changes.map(
    ({ argument, operator, rule }) => `${changeWords(argument, operator, args[argument])} (rule \`${rule}\`)`,
  );
  return [`the policy narrowed this call before it ran: ${words.join(", ")}; this is the outcome of the narrowed call`];
}

function changeWords(argument: string, operator: NarrowedArgument["operator"], value: Json | undefined): string {
  const name = `\`${argument}\``;
  switch (operator) {
    case "cap":
      return `${name} was lowered to ${JSON.stringify(value)}`;
    case "subset":
      return `${name} was cut to ${Array.isArray(value) ? value.length : 0} of its items`;
    case "flag":
      return `${name} was set to true`;
  }
}

/** Whether a decision that lets the call through, or asks, changed what it is about. */
export function narrowsCall(decision: Decision): decision is Decision & { readonly narrowed: readonly NarrowedArgument[] } {
  return decision.effect !== "deny" && decision.narrowed !== undefined;
}
