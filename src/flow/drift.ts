/**
 * How far a call is from what the user asked for, and whether that makes it a detour: something that a person who looks at the conversation would want to
 * see, whoever allowed it. A measure for people and reports, never a gate: the rules decide (`rules.ts`).
 *
 * Half of the distance is the action, half is what it is aimed at:
 *
 *     distance = 50 · action + 50 · mean over targets, references, commands and credentials of how far each is
 *     action:   asked for or planned 0, not known 0.5, not asked for 1
 *     a value:  said, planned, or of a record that they named 0; trusted or from a directory 0.25; read nowhere 0.75; untrusted 1
 *
 * A call without such values is as far as its action, where that is known. It is a detour from 50 on: nobody asked for the action, or all that it is aimed at came from elsewhere.
 */
import type { ArgumentRole } from "../domain/tool.ts";
import type { Intent } from "./intent.ts";
import type { Source, Traced } from "./rules.ts";

/** The distance of one call. */
export interface Drift {
  /** Whole number, 0 (what the user asked for) to 100. */
  readonly distance: number;
  readonly isDetour: boolean;
}

const detourFrom = 50;
const aims: readonly ArgumentRole[] = ["target", "ref", "command", "credential"];
const actionFar: Readonly<Record<Intent, number>> = { asked: 0, unknown: 0.5, "not-asked": 1 };
const valueFar: Readonly<Record<Source, number>> = {
  user: 0,
  plan: 0,
  "named-record": 0,
  trusted: 0.25,
  directory: 0.25,
  nowhere: 0.75,
  untrusted: 1,
};

/** Measures a traced call. Undefined where nobody told what the user said: then there is nothing to be far from. */
export function driftOf(call: {
  readonly intent: Intent;
  readonly traced: readonly Traced[];
  readonly isBlind: boolean;
}): Drift | undefined {
  if (call.isBlind) return undefined;
  const action = actionFar[call.intent];
  const values = call.traced.filter(({ role }) => aims.includes(role)).map(({ source }) => valueFar[source]);
  const object = values.length === 0 ? Math.floor(action) : values.reduce((sum, far) => sum + far, 0) / values.length;
  const distance = Math.round(50 * action + 50 * object);
  return { distance, isDetour: distance >= detourFrom };
}
