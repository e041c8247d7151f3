/**
 * What a decision costs: one condition, a call under 20 rules, and the same call under 30 and under 10,000 rules (10 on the called tool, 20 on
 * every tool, the rest on 999 others). Prints microseconds per operation, best of several rounds. Does not measure looking up facts, nor the first
 * call of a tool, which compiles its rules.
 *
 * Run: node bench/policy.ts
 */
import { parse, plan, celEnv } from "@bufbuild/cel";
import { defaultLimits } from "../src/base/limits.ts";
import { compileCondition } from "../src/policy/condition.ts";
import { createPolicyEngine } from "../src/policy/engine.ts";
import { conditionVariables, parseExpression } from "../src/policy/expression.ts";
import { testPrincipal, testTool } from "../src/policy/policy.fixture.ts";
import { parsePolicy } from "../src/policy/parse.ts";

const roundsCount = 7;

function microsPerRun(run: () => void, runsCount: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < roundsCount; round += 1) {
    const startMs = performance.now();
    for (let index = 0; index < runsCount; index += 1) run();
    best = Math.min(best, ((performance.now() - startMs) * 1_000) / runsCount);
  }
  return best;
}

const args = { orderId: "o-1", amount: 20, to: "ada@acme.example", items: [{ sku: "a", quantity: 1 }], note: "hello" };
const principal = testPrincipal();
const scope = {
  args,
  principal: { user: "ada", tenant: "acme", roles: ["support"], region: "EU" },
  facts: { order: { region: "EU", owner: "ada" } },
  tool: { name: "t" },
  session: { id: "s" },
  nowMs: 0,
};

for (const source of [
  "args.amount <= 50.0",
  "facts.order.region != principal.region",
  "has(args.to) && args.to.endsWith('@acme.example')",
  "now > date('2020-01-01')",
]) {
  const parsed = parseExpression(source, { variables: conditionVariables, factNames: ["order"] }, defaultLimits);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const ours = compileCondition(parsed, defaultLimits);
  const theirs = plan(celEnv(), parse(source));
  const oursMicros = microsPerRun(() => ours(scope), 100_000);
  const theirsMicros = source.startsWith("now") ? undefined : microsPerRun(() => theirs(scope), 20_000);
  console.log(`condition ${source}: ${oursMicros.toFixed(3)} µs; the library ${theirsMicros?.toFixed(3) ?? "-"} µs`);
}

const conditions = [
  "args.amount > 5000",
  "has(args.region) && args.region == 'x'",
  "principal.region == 'US'",
  "args.to.endsWith('@evil.test')",
  "args.note == 'x' || args.amount < 0",
];
const rule = (index: number, on: string) => ({ id: `r${index}`, on, when: conditions[index % conditions.length], effect: "deny" });

function policyOf(rulesCount: number) {
  const rules = [];
  for (let index = 0; index < 20; index += 1) rules.push(rule(index, "*"));
  for (let index = 20; index < 30; index += 1) rules.push(rule(index, "tool.t0"));
  for (let index = 30; index < rulesCount; index += 1) rules.push(rule(index, `tool.t${1 + (index % 999)}`));
  const startMs = performance.now();
  const parsed = parsePolicy({ roles: { support: ["tool.*"] }, rules }, defaultLimits);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems[0]));
  const engine = createPolicyEngine(parsed.policy, { limits: defaultLimits });
  console.log(`${rulesCount} rules read in ${(performance.now() - startMs).toFixed(0)} ms`);
  return engine;
}

const tool = testTool({ name: "tool.t0" });
const input = { tool, args, principal, session: { id: "s", attested: true }, facts: {}, nowMs: 0 };
const global = policyOf(20);
console.log(`decision under 20 rules: ${microsPerRun(() => global.decide(input), 50_000).toFixed(2)} µs`);
const small = policyOf(30);
const large = policyOf(10_000);
for (let index = 0; index < 1_000; index += 1) large.decide({ ...input, tool: testTool({ name: `tool.t${index}` }) });
// Rounds take turns, so that a busy machine disturbs both alike.
let smallMicros = Number.POSITIVE_INFINITY;
let largeMicros = Number.POSITIVE_INFINITY;
for (let round = 0; round < 5; round += 1) {
  smallMicros = Math.min(
    smallMicros,
    microsPerRun(() => small.decide(input), 10_000),
  );
  largeMicros = Math.min(
    largeMicros,
    microsPerRun(() => large.decide(input), 10_000),
  );
}
console.log(
  `decision under 30 rules: ${smallMicros.toFixed(2)} µs; under 10,000: ${largeMicros.toFixed(2)} µs; ratio ${(largeMicros / smallMicros).toFixed(2)}`,
);
