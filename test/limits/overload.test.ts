import { expect, test } from "vitest";
import { z } from "zod";
import { fixedBounds } from "../../src/base/fixed-bounds.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { settled } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };

function held(tier: "read" | "reversible") {
  const free: (() => void)[] = [];
  const made = tool({
    name: `crm.${tier}`,
    tier,
    source: "crm",
    isRepeatable: true,
    description: "Waits until it may answer.",
    input: z.object({}),
    run: () => new Promise<string>((resolve) => free.push(() => resolve("done"))),
  });
  return { made, free };
}

test(
  verifies("EXEC-11", "at `callsRunningMax` calls are turned away with nothing done and nothing recorded; reads before calls that act"),
  async () => {
    const read = held("read");
    const act = held("reversible");
    const limits = { callsRunningMax: 10, tenantSharePercent: 100, readSharePercent: 50, sessionCallsMax: 1_000 };
    const { box, turn } = await shopBox({ policy, tools: [read.made, act.made], limits });
    const ask = (name: string, id: number) => turn.call({ tool: name, arguments: {}, key: `k${id}` });
    const running = [0, 1, 2, 3, 4].map((id) => ask("crm.read", id));
    await settled();
    expect(codeOf(await ask("crm.read", 5))).toBe("OVERLOADED");
    running.push(...[6, 7, 8, 9, 10].map((id) => ask("crm.reversible", id)));
    await settled();
    const shed = await ask("crm.reversible", 11);
    expect(shed.outcome).toMatchObject({
      kind: "failed",
      error: { code: "OVERLOADED", effect: "none", retry: "later", retryAfterMs: 1_000 },
    });
    expect([read.free.length, act.free.length]).toEqual([5, 5]);
    expect(await box.trail({ tenant: "acme", callId: shed.callId, limit: 10 })).toEqual([]);
    while (read.free.length + act.free.length > 0) {
      for (const free of [...read.free.splice(0), ...act.free.splice(0)]) free();
      await settled();
    }
    await Promise.all(running);
    const again = ask("crm.reversible", 11);
    await settled();
    act.free[0]?.();
    expect((await again).outcome.kind).toBe("completed");
    await box.close();
  },
);

test(
  verifies("REG-06", "a tool is healthy, degraded beyond `healthFailurePercent`, open, and healthy again after a good probe"),
  async () => {
    let isDown = false;
    const shaky = tool({
      name: "crm.get",
      tier: "read",
      source: "crm",
      description: "Fails when told to.",
      input: z.object({}),
      retry: { attempts: 1 },
      run: () => {
        if (isDown) throw new ToolFailure({ kind: "unavailable", message: "the secret of another tenant" });
        return "well";
      },
    });
    const { box, turn, clock } = await shopBox({ policy, tools: [shaky], limits: { sessionCallsMax: 1_000 } });
    const ask = async (times: number) => {
      for (let each = 0; each < times; each += 1) await turn.call({ tool: "crm.get", arguments: {} });
    };
    const rows = () => {
      const { tools, sources } = box.healthReport();
      return { tool: tools.find((each) => each.tool === "crm.get"), source: sources.find((each) => each.source === "crm") };
    };
    await ask(38);
    expect(rows()).toMatchObject({ tool: { state: "healthy", attemptCount: 38, p95Ms: 1 }, source: { state: "healthy", toolCount: 1 } });
    isDown = true;
    await ask(2);
    expect(rows().tool?.state).toBe("healthy");
    await ask(1);
    expect(rows()).toMatchObject({ tool: { state: "degraded", failureCount: 3 }, source: { state: "degraded" } });
    expect(rows().tool?.lastFailure).toEqual({
      kind: "unavailable",
      message: "could not be reached, or failed on its side",
      atMs: clock.now(),
    });
    await ask(2);
    expect(rows()).toMatchObject({ tool: { state: "open", breaker: "open", retryAfterMs: 60_000 }, source: { state: "open" } });
    await clock.advance(60_000);
    expect(rows().tool).toMatchObject({ state: "open", breaker: "half-open" });
    isDown = false;
    await ask(1);
    await clock.advance(120_000);
    expect(rows()).toMatchObject({ tool: { state: "healthy", breaker: "closed" }, source: { state: "healthy" } });
    await box.close();
  },
);

test("below `healthAttemptsMin` attempts one failure is no share, several in a row are", async () => {
  let isDown = true;
  const shaky = tool({
    name: "crm.get",
    tier: "read",
    source: "crm",
    description: "Fails when told to.",
    input: z.object({}),
    retry: { attempts: 1 },
    run: () => {
      if (isDown) throw new ToolFailure({ kind: "unavailable", message: "down" });
      return "well";
    },
  });
  const { box, turn } = await shopBox({ policy, tools: [shaky], limits: { sessionCallsMax: 1_000, healthFailurePercent: 1 } });
  const ask = async (times: number): Promise<string | undefined> => {
    for (let each = 0; each < times; each += 1) await turn.call({ tool: "crm.get", arguments: {} });
    return box.healthReport().tools.find((each) => each.tool === "crm.get")?.state;
  };
  expect(await ask(1)).toBe("healthy");
  expect(await ask(1)).toBe("degraded");
  isDown = false;
  expect(await ask(fixedBounds.healthAttemptsMin - 3)).toBe("healthy");
  expect(await ask(1)).toBe("degraded");
  await box.close();
});
