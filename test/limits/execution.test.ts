import { expect, test } from "vitest";
import { z } from "zod";
import { defaultLimits } from "../../src/base/limits.ts";
import type { Random } from "../../src/base/random.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Trouble } from "../../src/call/box/options.ts";
import { workerConnector } from "../../src/connectors/worker.ts";
import { tool } from "../../src/registry/define.ts";
import { createRetryBudget } from "../../src/resilience/retry-budget.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { manualClock, settled } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };
/** The longest jitter that there is. */
const longest: Random = { ...systemRandom, sample: () => 0.999_999 };

function flaky(failuresCount: number): { readonly tool: ReturnType<typeof tool>; readonly count: () => number } {
  let count = 0;
  const made = tool({
    name: "order.flaky",
    tier: "read",
    description: "Fails at first.",
    input: z.object({}),
    retry: { attempts: 5 },
    run: () => {
      count += 1;
      if (count <= failuresCount) throw new ToolFailure({ kind: "unavailable", message: "it is down" });
      return count;
    },
  });
  return { tool: made, count: () => count };
}

test(verifies("EXEC-02", "backoff doubles from its base up to its cap, and no wait is longer"), async () => {
  const { tool: made } = flaky(4);
  const { box, turn, clock } = await shopBox({ policy, tools: [made], random: longest, limits: { retryBaseMs: 100, retryCapMs: 250 } });
  const waits: string[] = [];
  box.observe(({ note }) => waits.push(...(/again in (\d+) ms/.exec(note)?.slice(1) ?? [])));
  const answer = turn.call({ tool: "order.flaky", arguments: {} });
  await settled();
  await clock.advance(1_000);
  expect((await answer).outcome).toMatchObject({ kind: "completed", result: { value: 5 } });
  expect(waits).toEqual(["99", "199", "249", "249"]);
  await box.close();
});

test(verifies("EXEC-02", "a tool's retries stop when the window's budget is spent, and go on when the window has passed"), () => {
  const budget = createRetryBudget({ ...defaultLimits, retryBudgetPercent: 20, retryBudgetMin: 1, retryBudgetWindowMs: 1_000 });
  for (let count = 0; count < 10; count += 1) budget.noteCall(0);
  expect([budget.trySpend(0), budget.trySpend(0), budget.trySpend(0), budget.trySpend(999)]).toEqual([true, true, false, false]);
  expect(budget.trySpend(1_100)).toBe(true);
  expect(budget.trySpend(1_100)).toBe(false);
});

test("a retry that the upstream wants later than the limit is told instead of waited for", async () => {
  let askedMs = 2_000;
  let count = 0;
  const busy = tool({
    name: "order.busy",
    tier: "read",
    description: "Asks to come back.",
    input: z.object({}),
    run: () => {
      count += 1;
      throw new ToolFailure({ kind: "rate-limited", message: "come back later", retryAfterMs: askedMs });
    },
  });
  const { box, turn, clock } = await shopBox({ policy, tools: [busy], limits: { retryAfterMsMax: 2_000 } });
  const waited = turn.call({ tool: "order.busy", arguments: {} });
  await settled();
  await clock.advance(10_000);
  expect([codeOf(await waited), count]).toEqual(["TOOL_UNAVAILABLE", 3]);
  askedMs = 2_001;
  expect((await turn.call({ tool: "order.busy", arguments: {} })).outcome).toMatchObject({
    error: { code: "TOOL_UNAVAILABLE", retryAfterMs: 2_001 },
  });
  expect(count).toBe(4);
  await box.close();
});

test(verifies("EXEC-16", "a handler that holds the event loop for longer than the limit is named; one that does not is not"), async () => {
  for (const [heldMs, told] of [
    [200, []],
    [201, [{ kind: "handler", where: "order.greedy", note: "held the event loop for 201 ms" }]],
  ] as const) {
    const clock = manualClock();
    const troubles: Trouble[] = [];
    const greedy = tool({
      name: "order.greedy",
      tier: "read",
      description: "Computes.",
      input: { type: "object" },
      run: () => clock.jump(heldMs),
    });
    const { box, turn } = await shopBox({
      policy,
      clock,
      tools: [greedy],
      limits: { loopBlockedMs: 200 },
      onTrouble: (trouble) => troubles.push(trouble),
    });
    await turn.call({ tool: "order.greedy", arguments: {} });
    expect(troubles).toEqual(told);
    await box.close();
  }
});

test("a handler that throws what is no ToolFailure is named to the operator with its cause, and its words reach nobody who calls", async () => {
  const troubles: Trouble[] = [];
  const thrown = new TypeError("cannot read `total` of undefined");
  const failing = (name: string, error: Error) =>
    tool({ name, tier: "read", description: "Fails.", input: z.object({}), run: () => Promise.reject(error) });
  const tools = [failing("order.buggy", thrown), failing("order.plain", new ToolFailure({ kind: "failed", message: "it is closed" }))];
  const { box, turn } = await shopBox({ policy, tools, limits: { attemptsMax: 1 }, onTrouble: (trouble) => void troubles.push(trouble) });
  const { outcome } = await turn.call({ tool: "order.buggy", arguments: {} });
  expect(outcome).toMatchObject({ kind: "failed", error: { code: "TOOL_FAILED" } });
  expect(JSON.stringify(outcome)).not.toContain("total");
  await turn.call({ tool: "order.plain", arguments: {} });
  expect(troubles).toEqual([{ kind: "handler", where: "order.buggy", note: "threw: what is no `ToolFailure`", cause: thrown }]);
  await box.close();
});

test(verifies("EXEC-16", "a handler in a worker that takes more memory than the limit is ended, and the process goes on"), async () => {
  const module = new URL("../support/hoarding-handler.ts", import.meta.url);
  const connector = workerConnector({ module }, { limits: { ...defaultLimits, workersMax: 1, workerHeapMegabytesMax: 24 } });
  const hoard = tool({
    name: "order.hoard",
    tier: "reversible",
    description: "Takes memory.",
    input: z.object({ megabytes: z.number() }),
    retry: { attempts: 1 },
    connector,
  });
  const { box, turn } = await shopBox({ policy, tools: [hoard] });
  expect((await turn.call({ tool: "order.hoard", arguments: { megabytes: 1 } })).outcome).toMatchObject({
    kind: "completed",
    result: { value: 1 },
  });
  expect((await turn.call({ tool: "order.hoard", arguments: { megabytes: 500 } })).outcome).toMatchObject({
    kind: "unknown",
    error: { code: "TOOL_FAILED", effect: "unknown" },
  });
  expect((await turn.call({ tool: "order.hoard", arguments: { megabytes: 2 } })).outcome).toMatchObject({
    kind: "completed",
    result: { value: 2 },
  });
  await box.close();
});

test(
  verifies(
    "EXEC-01",
    "a tool's silence is bounded by its idle time, which progress resets, and its attempt by a timeout that nothing moves",
  ),
  async () => {
    const said: (() => void)[] = [];
    const silent = tool({
      name: "order.silent",
      tier: "read",
      description: "Says something now and then.",
      input: z.object({}),
      timeouts: { idleMs: 1_000, attemptMs: 2_500 },
      retry: { attempts: 1 },
      run: (_args, { progress }) => new Promise(() => said.push(() => progress("still here"))),
    });
    const { box, turn, clock } = await shopBox({ policy, tools: [silent] });
    const endsAfter = async (speaksAtMs: readonly number[]): Promise<number> => {
      let endedMs = 0;
      const startedMs = clock.now();
      const answer = turn.call({ tool: "order.silent", arguments: {} }).finally(() => (endedMs = clock.now() - startedMs));
      await settled();
      for (let atMs = 0; endedMs === 0; atMs += 50) {
        if (speaksAtMs.includes(atMs)) said.at(-1)?.();
        await clock.advance(50);
      }
      expect(codeOf(await answer)).toBe("TOOL_TIMEOUT");
      return Math.round(endedMs / 100) * 100;
    };
    expect([await endsAfter([]), await endsAfter([900]), await endsAfter([900, 1_800]), await endsAfter([900, 1_800, 2_400])]).toEqual([
      1_000, 1_900, 2_500, 2_500,
    ]);
    await box.close();
  },
);

test(verifies("EXEC-01", "what a tool's definition leaves out is taken from the limits of its box, not from the defaults"), async () => {
  let attempts = 0;
  const hanging = tool({
    name: "order.hanging",
    tier: "read",
    description: "Never answers.",
    input: z.object({}),
    run: () => {
      attempts += 1;
      return new Promise(() => undefined);
    },
  });
  const limits = {
    attemptTimeoutMs: 200,
    attemptsMax: 2,
    retryBaseMs: 10,
    retryCapMs: 10,
    replyDeadlineMs: 20_000,
    executeDeadlineMs: 10_000,
  };
  const { box, turn, clock } = await shopBox({ policy, tools: [hanging], limits });
  expect(box.tools().find(({ name }) => name === "order.hanging")).toMatchObject({
    timeouts: { attemptMs: 200, executeMs: 10_000, replyMs: 20_000 },
    retry: { attempts: 2 },
  });
  const answer = turn.call({ tool: "order.hanging", arguments: {} });
  await settled();
  await clock.advance(1_000);
  expect((await answer).outcome).toMatchObject({ kind: "failed", error: { code: "TOOL_TIMEOUT" } });
  expect(attempts).toBe(2);
  await box.close();
});
