import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/mcp.md"), "utf8");
const blocks = (language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block]) => block as string);

test("every piece of signalbox.yaml in docs/mcp.md is one that is taken", async () => {
  const agent = "credentials:\n  agent: { secret: secret://env/AGENT_KEY, tenant: acme, actsFor: [support] }\n";
  expect(blocks("yaml")).toHaveLength(5);
  for (const block of blocks("yaml")) {
    const whole = `version: 1\nstore: memory\n${block.includes("credentials:\n  agent: { secret") ? "" : agent}${block}`;
    const loaded = await loadConfig(
      { path: "/signalbox.yaml", text: whole },
      { environment: {}, readFile: () => Promise.reject(new Error("none")) },
    );
    expect("problems" in loaded ? loaded.problems : [], block).toEqual([]);
  }
});

test("every client configuration in docs/mcp.md is JSON that names a server", () => {
  const configurations = blocks("json").map((block) => JSON.parse(block) as { readonly mcpServers: object });
  expect(configurations.map(({ mcpServers }) => Object.keys(mcpServers))).toEqual([["signalbox"], ["signalbox"]]);
});
