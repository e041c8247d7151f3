/** How strictly calls are judged by where their arguments came from; see `FlowOptions`. */
export type FlowMode = "observe" | "standard" | "strict";

/** The modes from lenient to strict. */
export const flowModes = ["observe", "standard", "strict"] as const satisfies readonly FlowMode[];
