import { afterEach, describe, expect, it } from "vitest";
import { threadId } from "node:worker_threads";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { Connector } from "../domain/tool.ts";
import { attempt, resilienceOf, stepClock, toolOf } from "../resilience/resilience.fixture.ts";
import { watched } from "./connectors.fixture.ts";
import { workerConnector } from "./worker.ts";

const open: Connector[] = [];
afterEach(async () => {
  for (const connector of open.splice(0)) await connector.close?.();
});

function worker(exportName: string, limits: Limits = defaultLimits): Connector {
  const connector = workerConnector({ module: new URL("./worker-handlers.fixture.ts", import.meta.url), exportName }, { limits });
  open.push(connector);
  return connector;
}

describe("a tool in a worker", () => {
  it("gets arguments, key, progress and secrets, and answers from another thread", async () => {
    const progress: string[] = [];
    const watch = watched({ progress: (message) => void progress.push(message) });
    const result = await worker("run").execute({ number: 21 }, watch.execution);
    expect(result).toMatchObject({ kind: "value", value: { twice: 42, key: "key_1", secret: "value-of-TOKEN".length } });
    expect(result.kind === "value" && (result.value as { threadId: number }).threadId).not.toBe(threadId);
    expect(progress).toEqual(["begun"]);
    expect(watch.marks).toEqual(["unsent", "sent"]);
  });

  it(
    verifies("EXEC-16", "that computes for ever is ended at its timeout, while this thread stays free and the next call gets a new worker"),
    async () => {
      const clock = stepClock();
      const connector = worker("spin", { ...defaultLimits, workersMax: 1 });
      const tool = toolOf({ attempts: 1, attemptMs: 100 });
      const calls = [attempt(resilienceOf(clock), { tool, connector }), attempt(resilienceOf(clock), { tool, connector })];
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(200);
      const results = await Promise.all(calls);
      // The second never got a worker, so nothing of it can have happened.
      expect(results.map((result) => result.effect)).toEqual(["unknown", "none"]);
      const third = watched();
      const running = connector.execute({}, third.execution);
      // It waits until the thread that was ended is gone, then gets one of its own.
      while (!third.marks.includes("sent")) await new Promise((resolve) => setImmediate(resolve));
      third.abort();
      expect(await running).toMatchObject({ failure: { effect: "unknown" } });
    },
  );

  it("keeps one worker for calls that succeed, and replaces one whose call was given up", async () => {
    const connector = worker("run", { ...defaultLimits, workersMax: 1 });
    const thread = async (): Promise<unknown> => {
      const result = await connector.execute({ number: 1 }, watched().execution);
      return result.kind === "value" ? (result.value as { threadId: number }).threadId : result;
    };
    const first = await thread();
    expect(await thread()).toBe(first);
    const given = watched({ secret: () => new Promise(() => {}) });
    const stuck = connector.execute({ number: 1 }, given.execution);
    await new Promise((resolve) => setImmediate(resolve));
    given.abort();
    expect(await stuck).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    expect(await thread()).not.toBe(first);
  });

  it("fails as it says itself, and as a lost attempt when its worker dies or its result is no JSON", async () => {
    const of = async (exportName: string) => worker(exportName).execute({}, watched().execution);
    expect(await of("refuse")).toMatchObject({ failure: { kind: "rejected", message: "not today", effect: "none" } });
    expect(await of("crash")).toMatchObject({ failure: { kind: "failed", effect: "unknown" } });
    expect(await of("big")).toMatchObject({ failure: { code: "RESULT_INVALID", effect: "applied" } });
    expect(await of("missing")).toMatchObject({ failure: { kind: "failed", effect: "none" } });
  });

  it("turns calls away without effect when too many wait", async () => {
    const connector = worker("spin", { ...defaultLimits, workersMax: 1, workerQueueMax: 1 });
    const watches = [watched(), watched(), watched()];
    const calls = watches.map((watch) => connector.execute({}, watch.execution));
    expect(await calls[2]).toMatchObject({ failure: { kind: "unavailable", effect: "none" } });
    for (const watch of watches) watch.abort();
    expect(await calls[1]).toMatchObject({ failure: { effect: "none" } });
  });
});
