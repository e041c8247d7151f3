import { expect, test } from "vitest";
import { z } from "zod";
import { defaultLimits } from "../../src/base/limits.ts";
import type { SignalboxOptions } from "../../src/call/box/options.ts";
import { tool, type HandlerExecution } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, lead, approvalIdOf, shopBox } from "../support/box.ts";
import { settled } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };
type Act = "down" | "up" | "no" | "hang" | "bug";

/** A tool of an upstream that does what it is told, and counts how often it was asked. */
function upstream(name: string, parts: Partial<Parameters<typeof tool>[0]> = {}) {
  const asked: Act[] = [];
  const state = { act: "down" as Act, asked, free: [] as (() => void)[] };
  const made = tool({
    name,
    tier: "read",
    source: "crm",
    description: "Asks the upstream.",
    input: z.object({}),
    retry: { attempts: 1 },
    ...parts,
    run: async (_args: unknown, { signal }: HandlerExecution) => {
      asked.push(state.act);
      if (state.act === "down") throw new ToolFailure({ kind: "unavailable", message: "it is down", effect: "none" });
      if (state.act === "no") throw new ToolFailure({ kind: "rejected", message: "no such thing" });
      if (state.act === "bug") throw new Error("a bug");
      if (state.act === "hang")
        await new Promise<void>((resolve) => {
          state.free.push(resolve);
          signal.addEventListener("abort", () => resolve());
        });
      return "up";
    },
  } as Parameters<typeof tool>[0]);
  return { tool: made, state };
}

async function boxOf(tools: readonly ReturnType<typeof tool>[], options: SignalboxOptions = {}) {
  const made = await shopBox({ policy, tools, limits: { sessionCallsMax: 10_000 }, ...options });
  return {
    ...made,
    call: (name: string, signal?: AbortSignal) => made.turn.call({ tool: name, arguments: {}, ...(signal !== undefined && { signal }) }),
  };
}

test(
  verifies("EXEC-03", "a tool that keeps failing is left alone for `breakerOpenMs`, then probed with `breakerProbes` calls"),
  async () => {
    const { tool: made, state } = upstream("crm.get");
    const other = upstream("shop.get", { source: "shop" });
    other.state.act = "up";
    const { box, call, clock } = await boxOf([made, other.tool]);
    for (let each = 0; each < defaultLimits.breakerFailures; each += 1) expect(codeOf(await call("crm.get"))).toBe("TOOL_UNAVAILABLE");
    const refused = await call("crm.get");
    expect(refused.outcome).toMatchObject({
      kind: "failed",
      error: { code: "TOOL_UNAVAILABLE", effect: "none", retry: "later", retryAfterMs: defaultLimits.breakerOpenMs },
    });
    expect(state.asked).toHaveLength(defaultLimits.breakerFailures);
    expect((await call("shop.get")).outcome.kind).toBe("completed");
    await clock.advance(defaultLimits.breakerOpenMs);
    state.act = "hang";
    const probe = call("crm.get");
    await settled();
    expect(codeOf(await call("crm.get"))).toBe("TOOL_UNAVAILABLE");
    expect(state.asked).toHaveLength(defaultLimits.breakerFailures + defaultLimits.breakerProbes);
    state.free[0]?.();
    expect((await probe).outcome.kind).toBe("completed");
    state.act = "up";
    expect((await call("crm.get")).outcome.kind).toBe("completed");
    await box.close();
  },
);

test(verifies("EXEC-03", "a source that cannot be reached is left alone as a whole"), async () => {
  const one = upstream("crm.get");
  const two = upstream("crm.list");
  const { box, call } = await boxOf([one.tool, two.tool], { upstreams: { crm: { breaker: { failures: 2 } } } });
  await call("crm.get");
  await call("crm.list");
  const refused = await call("crm.list");
  expect(refused.outcome).toMatchObject({
    error: { code: "TOOL_UNAVAILABLE", message: expect.stringContaining("source `crm`") as string },
  });
  expect(two.state.asked).toHaveLength(1);
  await box.close();
});

test("refusals, bugs of a handler and callers that leave do not open a breaker", async () => {
  const { tool: made, state } = upstream("crm.get", { breaker: { failures: 1 } });
  const { box, call } = await boxOf([made]);
  state.act = "no";
  expect(codeOf(await call("crm.get"))).toBe("TOOL_REFUSED");
  state.act = "bug";
  expect(codeOf(await call("crm.get"))).toBe("TOOL_FAILED");
  state.act = "hang";
  const gone = new AbortController();
  const left = call("crm.get", gone.signal);
  await settled();
  gone.abort();
  expect(codeOf(await left)).toBe("CANCELLED");
  state.act = "up";
  expect((await call("crm.get")).outcome.kind).toBe("completed");
  await box.close();
});

test("retries stop as soon as the breaker has opened", async () => {
  const { tool: made, state } = upstream("crm.get", { retry: { attempts: 3 }, breaker: { failures: 2 } });
  const { box, call, clock } = await boxOf([made]);
  const answer = call("crm.get");
  await settled();
  await clock.advance(20_000);
  expect(codeOf(await answer)).toBe("TOOL_UNAVAILABLE");
  expect(state.asked).toHaveLength(2);
  await box.close();
});

test(verifies("EXEC-04", "an open breaker lets the fallback answer at once"), async () => {
  const { tool: made, state } = upstream("crm.get", { breaker: { failures: 1 }, fallback: { kind: "value", value: "the usual" } });
  const { box, call } = await boxOf([made]);
  for (let each = 0; each < 3; each += 1)
    expect((await call("crm.get")).outcome).toMatchObject({ kind: "completed", isFallback: true, result: { value: "the usual" } });
  expect(state.asked).toHaveLength(1);
  await box.close();
});

test(verifies("EXEC-03", "a refused write claims nothing: the same key runs when the tool is well again"), async () => {
  const { tool: made, state } = upstream("crm.put", { tier: "reversible", idempotency: "key", breaker: { failures: 1, openMs: 1_000 } });
  const { box, turn, clock } = await boxOf([made]);
  const put = () => turn.call({ tool: "crm.put", arguments: {}, key: "k" });
  expect(codeOf(await put())).toBe("TOOL_UNAVAILABLE");
  expect(codeOf(await put())).toBe("TOOL_UNAVAILABLE");
  state.act = "up";
  await clock.advance(1_000);
  expect((await put()).outcome).toMatchObject({ kind: "completed", isReplay: false });
  expect(state.asked).toEqual(["down", "up"]);
  await box.close();
});

test("an approved call that its tool does not take now keeps its approval until it is taken", async () => {
  const { tool: made, state } = upstream("crm.drop", { tier: "irreversible", breaker: { failures: 1, openMs: 1_000 } });
  const { box, turn, clock } = await boxOf([made]);
  const drop = (id: string) => turn.call({ tool: "crm.drop", arguments: {}, key: id });
  const first = approvalIdOf(await drop("one"));
  const yes = { approve: true, by: "lena" };
  const failed = await box.approvals.decide(first, yes, lead);
  expect(codeOf(failed.answer)).toBe("TOOL_UNAVAILABLE");
  const second = approvalIdOf(await drop("two"));
  const refused = await box.approvals.decide(second, yes, lead);
  expect(codeOf(refused.answer)).toBe("TOOL_UNAVAILABLE");
  expect(await box.approvals.get(second, "acme")).toMatchObject({ state: "approved" });
  state.act = "up";
  await clock.advance(1_000);
  await box.recover();
  expect(state.asked).toEqual(["down", "up"]);
  expect(await box.approvals.get(second, "acme")).toMatchObject({ state: "used" });
  await box.close();
});

test(
  verifies("EXEC-03", "at most `toolConcurrentMax` calls of a tool are under way, `bulkheadQueueMax` wait for `bulkheadWaitMs`"),
  async () => {
    const { tool: made, state } = upstream("crm.get");
    state.act = "hang";
    const limits = { toolConcurrentMax: 2, bulkheadQueueMax: 1, bulkheadWaitMs: 500, sessionCallsMax: 1_000 };
    const { box, call, clock } = await boxOf([made], { limits });
    const running = [call("crm.get"), call("crm.get")];
    await settled();
    const waiting = call("crm.get");
    await settled();
    const refused = await call("crm.get");
    expect(refused.outcome).toMatchObject({ error: { code: "TOOL_UNAVAILABLE", effect: "none", retryAfterMs: 1_000 } });
    expect(state.asked).toHaveLength(2);
    await clock.advance(500);
    expect(codeOf(await waiting)).toBe("TOOL_UNAVAILABLE");
    const next = call("crm.get");
    await settled();
    state.free[0]?.();
    await settled();
    expect(state.asked).toHaveLength(3);
    for (const free of state.free) free();
    for (const answer of [...running, next]) expect((await answer).outcome.kind).toBe("completed");
    await box.close();
  },
);

test(verifies("EXEC-03", "`sourceConcurrentMax` holds over all tools of a source, and other sources go on"), async () => {
  const one = upstream("crm.get");
  const two = upstream("crm.list");
  const other = upstream("shop.get", { source: "shop" });
  one.state.act = two.state.act = "hang";
  other.state.act = "up";
  const { box, call } = await boxOf([one.tool, two.tool, other.tool], {
    limits: { sourceConcurrentMax: 1, sessionCallsMax: 1_000 },
    upstreams: { crm: { bulkhead: { queue: 0 } } },
  });
  const running = call("crm.get");
  await settled();
  expect(codeOf(await call("crm.list"))).toBe("TOOL_UNAVAILABLE");
  expect((await call("shop.get")).outcome.kind).toBe("completed");
  one.state.free[0]?.();
  expect((await running).outcome.kind).toBe("completed");
  two.state.act = "up";
  expect((await call("crm.list")).outcome.kind).toBe("completed");
  await box.close();
});
