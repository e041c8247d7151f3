import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What an MCP client has in its configuration under `mcpServers`. */
export interface McpServers {
  readonly "desk-http": { readonly type: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>> };
  readonly "desk-stdio": { readonly command: string; readonly args: readonly string[] };
}

const program = fileURLToPath(new URL("../../bin/signalbox.js", import.meta.url));

/**
 * The configuration of an MCP client for both ways to the desk: the running gateway over HTTP, and one of the client's own over stdio, which has a store
 * of its own, since a SQLite store belongs to one process. For the latter this writes a `signalbox.yaml` and the keys that it names into `folder`, so that
 * what the client holds has no secret in it.
 *
 * @param configuration the desk's own signalbox.yaml as text, with absolute paths and `./.signalbox` where the state goes.
 */
export function mcpServersOf(parts: {
  readonly address: string;
  readonly agentKey: string;
  readonly folder: string;
  readonly configuration: string;
  readonly keys: Readonly<Record<string, string>>;
}): McpServers {
  const { address, agentKey, folder, configuration, keys } = parts;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  for (const [name, key] of Object.entries(keys)) writeFileSync(join(folder, name), key, { mode: 0o600 });
  const path = join(folder, "signalbox.yaml");
  const text = configuration
    .replaceAll("./.signalbox", folder)
    .replaceAll("secret://env/", `secret://file${folder}/`)
    .replace(/^listen: .*$/m, "listen: 127.0.0.1:0");
  writeFileSync(path, text);
  return {
    "desk-http": { type: "http", url: `${address}/mcp`, headers: { Authorization: `Bearer ${agentKey}` } },
    "desk-stdio": { command: process.execPath, args: [program, "serve", "--stdio", "--config", path] },
  };
}
