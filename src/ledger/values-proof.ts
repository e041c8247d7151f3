import type { Json } from "../domain/json.ts";
import type { ValuesBody } from "./entries.ts";
import { member, textMember } from "./members.ts";
import { brokenCommitments, envelopeKeyId, type OpenedValues } from "./vault.ts";

/** What an entry's body says of its private values, `undefined` where it has none. A body that was tampered with gives a proof that nothing fits. */
export function valuesProof(body: Json | undefined): ValuesBody | undefined {
  const values = member(body, "values");
  if (values === undefined) return undefined;
  const commitments = member(values, "commitments");
  const names = typeof commitments === "object" && commitments !== null && !Array.isArray(commitments) ? Object.keys(commitments) : [];
  return {
    algorithm: textMember(values, "algorithm"),
    commitments: Object.fromEntries(names.map((name) => [name, textMember(commitments, name)])),
    keyId: textMember(values, "keyId"),
  };
}

/** Whether the bytes beside an entry were sealed under the key that its body names; if not, they are not the entry's, and nothing was erased. */
export function isSealedUnder(proof: ValuesBody, sealed: Uint8Array): boolean {
  return envelopeKeyId(sealed) === proof.keyId;
}

/** Whether opened values are exactly those that the body proves. */
export function isProven(proof: ValuesBody, opened: OpenedValues): boolean {
  return brokenCommitments(opened, proof.commitments).length === 0;
}
