import type { Gate, Reason } from "./decision.ts";
import type { Principal } from "./principal.ts";

/** One person's answer to an approval. */
export interface ApprovalAnswer {
  readonly by: string;
  readonly credentialId: string;
  readonly approve: boolean;
  /** Shown to the model when it is a rejection. */
  readonly reason: string | undefined;
  readonly atMs: number;
  /** Digest of the arguments that it was given for; a yes counts for no others. Absent: those that the call came with. */
  readonly effectiveDigest?: string | undefined;
  /** Of the groups that had to agree, those that the answer can stand for; it stands for one. Absent where any group did. */
  readonly groups?: readonly string[] | undefined;
  /** A yes also to further calls to the same target in the same session. */
  readonly widens?: boolean | undefined;
}

/** A change of the arguments by a person who answered. */
export interface ApprovalEdit {
  readonly by: string;
  /** Digest of the arguments before the first change: those that the model sent. */
  readonly fromDigest: string;
  /** JSON pointers of what the last change made different, at most 20. */
  readonly pointers: readonly string[];
}

/** Whether the user asked for this kind of action, as far as their words tell. */
export type Asked = "asked" | "not-asked" | "unknown";

/** Where a value of the call came from, as traced when the question was asked. It holds no value, and of other conversations only source and time. */
export interface ApprovalOrigin {
  /** JSON pointer of the argument. */
  readonly pointer: string;
  /** Which address inside the argument it is about, in reading order from 0; absent: the argument as a whole. */
  readonly part?: number;
  /** Who vouches for it. */
  readonly source: "user" | "plan" | "trusted" | "directory" | "named-record" | "untrusted" | "nowhere";
  /** The tool whose result held it, where that is remembered. */
  readonly tool?: string;
  /** Wall time of that call in milliseconds. */
  readonly atMs?: number;
  /** That call, where it was made in this conversation. */
  readonly callId?: string;
}

/** A recipient who may not have what the call repeats, by their place in the arguments. */
export interface BarredReader {
  /** JSON pointer of the argument that names them. */
  readonly pointer: string;
  /** Which of those that the argument names, from 0. */
  readonly part: number;
  /** Whether the directory knows them. */
  readonly isKnown: boolean;
}

/** Where an approval stands. `used`: the call ran or was settled under it. `void`: it no longer fits what would run. */
export type ApprovalState = "pending" | "approved" | "rejected" | "expired" | "used" | "void";

/** A question to a person about exactly one call. */
export interface Approval {
  readonly id: string;
  readonly tenant: string;
  readonly callId: string;
  readonly sessionId: string;
  readonly principal: Principal;
  /** The credential that made the call; it may never answer. */
  readonly callerCredentialId: string;
  readonly tool: string;
  readonly version: string;
  readonly toolFingerprint: string;
  /** SHA-256 of the canonical arguments that would run. */
  readonly effectiveDigest: string;
  readonly gate: Gate;
  readonly approvers: readonly string[];
  readonly quorum: number;
  /** Each of `approvers` has to agree by a person of its own. Absent: people of any of them. */
  readonly isOfEach?: true | undefined;
  /** With `isOfEach`: groups of which somebody could say the yes that is still missing. */
  readonly wanted?: readonly string[] | undefined;
  readonly needsFreshAuthentication: boolean;
  /** What asked; a new reason at waking needs a new approval. */
  readonly reasons: readonly Reason[];
  readonly factDigests: Readonly<Record<string, string>>;
  /** Absent where nothing was traced. */
  readonly asked?: Asked;
  /** The riskiest first, at most `approvalOriginsMax`. */
  readonly origins?: readonly ApprovalOrigin[];
  /** At most `approvalOriginsMax`. Absent where nobody was looked up, or everybody may read it. */
  readonly barred?: readonly BarredReader[];
  readonly policyVersion: string;
  /** One line in plain words: what will happen if somebody says yes. Bounded, control characters removed. */
  readonly summary: string;
  /** Set once somebody changed the arguments; `effectiveDigest` and `summary` are then those of the changed call. */
  readonly edited?: ApprovalEdit | undefined;
  readonly state: ApprovalState;
  readonly answers: readonly ApprovalAnswer[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}
