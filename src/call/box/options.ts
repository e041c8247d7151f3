import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Approval } from "../../domain/approval.ts";
import type { DecisionPoint } from "../../domain/decision-point.ts";
import type { FlowMode, PersonalDataMode } from "../../domain/flow.ts";
import type { NoticePort } from "../../domain/notice.ts";
import type { ToolSource } from "../../domain/tool-source.ts";
import type { RegisteredTool, Tier, Tool } from "../../domain/tool.ts";
import type { Anchor } from "../../ledger/anchor.ts";
import type { Keyring } from "../../ledger/keyring.ts";
import type { AdmissionPolicy } from "../../registry/admission.ts";
import type { Protection } from "../../resilience/guards.ts";
import type { Store } from "../../store/store.ts";

/** What a box is made of. Everything is checked at construction and all problems are reported together. */
export interface SignalboxOptions {
  /** Path of a `signalbox.yaml`; what is given beside it wins. */
  readonly config?: string;
  /** Tools defined in code, beside those of the configuration. */
  readonly tools?: readonly RegisteredTool[];
  /** Where tools come from that appear, change and disappear at run time. */
  readonly sources?: readonly SourceOptions[];
  /** When sources are left alone and how many calls they take at once, by the source's name. Default: the limits. */
  readonly upstreams?: Readonly<Record<string, Protection>>;
  /** Policy as data, in the shape of the configuration's `policy`. Default: nothing is granted. */
  readonly policy?: unknown;
  /**
   * Goes on with the policy that the store says is in force, for a process whose own is broken; `CONFIG_INVALID` where there is none. `policy` is not looked at.
   * Default false.
   */
  readonly keepsPolicy?: boolean;
  /** What decides besides the policy, outside of it. Each can only deny; one that cannot be reached denies. Default none. */
  readonly decisionPoints?: readonly DecisionPoint[];
  /** How strictly calls are judged by where their arguments came from. Default `{ mode: "standard" }`. */
  readonly flow?: FlowOptions;
  /**
   * Where state lives: `memory` (nothing survives; tools beyond `reversible` are refused unless `allowUnsafeMemory`), `sqlite:<path>` (one
   * long-lived process), `postgres://user@host/database` (several processes on one database; needs the package `pg`, and `keys`), or a store of your
   * own. Default `memory`.
   */
  readonly store?: "memory" | `sqlite:${string}` | `postgres://${string}` | `postgresql://${string}` | Store;
  /**
   * Where the processes of one `postgres://` store tell each other rates and breakers sooner than through it, which takes up to a second: `redis://host:6379`
   * (needs the package `redis`), `rediss://` for TLS, or the `secret://` reference of such an address. While it is away they tell each other through the store.
   * Default none.
   */
  readonly sharedLimits?: `redis://${string}` | `rediss://${string}` | `secret://${string}`;
  /** Lets a memory store serve irreversible and privileged tools: their approvals and keys die with the process. Default false. */
  readonly allowUnsafeMemory?: boolean;
  /** Path of the key file, created if absent. Default: beside the SQLite file, `<path>.keys`; for PostgreSQL there is none. */
  readonly keys?: string | Keyring;
  /** Where checkpoints are anchored, so that a cut or rolled-back ledger is noticed. Default none. */
  readonly anchors?: readonly Anchor[];
  /** This process lets nothing but reads through, whatever the switch in the store says. Default false. */
  readonly readOnly?: boolean;
  /** Changes to the table in docs/limits.md, by name. */
  readonly limits?: Readonly<Record<string, unknown>>;
  /** Where `secret://env/…` looks. Default: the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Told of faults of ours and of handlers that hold the event loop; never of arguments, results or secrets. Default: nobody. */
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Where people hear of calls that wait for them, and of calls that ran and whose owner is told; such as `webhook(…)`. Default: nowhere. */
  readonly notify?: NoticePort;
  /** Told of every call that waits for a person, once that is recorded. Default: nobody. */
  readonly onApprovalAsked?: (approval: Approval) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What the flow rules do. */
export interface FlowOptions {
  /**
   * `observe`: nothing changes, and every decision says what would have been asked or refused. `standard`: the rules ask and refuse. `strict`: besides,
   * only words of a credential whose statements are attested count as the user's, and nothing runs unasked in a conversation without words.
   */
  readonly mode: FlowMode;
  /**
   * What counts as personal or secret in results. `guess` (default): what is labelled, and besides, where nobody said who may have a value, what looks like
   * it (passports, accounts, cards, passwords, …): that leaves only after a question, unless the user named or asked for it. `declared`: only what is labelled.
   */
  readonly personalData?: PersonalDataMode;
}

/** A source of tools, and what its operator says of them. What the source says of itself (hints, annotations) is never asked. */
export interface SourceOptions {
  readonly source: ToolSource;
  /** What may be used without a review. Default `review`: nothing, not even at its first start. */
  readonly admit?: AdmissionPolicy;
  /** Globs over the source's own names of its tools; others are left out. Default `*`. */
  readonly allow?: readonly string[];
  /** Tier of its tools. Default `irreversible`. */
  readonly tier?: Tier;
  /** Tiers of single tools by glob over the source's own names; the first that fits counts. */
  readonly tiers?: readonly (readonly [glob: string, tier: Tier])[];
  /** The arguments leave for the outside. Default false. */
  readonly isEgress?: boolean;
  /** Whose rights its calls are made with. Default `service`. */
  readonly runsAs?: Tool["runsAs"];
  /** Time of one attempt. Default `attemptTimeoutMs`. */
  readonly timeoutMs?: number;
  /** What you say of single tools, by the source's own names: roles of arguments, what rules may narrow, labels of results, phrases that ask for it, whether personal data is taken out. Default: nothing. */
  readonly tools?: Readonly<Record<string, Partial<Pick<Tool, "argumentRoles" | "narrows" | "outputLabels" | "asks" | "redacts">>>>;
}

/** Something an operator should know. */
export interface Trouble {
  /** `fault`: ours; `handler`: a tool's code misbehaves; `ledger`: anchoring lags; `source`: a source is down, or its tools wait for review; `notice`: one could not be delivered. */
  readonly kind: "fault" | "handler" | "ledger" | "source" | "notice";
  readonly where: string;
  readonly note: string;
  readonly cause?: unknown;
}
