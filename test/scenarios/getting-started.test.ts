import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { follow } from "../support/guide.ts";

const root = join(import.meta.dirname, "../..");

test("the first hour goes as docs/getting-started.md tells it: every file, command and output", async () => {
  const page = await readFile(join(root, "docs/getting-started.md"), "utf8");
  const folder = await realpath(await mkdtemp(join(tmpdir(), "signalbox-guide-")));
  try {
    await mkdir(join(folder, "docs"));
    await writeFile(join(folder, "docs/refunds.md"), "Broken goods are refunded within 24 months.\n");
    const server = join(root, "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
    const told = await follow(page, {
      folder,
      variables: {
        SIGNALBOX_AGENT_KEY: "agent-key-of-the-guide-0001",
        SIGNALBOX_LEAD_KEY: "lead-key-of-the-guide-00001",
        SIGNALBOX_OPERATOR_KEY: "operator-key-of-the-guide-1",
      },
      // The page has npm's own runner in a shell; a test starts the same server by the Node.js that runs it.
      written: (text) => text.replace("[npx, mcp-server-filesystem,", `[${JSON.stringify(process.execPath)}, ${JSON.stringify(server)},`),
    });
    expect(told.length).toBeGreaterThan(15);
    expect(told.map(({ command, printed }) => ({ command, printed }))).toEqual(
      told.map(({ command, shown }) => ({ command, printed: shown })),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
