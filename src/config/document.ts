import type { Limits } from "../base/limits.ts";
import type { HttpOptions } from "../connectors/http-options.ts";
import type { HttpPointOptions } from "../connectors/http-point.ts";
import type { WebhookOptions } from "../connectors/webhook.ts";
import type { McpOptions } from "../connectors/mcp/options.ts";
import type { FlowMode, PersonalDataMode } from "../domain/flow.ts";
import type { Credential } from "../domain/principal.ts";
import type { Tier } from "../domain/tool.ts";
import type { ToolMeaning } from "./tool-meaning.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Protection } from "../resilience/guards.ts";
import type { AdmissionPolicy } from "../registry/admission.ts";
import type { ToolParts } from "../registry/complete.ts";

/** Where state lives. */
export type StoreConfig =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly path: string }
  /** An address without a password. */
  | { readonly kind: "postgres"; readonly url: string };

/** An address of Redis, or a reference of one. */
export type SharedLimitsAddress = `redis://${string}` | `rediss://${string}` | `secret://${string}`;

/** Where the gateway listens. */
export interface ListenConfig {
  /** Name or address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** One API key with what it may do. The key itself is resolved when the gateway starts. */
export interface CredentialConfig {
  /** Its id, in the ledger and in approvals. */
  readonly name: string;
  /** `secret://` reference to the API key. */
  readonly secret: string;
  readonly tenant: string;
  /** Roles it may act for; `["*"]` for every one. Empty for a credential that does not call. */
  readonly actsFor: readonly string[];
  /** Approver groups it may answer for. Empty for a credential that does not approve. */
  readonly approves: readonly string[];
  readonly administers: boolean;
  /** The person behind a credential that approves. */
  readonly person: Credential["person"];
  /** Whether what it says of the user's words is believed. */
  readonly words: "attested" | "claimed";
}

/** One tool of an HTTP source: what people and policy see of it, and the request it makes. */
export interface HttpToolConfig {
  readonly parts: ToolParts;
  readonly http: HttpOptions;
}

/** One source of tools. */
export interface SourceConfig {
  readonly name: string;
  readonly kind: "http";
  readonly tools: readonly HttpToolConfig[];
}

/** One upstream MCP server as a source of tools. */
export interface McpSourceConfig {
  readonly name: string;
  readonly mcp: McpOptions;
  readonly admit: AdmissionPolicy;
  /** Globs over the server's names of its tools. */
  readonly allow: readonly string[];
  readonly tier: Tier;
  readonly tiers: readonly (readonly [glob: string, tier: Tier])[];
  readonly isEgress: boolean;
  readonly runsAs: "user" | "service";
  readonly timeoutMs: number | undefined;
  /** What the operator says of single tools, by the server's names. */
  readonly tools: Readonly<Record<string, ToolMeaning>>;
}

/** For whom the calls of an MCP client are made that holds this credential. */
export interface McpUserConfig {
  readonly credential: string;
  readonly user: string;
  readonly roles: readonly string[];
  /** Its client shows forms to the user and to nobody else, so the user may confirm calls there. */
  readonly isInteractive: boolean;
}

/** A place outside the store where checkpoints of the ledger are kept. */
export interface AnchorConfig {
  readonly kind: "file";
  readonly path: string;
}

/** `signalbox.yaml`, read, checked and with every default filled in. Paths are resolved against the file's folder. */
export interface Config {
  readonly version: 1;
  readonly store: StoreConfig;
  /** Where the processes of one database tell each other rates and breakers sooner: a Redis address without a password, or a `secret://` reference of one. */
  readonly sharedLimits: SharedLimitsAddress | undefined;
  /** Default `127.0.0.1:7320`. */
  readonly listen: ListenConfig;
  /** Names besides loopback under which the gateway may be asked (`Host` header). */
  readonly hosts: readonly string[];
  /** Key file of the installation; `undefined` beside a memory store: keys live as long as the process. */
  readonly keys: string | undefined;
  readonly credentials: readonly CredentialConfig[];
  readonly sources: readonly SourceConfig[];
  readonly decisionPoints: readonly PointConfig[];
  /** When sources are left alone and how many calls they take at once, by name. */
  readonly upstreams: Readonly<Record<string, Protection>>;
  readonly mcpSources: readonly McpSourceConfig[];
  /** Who may use MCP towards this gateway; empty for nobody. */
  readonly mcpUsers: readonly McpUserConfig[];
  /** Modules that export tools made by `tool()`, as absolute paths. */
  readonly modules: readonly string[];
  readonly policy: PolicyDocument;
  /** The policy as it was written, for activation and for showing it; undefined where it is broken. */
  readonly policyRaw: unknown;
  /** How strictly calls are judged by where their arguments came from. */
  readonly flowMode: FlowMode;
  readonly personalData: PersonalDataMode;
  /** Where notices are posted; undefined for nowhere. */
  readonly notify: WebhookOptions | undefined;
  readonly limits: Limits;
  /** Nothing but reads is let through. */
  readonly readOnly: boolean;
  readonly anchors: readonly AnchorConfig[];
}

/** Cedar's policies, by the files that hold them. */
export interface CedarPointConfig {
  readonly name: string;
  readonly protocol: "cedar";
  readonly policies: string;
  readonly schema?: string;
  readonly on?: readonly string[];
}

/** A decision point of a configuration. */
export type PointConfig = HttpPointOptions | CedarPointConfig;
