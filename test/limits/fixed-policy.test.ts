import { describe, expect, test } from "vitest";
import { fixedBounds } from "../../src/base/fixed-bounds.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { loadConfig } from "../../src/config/load.ts";
import { list, shortText, text, type Shape } from "../../src/config/shape.ts";
import { reportInto, type Finding } from "../../src/config/problem.ts";
import { globProblem } from "../../src/policy/glob.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { parseTestTable } from "../../src/policy/test-table.ts";

const { configNameCharsMax, configItemsMax, configTextCharsMax, configShortItemsMax } = fixedBounds;

/** What is wrong with a policy, by place. */
function wrong(policy: object): Readonly<Record<string, string>> {
  const parsed = parsePolicy(policy, defaultLimits);
  return "problems" in parsed ? Object.fromEntries(parsed.problems.map(({ path, message }) => [path, message])) : {};
}

const ruleWith = (part: object): object => ({ rules: [{ id: "r", on: "x", effect: "deny", ...part }] });
const modify = { effect: "modify" };
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `a${index}`);

describe("a policy is taken at its fixed bounds and refused beyond them", () => {
  test.each([
    ["reasonCharsMax", "/rules/0/reason", (max: number) => ruleWith({ reason: "r".repeat(max) })],
    ["ruleNameCharsMax", "/rules/0/id", (max: number) => ruleWith({ id: "r".repeat(max) })],
    ["configItemsMax", "/rules/0/on", (max: number) => ruleWith({ on: many(max) })],
    ["configItemsMax", "/rules/0/change/a/subset", (max: number) => ruleWith({ ...modify, change: { a: { subset: many(max) } } })],
    [
      "ruleChangesMax",
      "/rules/0/change",
      (max: number) => ruleWith({ ...modify, change: Object.fromEntries(many(max).map((name) => [name, { cap: 5 }])) }),
    ],
    ["configNameCharsMax", "/facts/f/absent", (max: number) => ({ facts: { f: { tool: "x", absent: "a".repeat(max) } } })],
    [
      "reasonCharsMax",
      "/sequences/0/reason",
      (max: number) => ({ sequences: [{ id: "s", on: "x", max: 1, per: "1h", reason: "r".repeat(max) }] }),
    ],
    ["sequenceSumMax", "/sequences/0/max", (max: number) => ({ sequences: [{ id: "s", on: "x", sum: "args.amount", max, per: "1h" }] })],
  ] as const)("`%s` at %s", (name, path, policyOf) => {
    expect(wrong(policyOf(fixedBounds[name]))).toEqual({});
    expect(Object.keys(wrong(policyOf(fixedBounds[name] + 1)))).toEqual([path]);
  });

  test("loops of a condition lie at most `ruleLoopsDepthMax` deep in each other", () => {
    const nested = (depth: number): string => (depth === 0 ? "true" : `args.list.exists(x${depth}, ${nested(depth - 1)})`);
    expect(wrong(ruleWith({ when: nested(fixedBounds.ruleLoopsDepthMax) }))).toEqual({});
    expect(wrong(ruleWith({ when: nested(fixedBounds.ruleLoopsDepthMax + 1) }))["/rules/0/when"]).toContain("may be nested 2 deep at most");
  });

  test("a glob has at most `configNameCharsMax` characters", () => {
    expect(globProblem("x".repeat(configNameCharsMax))).toBeUndefined();
    expect(globProblem("x".repeat(configNameCharsMax + 1))).toContain(`at most ${configNameCharsMax}`);
  });

  test("a test table has at most `policyCasesMax` cases", () => {
    const cases = (count: number): readonly object[] => Array.from({ length: count }, () => ({ tool: "x", expect: "deny" }));
    expect(parseTestTable(cases(fixedBounds.policyCasesMax))).toHaveProperty("cases");
    expect(parseTestTable(cases(fixedBounds.policyCasesMax + 1))).toHaveProperty("problems");
  });
});

describe("the configuration is taken at its fixed bounds and refused beyond them", () => {
  function findings(shape: Shape<unknown>, raw: unknown): readonly Finding[] {
    const found: Finding[] = [];
    shape.read(raw, reportInto(found));
    return found;
  }

  test.each([
    ["configTextCharsMax", text(), (count: number) => "x".repeat(count), configTextCharsMax],
    ["configNameCharsMax", shortText(), (count: number) => "x".repeat(count), configNameCharsMax],
    ["configItemsMax", list(text()), many, configItemsMax],
    ["configShortItemsMax", list(text(), configShortItemsMax), many, configShortItemsMax],
  ])("`%s`", (_, shape, valueOf, max) => {
    expect(findings(shape, valueOf(max))).toEqual([]);
    expect(findings(shape, valueOf(max + 1))).toHaveLength(1);
    expect(JSON.stringify(shape.schema)).toContain(`:${max}`);
  });

  async function problemsOf(source: string, more = ""): Promise<readonly string[]> {
    const file = `version: 1\nstore: memory\nsources:\n  shop:\n    http:\n      url: https://shop.example\n      tools:\n        get: { method: GET, path: /get, tier: read, description: Get it. ${source} }\n${more}`;
    const loaded = await loadConfig(
      { path: "/etc/a.yaml", text: file },
      { environment: {}, readFile: () => Promise.reject(new Error("none")) },
    );
    return "problems" in loaded ? loaded.problems.map(({ message }) => message) : [];
  }

  test.each([
    ["configCountMax", fixedBounds.configCountMax, (value: number) => [`, ratePerMinute: ${value}`]],
    ["configCostMicrosUsdMax", fixedBounds.configCostMicrosUsdMax, (value: number) => [`, costMicrosUsd: ${value}`]],
    ["attemptTimeoutMsMax", fixedBounds.attemptTimeoutMsMax, (value: number) => [`, timeoutMs: ${value}`]],
    ["configSpanMsMax", fixedBounds.configSpanMsMax, (value: number) => ["", `upstreams: { shop: { breaker: { openMs: ${value} } } }\n`]],
    ["configShortItemsMax", configShortItemsMax, (value: number) => [`, asks: [${many(value).join(", ")}]`]],
  ] as const)("`%s` in a file", async (_, max, partsOf) => {
    const [source = "", more] = partsOf(max);
    expect(await problemsOf(source, more)).toEqual([]);
    const [beyond = "", moreBeyond] = partsOf(max + 1);
    expect(await problemsOf(beyond, moreBeyond)).toEqual([expect.stringContaining(`${max}`)]);
  });

  test("a source is not asked more often than every `healthCheckMsMin` whether it is well", async () => {
    const asked = (everyMs: number): Promise<readonly string[]> =>
      problemsOf("", `upstreams: { shop: { healthCheck: { url: 'https://shop.example/up', everyMs: ${everyMs} } } }\n`);
    expect(await asked(fixedBounds.healthCheckMsMin)).toEqual([]);
    expect(await asked(fixedBounds.healthCheckMsMin - 1)).toEqual([expect.stringContaining("from 10")]);
  });
});
