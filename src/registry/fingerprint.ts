import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import type { Tool } from "../domain/tool.ts";

/**
 * Identifies the whole definition of a tool: SHA-256 over its canonical data, everything but the fingerprint itself. Approvals and pins are bound to
 * it, so a description, schema, tier or timeout that changes makes another tool.
 */
export function fingerprintOf(tool: Omit<Tool, "fingerprint">): string {
  const { fingerprint: _ignored, ...definition } = tool as Tool;
  return sha256Hex(canonicalJson(definition));
}
