import { cleanForPeople } from "../../approvals/card.ts";
import type { Limits } from "../../base/limits.ts";
import type { Tool } from "../../domain/tool.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { toolRegistered } from "../../ledger/entries.ts";
import type { Registry } from "../../registry/registry.ts";
import type { SignalboxOptions } from "./options.ts";
import type { Runtime } from "../runtime.ts";

/** Registers the tools of a box, with its limits for what their definitions leave out. `CONFIG_INVALID` with every tool that cannot be registered, or that its store cannot keep safe. */
export function addTools(registry: Registry, options: SignalboxOptions, limits: Limits): void {
  const problems: string[] = [];
  const isForgetful = forgetsCalls(options);
  for (const { tool: stated, connector, withLimits } of options.tools ?? []) {
    const tool = withLimits?.(limits) ?? stated;
    // A name from outside may be made to deceive whoever reads this.
    const name = cleanForPeople(tool.name, 80);
    const added = registry.add({ tool, connector });
    if (added.kind === "refused") problems.push(`tool \`${name}\`: ${added.problems.join("; ")}`);
    if (isForgetful && (tool.tier === "irreversible" || tool.tier === "privileged"))
      problems.push(
        `tool \`${name}\` is ${tool.tier}, and a memory store forgets its approvals and keys; use \`sqlite:<path>\`, or say \`allowUnsafeMemory\``,
      );
  }
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", problems.join("; "));
}

/** Whether the store forgets approvals and keys, and nobody has said that this is known. */
export function forgetsCalls({ store, allowUnsafeMemory }: SignalboxOptions): boolean {
  const isMemory = store === undefined || store === "memory" || (typeof store === "object" && !store.survivesRestart);
  return isMemory && allowUnsafeMemory !== true;
}

/** Says in the ledger which tool definitions are in force, once per definition. */
export async function recordTools(runtime: Runtime): Promise<void> {
  for (const { tool } of runtime.registry.listVersions(() => true)) await recordTool(runtime, tool);
}

/** The same for one tool. */
export async function recordTool(runtime: Pick<Runtime, "store" | "clock">, tool: Tool): Promise<void> {
  const key = { space: "tool", tenant: "", key: `${tool.name}@${tool.version}` };
  const [row] = await runtime.store.read([key]);
  const before = row?.body as { readonly fingerprint?: string } | undefined;
  if (before?.fingerprint === tool.fingerprint) return;
  await runtime.store.commit({
    operations: [{ op: "put", key, body: { fingerprint: tool.fingerprint } }],
    entries: [
      toolRegistered({
        place: { tenant: "", atMs: runtime.clock.now() },
        tool: tool.name,
        version: tool.version,
        fingerprint: tool.fingerprint,
        previous: before?.fingerprint,
        source: tool.source,
        tier: tool.tier,
      }),
    ],
  });
}
