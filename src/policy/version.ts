import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import type { PolicyDocument } from "./document.ts";

/** Version of a policy: SHA-256 of its canonical JSON, 64 hexadecimal characters. The order of members does not matter, that of rules does. */
export function policyVersion(policy: PolicyDocument): string {
  return sha256Hex(canonicalJson(policy));
}

/** The first 12 characters of a version, for people. */
export function shortVersion(version: string): string {
  return version.slice(0, 12);
}
