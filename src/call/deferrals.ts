import type { Deferral } from "../domain/deferral.ts";

/** Calls that rules have put off. `credentialId`: only those of its sessions; others look absent. */
export interface Deferrals {
  /** Oldest first. `next` is there when there may be more. */
  list(query: {
    readonly tenant: string;
    readonly credentialId?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<{ readonly deferrals: readonly Deferral[]; readonly next: string | undefined }>;
  /** Ends a wait: the call does not run, whoever asks for it is told so, and it may be made anew. `NOT_FOUND` where it does not wait, or not any more. */
  cancel(
    callId: string,
    request: { readonly tenant: string; readonly credentialId?: string; readonly by: string; readonly reason?: string },
  ): Promise<void>;
}
