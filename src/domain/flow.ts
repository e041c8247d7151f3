/** How strictly calls are judged by where their arguments came from; see `FlowOptions`. */
export type FlowMode = "observe" | "standard" | "strict";

/** What counts as personal or secret in results; see `FlowOptions`. */
export type PersonalDataMode = "guess" | "declared";

/** Both ways. */
export const personalDataModes = ["guess", "declared"] as const satisfies readonly PersonalDataMode[];

/** The modes from lenient to strict. */
export const flowModes = ["observe", "standard", "strict"] as const satisfies readonly FlowMode[];
