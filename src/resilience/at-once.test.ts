import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { ExecutionResult } from "../domain/tool.ts";
import type { LoopBlocked } from "./loop-watch.ts";
import { runAttempts } from "./execute-attempts.ts";
import { createResilience, type Resilience } from "./resilience.ts";
import { attempt, fixedRandom, resilienceOf, stepClock, toolOf, value } from "./resilience.fixture.ts";
import type { AttemptRequest } from "./attempt-request.ts";

const read = toolOf({ name: "math.add", tier: "read" });

function connectorAtOnce(answer: () => ExecutionResult): AttemptRequest["connector"] {
  return { kind: "function", execute: answer };
}

function requestOf(resilience: Resilience, more: Partial<AttemptRequest>): AttemptRequest {
  return {
    resilience,
    tool: read,
    connector: connectorAtOnce(() => value(3)),
    args: {},
    callId: "call_1",
    key: "key_1",
    principal: { tenant: "acme", user: "ada", roles: [], attributes: {} },
    sessionId: "ses_1",
    secret: async () => "s",
    conceal: () => {},
    deadlineAtMonotonicMs: resilience.clock.monotonic() + 30_000,
    isSafeToResend: true,
    ...more,
  };
}

describe("a connector that answers at once", () => {
  it("makes nobody wait and leaves no deadline behind", () => {
    const resilience = resilienceOf(stepClock());
    expect(runAttempts(requestOf(resilience, {}))).toEqual({ result: value(3), attempts: 1, effect: "none" });
    expect(resilience.wheel.pendingCount).toBe(0);
  });

  it("is tried again after a throw, as one that waits is", async () => {
    const clock = stepClock();
    let count = 0;
    const connector = connectorAtOnce(() => {
      count += 1;
      if (count === 1) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return value("second");
    });
    const done = attempt(resilienceOf(clock), { tool: toolOf({ tier: "read" }), connector });
    await clock.advance(5_000);
    expect(await done).toMatchObject({ result: value("second"), attempts: 2 });
  });

  it("is not begun for a caller who is gone, and a caller who leaves while it begins is answered", async () => {
    const gone = new AbortController();
    gone.abort();
    const resilience = resilienceOf(stepClock());
    expect(runAttempts(requestOf(resilience, { signal: gone.signal }))).toMatchObject({ attempts: 0, effect: "none" });
    const leaving = new AbortController();
    const connector: AttemptRequest["connector"] = {
      kind: "test",
      execute: () => {
        leaving.abort();
        return new Promise(() => {});
      },
    };
    const done = await runAttempts(requestOf(resilience, { connector, signal: leaving.signal }));
    expect(done.result).toMatchObject({ kind: "failure", failure: { code: "CANCELLED" } });
    expect(resilience.wheel.pendingCount).toBe(0);
  });

  it(verifies("EXEC-16", "is named when it holds the event loop, each time it does"), async () => {
    const clock = stepClock();
    const reports: LoopBlocked[] = [];
    const onLoopBlocked = (report: LoopBlocked): void => void reports.push(report);
    const resilience = createResilience({ clock, random: fixedRandom(0), limits: defaultLimits, onLoopBlocked });
    const connector = connectorAtOnce(() => {
      clock.block(300);
      return value(3);
    });
    for (let round = 0; round < 2; round += 1) {
      await runAttempts(requestOf(resilience, { connector }));
      await clock.advance(1_000);
    }
    expect(reports).toEqual([1, 2].map(() => ({ tools: ["math.add"], isCertain: true, blockedMs: 300 })));
  });
});
