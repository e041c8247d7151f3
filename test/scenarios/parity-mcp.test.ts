/** The same calls through the library and through MCP: one decision, one outcome, one ledger. MCP carries no words of the user, so neither does the library here. */
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { Credential } from "../../src/domain/principal.ts";
import { errorBody } from "../../src/errors/wire.ts";
import { createMcpFace } from "../../src/gateway/mcp/face.ts";
import { lead, shop, shopPolicy } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const agent: Credential = { ...lead, id: "agent", actsFor: ["support"], approves: [], words: "attested" };

const story: readonly { readonly tool: string; readonly arguments: JsonObject; readonly key?: string }[] = [
  { tool: "order.get", arguments: { orderId: "A-1" } },
  { tool: "order.refund", arguments: { orderId: "A-1", amount: "20" } },
  { tool: "order.refund", arguments: { orderId: "B-1", amount: 20 } },
  { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } },
  { tool: "order.refund", arguments: { orderId: "A-2", amount: 5 }, key: "refund-5" },
  { tool: "order.refund", arguments: { orderId: "A-2", amount: 5 }, key: "refund-5" },
  { tool: "order.refund", arguments: { orderId: "A-2", amount: 6 }, key: "refund-5" },
  { tool: "order.get", arguments: { order: 7 } },
  { tool: "order.gett", arguments: {} },
];

/** What differs from run to run, and the id under which a provider knows a call. */
const differing = new Set(["commitments", "keyId", "traceId", "durationMs", "expiresAtMs", "asOfMs", "waitedSinceMs", "providerCallId"]);

function withoutIds(value: unknown): Json {
  const text = JSON.stringify(value).replace(/\b(call|apr|ses|req)_[0-9a-z]{20,}/g, "$1_");
  return JSON.parse(text, (name: string, member: Json) => (differing.has(name) ? undefined : member)) as Json;
}

type Told = { readonly value?: unknown; readonly error?: unknown; readonly isPending?: boolean };

async function play(
  tell: (box: Signalbox, sessionId: string, step: (typeof story)[number], id: number) => Promise<Told>,
): Promise<{ told: Json; ledger: Json }> {
  const box = await createSignalbox({ allowUnsafeMemory: true, policy: shopPolicy, tools: shop().tools });
  const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" }, credential: agent });
  const told: Told[] = [];
  for (const [index, step] of story.entries()) told.push(await tell(box, session.id, step, index + 1));
  const entries = await box.trail({ tenant: "acme", sessionId: session.id, limit: 200 });
  const ledger = entries.map(({ entry, body, private: values }) => ({ kind: entry.kind, body, private: values ?? null }));
  await box.close();
  return { told: withoutIds(told), ledger: withoutIds(ledger) };
}

async function throughLibrary(box: Signalbox, sessionId: string, { tool, arguments: args, key }: (typeof story)[number]): Promise<Told> {
  const session = await box.resume(sessionId, agent);
  const { outcome } = await session.turn().call({ tool, arguments: args, ...(key !== undefined && { key }) });
  if (outcome.kind === "pending") return { isPending: true };
  return outcome.kind === "completed" ? { value: outcome.result.value } : { error: errorBody(outcome.error).error };
}

async function throughMcp(box: Signalbox, sessionId: string, step: (typeof story)[number], id: number): Promise<Told> {
  const face = createMcpFace({
    box,
    users: new Map([["agent", { user: "ada", roles: ["support"] }]]),
    stateKey: new Uint8Array(32),
    limits: defaultLimits,
    clock: systemClock,
    version: "0.0.0",
    onFault: (cause) => expect(cause).toBeUndefined(),
  });
  const params = { name: step.tool, arguments: step.arguments, ...(step.key !== undefined && { _meta: { "signalbox/key": step.key } }) };
  const sender = { credential: agent, sessionId, headers: undefined, traceId: "trace" };
  const answer = await face.handle({ jsonrpc: "2.0", id, method: "tools/call", params }, sender, {});
  const { result } = (answer as unknown as { readonly message: { readonly result: JsonObject } }).message;
  const [block] = result["content"] as unknown as readonly [{ readonly text: string }];
  const body = JSON.parse(block.text) as JsonObject;
  if (result["isError"] === true) return { error: body["error"] };
  return "pending" in body ? { isPending: true } : { value: result["structuredContent"] };
}

test(verifies("OPS-12", "MCP gives the same outcome, decision and ledger as the library for the same calls"), async () => {
  const [library, mcp] = [await play(throughLibrary), await play(throughMcp)];
  expect(JSON.stringify(library.told)).toMatch(/PERMISSION_DENIED.*isPending.*KEY_REUSED.*ARGUMENTS_INVALID.*TOOL_NOT_FOUND/);
  expect(mcp.told).toEqual(library.told);
  expect(mcp.ledger).toEqual(library.ledger);
});
