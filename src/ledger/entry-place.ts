/** When and under what an entry stands. */
export interface EntryPlace {
  readonly tenant: string;
  /** Wall time in milliseconds. */
  readonly atMs: number;
  readonly sessionId?: string | undefined;
  readonly runId?: string | undefined;
}

/** The same for what belongs to one call. */
export interface CallPlace extends EntryPlace {
  readonly callId: string;
  readonly sessionId: string;
}
