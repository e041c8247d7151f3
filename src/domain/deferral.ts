/** A call that rules of the policy have put off. It wakes by itself, is judged again, and holds nothing in memory meanwhile. */
export interface Deferral {
  readonly tenant: string;
  readonly callId: string;
  readonly sessionId: string;
  readonly user: string;
  /** The credential that made the call. */
  readonly credentialId: string;
  readonly tool: string;
  readonly version: string;
  /** SHA-256 of the canonical arguments that would run. */
  readonly effectiveDigest: string;
  /** Rules that put it off when it was judged last. */
  readonly rules: readonly string[];
  /** Wall time in milliseconds at which the call was first put off. */
  readonly sinceMs: number;
  /** When it is judged again. */
  readonly wakeAtMs: number;
  /** When it is denied if it still waits. */
  readonly expiresAtMs: number;
}
