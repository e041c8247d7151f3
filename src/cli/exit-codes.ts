/** How the command line ends, for scripts. Documented in docs/cli.md. */
export const exitCodes = {
  ok: { code: 0, about: "done" },
  failed: { code: 1, about: "what was asked for failed, was denied or has problems" },
  usage: { code: 2, about: "the command line is not valid" },
  pending: { code: 3, about: "the call waits for a person or is still running" },
  unknown: { code: 4, about: "nobody can say yet whether the call happened" },
  unverified: { code: 5, about: "the ledger or a receipt does not hold" },
  unavailable: { code: 69, about: "the gateway cannot be reached (EX_UNAVAILABLE)" },
  internal: { code: 70, about: "a fault of Signalbox (EX_SOFTWARE)" },
  config: { code: 78, about: "the configuration has problems (EX_CONFIG)" },
} as const satisfies Record<string, { readonly code: number; readonly about: string }>;

/** A way to end. */
export type Ending = keyof typeof exitCodes;
