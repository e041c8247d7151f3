import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { argumentsText } from "../../standard-call.ts";
import type { McpSession } from "./session.ts";

/** The base: the upstream's stdio, with no gateway between. */
export async function openDirect(upstream: string): Promise<McpSession> {
  const child = spawn(process.execPath, [upstream], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map<number, (text: string) => void>();
  createInterface({ input: child.stdout }).on("line", (text) => {
    const id = Number(/"id":(\d+)/.exec(text)?.[1]);
    waiting.get(id)?.(text);
    waiting.delete(id);
  });
  const ask = (id: number, rest: string): Promise<string> =>
    new Promise((resolve) => {
      waiting.set(id, resolve);
      child.stdin.write(`{"jsonrpc":"2.0","id":${id},${rest}}\n`);
    });
  await ask(0, '"method":"initialize","params":{}');
  return {
    async call(index) {
      const text = await ask(index + 1, `"method":"tools/call","params":{"name":"refund","arguments":${argumentsText(index)}}`);
      if (!text.includes('"structuredContent":{"status":"ok"')) throw new Error(`not the result: ${text.slice(0, 300)}`);
    },
    close: () => void child.kill(),
  };
}
