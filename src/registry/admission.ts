/**
 * Whether a definition from a source may be used. A definition is known by the digest of the whole of it, as it came: what a person has reviewed is that
 * and nothing else, so any change, however small, is a definition that nobody has reviewed.
 */
import type { Tier } from "../domain/tool.ts";

/**
 * What a source may add by itself. `review`: nothing, also not at its first start. `reads`: new tools that its operator has tiered as `read`. `all`: every
 * new tool. A tool whose definition *changed* waits for a person whatever is set: that is how a server that was reviewed turns into another one.
 */
export type AdmissionPolicy = "review" | "reads" | "all";

/** Every policy, from narrow to wide. */
export const admissionPolicies = ["review", "reads", "all"] as const satisfies readonly AdmissionPolicy[];

/** What is known of a definition when it is judged. */
export interface AdmissionFacts {
  readonly policy: AdmissionPolicy;
  /** The tier that the operator gives it; what the definition says of itself is not asked. */
  readonly tier: Tier;
  readonly digest: string;
  /** Digest of the definition that was admitted under this name; undefined where none ever was. */
  readonly admittedDigest: string | undefined;
  /** What keeps it from being registered at all, such as hidden characters. */
  readonly problems: readonly string[];
}

/** Where a definition stands. */
export type AdmissionVerdict =
  | { readonly kind: "admitted" }
  /** By the policy, which has to be recorded. */
  | { readonly kind: "admit" }
  | { readonly kind: "waits"; readonly why: "new" | "changed" }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** Judges a definition. */
export function judgeDefinition(facts: AdmissionFacts): AdmissionVerdict {
  const { policy, tier, digest, admittedDigest, problems } = facts;
  if (problems.length > 0) return { kind: "refused", problems };
  if (admittedDigest === digest) return { kind: "admitted" };
  if (admittedDigest !== undefined) return { kind: "waits", why: "changed" };
  const isAdmitted = policy === "all" || (policy === "reads" && tier === "read");
  return isAdmitted ? { kind: "admit" } : { kind: "waits", why: "new" };
}
