/** The server behind every gateway, on stdio since that is what all of them can stand in front of: one tool, which answers the standard result. */
import { createInterface } from "node:readline";
import { result, standardTool } from "../../standard-call.ts";

const { description, inputSchema } = standardTool("read").tool;
const answers: Readonly<Record<string, object>> = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "upstream", version: "1.0.0" } },
  ping: {},
  "tools/list": { tools: [{ name: "refund", description, inputSchema }] },
  "tools/call": { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result },
};

createInterface({ input: process.stdin }).on("line", (text) => {
  const { id, method } = JSON.parse(text) as { readonly id?: number | string; readonly method?: string };
  if (id === undefined || method === undefined) return;
  const answer = answers[method];
  const said = answer === undefined ? { error: { code: -32_601, message: `no method named ${method}` } } : { result: answer };
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...said })}\n`);
});
