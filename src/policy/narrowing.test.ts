import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { checkPolicy } from "./check.ts";
import { createPolicyEngine, type PolicyEngine } from "./engine.ts";
import { explainDecision } from "./explain.ts";
import { parsePolicy } from "./parse.ts";
import { testPrincipal, testTool } from "./policy.fixture.ts";
import { parseTestTable, runTestTable } from "./test-table.ts";

const pay = testTool({
  name: "shop.pay",
  tier: "reversible",
  narrows: { amount: "cap", to: "subset", dryRun: "flag" },
  inputSchema: {
    type: "object",
    properties: { amount: { type: "number" }, to: { type: "array", items: { type: "string" } }, dryRun: { type: "boolean" } },
    required: ["amount"],
  },
});

function policyOf(...rules: readonly object[]) {
  const parsed = parsePolicy(
    { roles: { support: ["*"] }, rules: rules.map((rule, index) => ({ id: `r${index}`, on: "*", effect: "modify", ...rule })) },
    defaultLimits,
  );
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

function engineOf(...rules: readonly object[]): PolicyEngine {
  return createPolicyEngine(policyOf(...rules), { limits: defaultLimits });
}

function inputOf(args: JsonObject) {
  return { tool: pay, args, principal: testPrincipal(), facts: {}, session: { id: "s1", attested: true }, nowMs: 0 };
}

const amounts = fc.integer({ min: -100, max: 1_000 });
const names = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 6 });

test(
  verifies(
    "AUTH-15",
    "rules that modify never give a call more than it asked for, nor more than any of them allows, and have nothing left to do on what they made",
  ),
  () => {
    fc.assert(
      fc.property(
        amounts,
        names,
        fc.array(amounts, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(names, amounts), { maxLength: 4 }),
        (amount, to, caps, lists) => {
          const rules = [
            ...caps.map((most) => ({ change: { amount: { cap: most } } })),
            ...lists.flatMap(([allowed, from]) =>
              allowed.length === 0 ? [] : [{ when: `args.amount > ${from}.0`, change: { to: { subset: allowed } } }],
            ),
          ];
          const engine = engineOf(...rules);
          const made = engine.narrowed(inputOf({ amount, to }));
          const decision = engine.decide(inputOf({ amount, to }));
          if (decision.effect === "deny") return;
          const ran = (made ?? { amount, to }) as { readonly amount: number; readonly to: readonly string[] };
          expect(ran.amount).toBe(Math.min(amount, ...caps));
          expect(to).toEqual(expect.arrayContaining([...ran.to]));
          expect(engine.narrowed(inputOf(ran as unknown as JsonObject))).toBeUndefined();
          expect(decision.effect).toBe(made === undefined ? "allow" : "modify");
          expect(decision.narrowed === undefined).toBe(made === undefined);
        },
      ),
    );
  },
);

test(verifies("AUTH-15", "rules that never come to an end deny"), () => {
  const engine = engineOf({ change: { amount: { cap: "args.amount - 1.0" } } });
  expect(engine.decide(inputOf({ amount: 5 }))).toMatchObject({ effect: "deny" });
  expect(defaultLimits.narrowingRoundsMax).toBe(4);
});

test(
  verifies("AUTH-15", "a rule that waives a question speaks of the call as it runs, one that asks also of the call as it was sent"),
  () => {
    const waive = { id: "waive", effect: "allow", waives: "tier", when: "args.amount > 60.0" };
    const ask = { id: "ask", effect: "ask", when: "args.amount > 90.0" };
    const engine = engineOf({ change: { amount: { cap: 50 } } }, waive, ask);
    expect(engine.decide(inputOf({ amount: 80 })).reasons.map(({ rule }) => rule)).not.toContain("waive");
    expect(engine.decide(inputOf({ amount: 80 })).effect).toBe("modify");
    expect(engine.decide(inputOf({ amount: 95 })).effect).toBe("ask");
  },
);

test(verifies("AUTH-15", "is explained, and tables of expected decisions name it"), () => {
  const engine = engineOf({ change: { amount: { cap: 50 } } });
  expect(explainDecision(engine.decide(inputOf({ amount: 80 })))).toContain("changed `amount` by cap of r0");
  const table = parseTestTable([{ roles: "support", tool: "shop.pay", args: { amount: 80 }, expect: "modify", rule: "r0" }]);
  if ("problems" in table) throw new Error("the table is sound");
  expect(runTestTable(engine, [pay], table.cases)).toMatchObject([{ isPassed: true }]);
});

test.each([
  [{}, "add `change:`"],
  [{ change: {} }, "name 1 to 20 arguments"],
  [{ change: { amount: {} } }, "exactly one of"],
  [{ change: { amount: { cap: 1, flag: true } } }, "exactly one of"],
  [{ change: { amount: { cap: "args." } } }, "not CEL"],
  [{ change: { amount: { cap: true } } }, "expected a number"],
  [{ change: { to: { subset: [] } } }, "expected a list of 1"],
  [{ change: { dryRun: { flag: false } } }, "a flag can only be set"],
  [{ change: { amount: { floor: 1 } } }, "unknown member `floor`"],
  [{ effect: "deny", change: { amount: { cap: 1 } } }, "`change` goes with `effect: modify` only"],
])("a rule that modifies by %j is refused: %s", (rule, words) => {
  const parsed = parsePolicy({ rules: [{ id: "r", on: "*", effect: "modify", ...rule }] }, defaultLimits);
  expect("problems" in parsed ? parsed.problems.map(({ message }) => message).join("\n") : "").toContain(words);
});

test(verifies("AUTH-15", "`policy check` refuses what no tool declares, and what may be missing"), () => {
  const found = (rule: object): string =>
    checkPolicy(policyOf(rule), [pay, testTool()], defaultLimits)
      .map(({ message }) => message)
      .join("\n");
  expect(found({ change: { amount: { cap: 50 } } })).toContain("`crm.orders.get` does not declare `narrows: { amount: cap }`");
  expect(found({ on: "shop.pay", change: { amount: { cap: 50 } } })).toBe("");
  expect(found({ on: "shop.pay", change: { to: { subset: ["a"] } } })).toContain("`args.to` is optional");
  expect(found({ on: "shop.pay", when: "has(args.to)", change: { to: { subset: ["a"] } } })).toBe("");
  expect(found({ on: "shop.pay", change: { amount: { cap: "args.amuont" } } })).toContain("no argument `amuont`");
});
