import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";

/** Runs the story to its end in a process of its own, on free ports. */
async function runOnce(): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const state = await mkdtemp(join(tmpdir(), "signalbox-desk-"));
  try {
    const environment = { PATH: "", NO_COLOR: "1", DESK_PORT: "0", SHOP_PORT: "0", DESK_STATE: state };
    const child = spawn(process.execPath, [join(import.meta.dirname, "start.ts"), "--once"], { env: environment });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    return await new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  } finally {
    await rm(state, { recursive: true, force: true });
  }
}

/** Without ids and times. */
function timeless(text: string): string {
  return text.replace(/apr_[0-9a-z]+/g, "apr_").replace(/\d+ ms/g, "some ms");
}

/** What the story must show, in its order: a heading, and how its calls ended. */
const told = [
  /1\. an allowed read[\s\S]*?✓ completed \{"result":\{"id":"A-1042"/,
  /2\. an argument of the wrong type[\s\S]*?validate +repaired \/limit[\s\S]*?✓ completed/,
  /3\. somebody else's record[\s\S]*?authorize +PERMISSION_DENIED[\s\S]*?✗ denied/,
  /4\. a refund waits[\s\S]*?… pending[\s\S]*?person +team-lead approves[\s\S]*?gate +intent on disk[\s\S]*?✓ completed \{"refunded":20/,
  /5\. the model asks for the same refund again[\s\S]*?deduplicate[\s\S]*?… pending[\s\S]*?team-lead says no[\s\S]*?✗ denied/,
  /6\. a tool that hangs[\s\S]*?attempt 3[\s\S]*?✗ failed +\{"error":\{"code":"TOOL_TIMEOUT"/,
  /7\. a lost reply[\s\S]*?\? unknown[\s\S]*?joined the earlier call; nothing was sent again[\s\S]*?✓ completed/,
  /8\. a review tells the agent[\s\S]*?TOOL_NOT_FOUND/,
  /refunds 1, pick-ups 1, mails 0/,
  /ledger ✓ verified: \d+ entries in \d+ sealed batches, [1-9]\d* signed checkpoints/,
];

test(
  verifies("OPS-01", "the support desk tells its story as written, and its ledger verifies"),
  async () => {
    const { code, out, err } = await runOnce();
    expect({ code, err }).toEqual({ code: 0, err: "" });
    let from = 0;
    for (const part of told) {
      const found = part.exec(out.slice(from));
      expect(found, `${String(part)} in\n${out}`).not.toBeNull();
      from += (found as RegExpExecArray).index;
    }
    expect(out).not.toMatch(/did not go as told|It stays up/);
    // What the README quotes is what is printed.
    const quoted = /^4\. a refund waits.*?```/ms.exec(await readFile(join(import.meta.dirname, "../../README.md"), "utf8"))?.[0] ?? "";
    const lines = quoted.split("\n").slice(0, -1);
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(timeless(out)).toContain(timeless(line.replace(/…$/, "")));
  },
  30_000,
);
