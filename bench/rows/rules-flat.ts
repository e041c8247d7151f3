/** Row `rules-flat`: CPU of one decision under 10,000 rules over 1,000 tools, 10 of them on the called tool and 20 on every tool, over 30 rules. */
import { defaultLimits } from "../../src/base/limits.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { createPolicyEngine, type PolicyEngine } from "../../src/policy/engine.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { tool } from "../../src/registry/define.ts";
import { atMost, cpuMicros, median, print } from "../measure.ts";
import { argumentsText } from "../standard-call.ts";

const roundsCount = 15;
const decisionsCount = 30_000;
const toolsCount = 1_000;
const conditions = [
  "args.amount > 5000.0",
  "args.currency == 'XXX'",
  "principal.region == 'US'",
  "args.orderId.endsWith('-void')",
  "size(args.items) > 40",
];

function engineOf(rulesCount: number): PolicyEngine {
  const ruleOf = (index: number, on: string) => ({ id: `r${index}`, on, when: conditions[index % conditions.length], effect: "deny" });
  const rules = Array.from({ length: rulesCount }, (_, index) => {
    if (index < 20) return ruleOf(index, "*");
    return ruleOf(index, index < 30 ? "tool.t0" : `tool.t${1 + (index % (toolsCount - 1))}`);
  });
  const parsed = parsePolicy({ roles: { support: ["tool.*"] }, rules }, defaultLimits);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems[0]));
  return createPolicyEngine(parsed.policy, { limits: defaultLimits });
}

const tools = Array.from(
  { length: toolsCount },
  (_, index) =>
    tool({
      name: `tool.t${index}`,
      tier: "read",
      description: "Look at one order. Not for changing it.",
      input: { type: "object" },
      run: () => null,
    }).tool,
);
const input = {
  args: JSON.parse(argumentsText(1)) as JsonObject,
  principal: { tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "EU" } },
  session: { id: "ses_1", attested: true },
  facts: {},
  nowMs: 0,
};
const small = engineOf(30);
const large = engineOf(10_000);
// Every tool's rules are compiled, as in a process that has served them all.
for (const one of tools) large.decide({ ...input, tool: one });
const called = tools[0] as (typeof tools)[number];

async function micros(engine: PolicyEngine): Promise<number> {
  return await cpuMicros(decisionsCount, () => {
    for (let index = 0; index < decisionsCount; index += 1) engine.decide({ ...input, tool: called });
  });
}

const ratios: number[] = [];
let smallMicros = Number.POSITIVE_INFINITY;
let largeMicros = Number.POSITIVE_INFINITY;
for (let round = 0; round < roundsCount; round += 1) {
  const [few, many] = [await micros(small), await micros(large)];
  ratios.push(many / few);
  smallMicros = Math.min(smallMicros, few);
  largeMicros = Math.min(largeMicros, many);
}
print({
  rows: [
    atMost(
      "rules-flat",
      median(ratios.slice(2)),
      "× 30 rules",
      1.2,
      `${largeMicros.toFixed(2)} µs under 10,000 rules, ${smallMicros.toFixed(2)} µs under 30`,
    ),
  ],
  notMeasured: ["rules-flat: reading the policy, and the first call of each tool, which compiles its rules"],
});
