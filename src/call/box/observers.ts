import { cleanForPeople } from "../../approvals/card.ts";
import type { JourneyEvent } from "./box.ts";
import type { Trouble } from "./options.ts";
import type { CallState } from "../runtime.ts";

/** Tells everybody who looks what happened to a call. */
export function tell(observers: Set<(event: JourneyEvent) => void>, call: CallState, stage: string, what: string, note: string): void {
  if (observers.size === 0) return;
  const event: JourneyEvent = {
    callId: call.callId,
    tenant: call.session.principal.tenant,
    sessionId: call.session.id,
    // A name that names nothing is whatever the model wrote.
    tool: call.registered?.tool.name ?? cleanForPeople(call.call.name, 80),
    stage,
    what,
    // Notes name what a model or a tool's author may have written, such as the path of an argument.
    note: cleanForPeople(note, call.runtime.limits.errorDetailCharsMax),
    isInside: call.parent !== undefined,
    atMs: call.runtime.clock.now(),
  };
  for (const observer of observers) {
    try {
      observer(event);
    } catch {
      // Telemetry never changes an outcome, and an observer that throws has nobody to tell.
    }
  }
}

/** A report of trouble that can itself do no harm. */
export function safely(onTrouble: ((trouble: Trouble) => void) | undefined): (trouble: Trouble) => void {
  return (trouble) => {
    try {
      onTrouble?.(trouble);
    } catch {
      // Telemetry never changes an outcome.
    }
  };
}
