import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Decision } from "../domain/decision.ts";
import { checkPolicy } from "./check.ts";
import { createPolicyEngine } from "./engine.ts";
import { explainDecision } from "./explain.ts";
import { parsePolicy } from "./parse.ts";
import { testPrincipal, testTool } from "./policy.fixture.ts";

const startMs = Date.UTC(2026, 10, 21, 3);
const hourMs = 3_600_000;

function policyOf(...rules: readonly object[]) {
  const facts = { stock: { tool: "crm.orders.get" } };
  const parsed = parsePolicy(
    { roles: { support: ["*"] }, facts, rules: rules.map((rule, index) => ({ id: `r${index}`, on: "*", effect: "defer", ...rule })) },
    defaultLimits,
  );
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

function decide(rules: readonly object[], nowMs = startMs, sinceMs?: number, facts = {}): Decision {
  const engine = createPolicyEngine(policyOf(...rules), { limits: defaultLimits });
  const session = { id: "s1", attested: true };
  return engine.decide({ tool: testTool(), args: {}, principal: testPrincipal(), facts, session, nowMs, sinceMs });
}

test(verifies("AUTH-15", "a call waits until a time, a condition, or for a while, and no longer"), () => {
  const day = startMs + 24 * hourMs;
  const time = [{ until: "date('2026-11-21T08:00:00Z')" }];
  expect(decide(time)).toMatchObject({ effect: "defer", ask: undefined, delay: { wakeAtMs: startMs + 5 * hourMs, expiresAtMs: day } });
  expect(decide(time, startMs + 5 * hourMs - 1).effect).toBe("defer");
  expect(decide(time, startMs + 5 * hourMs).effect).toBe("allow");
  const condition = [{ until: "now.getHours() >= 8" }];
  expect(decide(condition)).toMatchObject({
    effect: "defer",
    delay: { wakeAtMs: startMs + defaultLimits.deferralCheckMs, expiresAtMs: day },
  });
  expect(decide(condition, startMs + 5 * hourMs).effect).toBe("allow");
  const fact = [{ until: "facts.stock.there", expires: "2h" }];
  expect(decide(fact, startMs, undefined, { stock: { there: false } })).toMatchObject({ delay: { expiresAtMs: startMs + 2 * hourMs } });
  expect(decide(fact, startMs, undefined, { stock: { there: true } }).effect).toBe("allow");
  const while_ = [{ for: "10m" }];
  expect(decide(while_)).toMatchObject({ delay: { wakeAtMs: startMs + 600_000 } });
  expect(decide(while_, startMs + 599_999, startMs).effect).toBe("defer");
  expect(decide(while_, startMs + 600_000, startMs).effect).toBe("allow");
});

test(verifies("AUTH-15", "what denies wins over what defers, which wins over what asks; a broken wait denies"), () => {
  const wait = { for: "10m" };
  expect(decide([wait, { effect: "ask" }]).effect).toBe("defer");
  expect(decide([wait, { effect: "deny" }])).toMatchObject({ effect: "deny" });
  expect(decide([wait, { effect: "deny" }]).delay).toBeUndefined();
  expect(decide([{ until: "facts.stock.there" }]).reasons.map(({ rule }) => rule)).toContain("error:r0");
  expect(decide([{ until: "'soon'" }]).effect).toBe("deny");
  expect(explainDecision(decide([wait]))).toContain("waits until 2026-11-21T03:10:00.000Z, at most until 2026-11-22T03:00:00.000Z");
});

test(verifies("AUTH-15", "a call that several rules put off waits for the last of them, never beyond what the strictest allows"), () => {
  const minutes = fc.integer({ min: 1, max: 600 });
  fc.assert(
    fc.property(fc.array(fc.tuple(minutes, minutes), { minLength: 1, maxLength: 4 }), (spans) => {
      const rules = spans.map(([wait, more]) => ({ for: `${wait}m`, expires: `${wait + more}m` }));
      const { delay } = decide(rules);
      const expiresAtMs = startMs + Math.min(...spans.map(([wait, more]) => wait + more)) * 60_000;
      const lastMs = startMs + Math.max(...spans.map(([wait]) => wait)) * 60_000;
      expect(delay).toEqual({ wakeAtMs: Math.min(lastMs, expiresAtMs), expiresAtMs });
    }),
  );
});

test.each([
  [{}, "exactly one of `until`"],
  [{ until: "true", for: "1m" }, "exactly one of `until`"],
  [{ until: "nwo" }, "unknown name `nwo`"],
  [{ for: "soon" }, "expected a span"],
  [{ for: "40d", expires: "41d" }, "`deferralMsMax`"],
  [{ for: "25h" }, "make `expires` longer"],
  [{ for: "2h", expires: "1h" }, "make `expires` longer"],
  [{ effect: "ask", for: "1h" }, "`for` goes with `effect: defer` only"],
])("a rule that defers by %j is refused: %s", (rule, words) => {
  const parsed = parsePolicy({ rules: [{ id: "r", on: "*", effect: "defer", ...rule }] }, defaultLimits);
  expect("problems" in parsed ? parsed.problems.map(({ message }) => message).join("\n") : "").toContain(words);
});

test(verifies("AUTH-15", "`policy check` reads what a rule waits for"), () => {
  const tool = testTool({ inputSchema: { type: "object", properties: { day: { type: "string" } }, required: ["day"] } });
  const found = checkPolicy(policyOf({ until: "date(args.dya) < now" }), [tool], defaultLimits);
  expect(found.map(({ message }) => message).join("\n")).toContain("no argument `dya`");
});
