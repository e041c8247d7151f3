import type { Tool } from "../../domain/tool.ts";
import type { Registry } from "../../registry/registry.ts";

/** The tool that a recorded call was made with (`name@version`), where it is still registered. */
export function toolNamed(registry: Registry, nameAndVersion: string): Tool | undefined {
  const found = registry.resolve(nameAndVersion, () => true);
  return found.kind === "found" ? found.registered.tool : undefined;
}
