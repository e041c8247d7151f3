import { type } from "arktype";
import * as valibot from "valibot";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { Type } from "typebox";
import { z } from "zod";
import * as mini from "zod/mini";
import type { JsonObject } from "../domain/json.ts";
import type { Execution, RegisteredTool } from "../domain/tool.ts";
import { tool } from "./define.ts";

const base = { name: "order.refund", tier: "irreversible", description: "Refund a paid order." } as const;

async function run(registered: RegisteredTool, args: JsonObject): Promise<unknown> {
  const execution = {
    callId: "call_1",
    key: "key-1",
    signal: new AbortController().signal,
    principal: { tenant: "acme", user: "ada", roles: [], attributes: {} },
    sessionId: "s",
    tool: registered.tool,
    attempt: 1,
    progress: () => undefined,
    secret: () => Promise.resolve("s"),
    conceal: () => {},
  } satisfies Execution;
  return await registered.connector.execute(args, execution);
}

describe("tool", () => {
  it("fills in the defaults and fingerprints the definition", () => {
    const { tool: defined } = tool({ ...base, input: { type: "object" }, run: () => null });
    expect(defined).toMatchObject({
      version: "1.0.0",
      idempotency: "none",
      runsAs: "user",
      repairsArguments: true,
      isForeign: false,
      source: "local",
    });
    expect(defined.timeouts).toEqual({ attemptMs: 10_000, executeMs: 30_000, replyMs: 30_000 });
    expect(defined.retry).toMatchObject({ attempts: 3, on: { timeout: "absorb", rejected: "surface" } });
    expect(tool({ ...base, tier: "read", input: {}, run: () => null }).tool.idempotency).toBe("natural");
    const other = tool({ ...base, description: "Refund.", input: { type: "object" }, run: () => null }).tool;
    expect(other.fingerprint).not.toBe(defined.fingerprint);
    expect(tool({ ...base, input: { type: "object" }, run: () => 1 }).tool.fingerprint).toBe(defined.fingerprint);
  });

  it.each([
    ["zod", z.object({ id: z.string() })],
    ["arktype", type({ id: "string" })],
    ["typebox", Type.Object({ id: Type.String() })],
    ["plain JSON Schema", { type: "object", properties: { id: { type: "string" } }, required: ["id"] }],
  ])(verifies("REG-01", "takes the schema of %s"), (_name, input) => {
    const { tool: defined } = tool({ ...base, input, run: () => null });
    expect(defined.inputSchema).toMatchObject({ type: "object", properties: { id: { type: "string" } }, required: ["id"] });
  });

  it(verifies("REG-01", "CONN-05", "gives the handler the schema's own output, typed, with the key"), async () => {
    const registered = tool({
      ...base,
      input: z.object({ amount: z.number(), tag: z.string().default("none") }),
      run: ({ amount, tag }, { key }) => ({ cents: amount.toFixed(2), tag: tag.toUpperCase(), key }),
    });
    expect(await run(registered, { amount: 5 })).toEqual({ kind: "value", value: { cents: "5.00", tag: "NONE", key: "key-1" } });
  });

  it("refuses what only the library can check before the handler ran", async () => {
    let isRun = false;
    const input = z
      .object({ from: z.number(), to: z.number() })
      .refine(({ from, to }) => from < to, { message: "from must be before to", path: ["to"] });
    const registered = tool({ ...base, input, run: () => (isRun = true) });
    expect(await run(registered, { from: 2, to: 1 })).toMatchObject({
      kind: "failure",
      failure: { code: "ARGUMENTS_INVALID", effect: "none", message: expect.stringContaining("`/to`: from must be before to") as string },
    });
    expect(isRun).toBe(false);
  });

  it("lets a throw of the handler through, for the journey to classify", async () => {
    const registered = tool({ ...base, input: {}, run: () => Promise.reject(new Error("down")) });
    await expect(run(registered, {})).rejects.toThrow("down");
  });

  it("names the converter for schemas that give no JSON Schema", () => {
    expect(() => tool({ ...base, input: valibot.object({ id: valibot.string() }), run: () => null })).toThrow(
      /valibot schema.*`toStandardJsonSchema`/,
    );
    expect(() => tool({ ...base, input: mini.object({ id: mini.string() }), run: () => null })).toThrow(/z.toJSONSchema|full `zod`/);
    expect(() => tool({ ...base, input: z.object({ at: z.date() }), run: () => null })).toThrow(/cannot be written as JSON Schema/);
  });

  it("reports every problem of a definition together", () => {
    const wrong = {
      name: "Größe",
      tier: "deadly",
      description: "",
      version: "1",
      input: { $ref: "http://x/y" },
      costMicrosUsd: -1,
      idempotency: "lookup",
    };
    const define = () => tool(wrong as never);
    for (const part of [
      /`run` and `connector`/,
      /U\+00F6/,
      /semantic version/,
      /`description` is missing/,
      /tier `deadly`/,
      /`lookupTool`/,
      /`costMicrosUsd`/,
      /points outside/,
    ])
      expect(define).toThrow(part);
  });

  it("refuses an input that is no plain data, and keeps nothing of one that changes later", () => {
    const circle: Record<string, unknown> = { type: "object" };
    circle.properties = { self: circle };
    expect(() => tool({ ...base, input: circle, run: () => null })).toThrow(/not plain data/);
    const properties: Record<string, unknown> = { id: { type: "string" } };
    const { tool: defined } = tool({ ...base, input: { type: "object", properties }, run: () => null });
    properties.id = {};
    expect(defined.inputSchema).toEqual({ type: "object", properties: { id: { type: "string" } } });
  });

  it("reads roles by name or pointer", () => {
    const { tool: defined } = tool({
      ...base,
      input: {},
      arguments: { orderId: "ref", "/items/*/sku": "target", "a/b": "date" },
      run: () => null,
    });
    expect(defined.argumentRoles).toEqual({ "/orderId": "ref", "/items/*/sku": "target", "/a~1b": "date" });
  });
});
