import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fixedBounds } from "../../src/base/fixed-bounds.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { approvalSummary, leavesOf } from "../../src/approvals/card.ts";
import { originOf } from "../../src/approvals/origins.ts";
import { cutJson } from "../../src/call/cut.ts";
import { shapeResult } from "../../src/call/shape.ts";
import { checkArguments } from "../../src/codec/check-arguments.ts";
import { quoteInput } from "../../src/codec/quote.ts";
import { renderProblems } from "../../src/config/problem.ts";
import { boundedText } from "../../src/connectors/mcp/wire.ts";
import type { Json } from "../../src/domain/json.ts";
import type { Tool } from "../../src/domain/tool.ts";
import { named } from "../../src/policy/check-change.ts";
import { nearestHint } from "../../src/policy/problem.ts";
import { secretForms } from "../../src/redaction/secret-forms.ts";
import { NeedleFilter } from "../../src/redaction/needle-filter.ts";
import { completeTool } from "../../src/registry/complete.ts";
import { oneOf, shortJson } from "../../src/schema/describe.ts";
import { nearest, words } from "../../src/schema/nearest.ts";
import { exactNumber } from "../../src/schema/numbers.ts";
import { schemaProblems } from "../../src/schema/vet.ts";
import { createJsonLogger } from "../../src/gateway/log.ts";
import { manualClock } from "../support/manual-clock.ts";

const { quotedCharsMax, valuesShownMax, namedMax, comparedCharsMax } = fixedBounds;

describe("what is quoted", () => {
  test("an input inside a sentence has at most `quotedCharsMax` characters, and says how long it was", () => {
    expect(quoteInput("x".repeat(quotedCharsMax))).toBe(`\`${"x".repeat(quotedCharsMax)}\``);
    expect(quoteInput("x".repeat(quotedCharsMax + 1))).toBe(`\`${"x".repeat(quotedCharsMax)}…\` (${quotedCharsMax + 1} characters)`);
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(shortJson(value).length).toBeLessThanOrEqual(quotedCharsMax);
      }),
    );
    expect(shortJson("x".repeat(quotedCharsMax - 2))).toHaveLength(quotedCharsMax);
    expect(shortJson("x".repeat(quotedCharsMax - 1)).endsWith("…")).toBe(true);
  });

  test("the path of an argument has at most `shownPathCharsMax` characters", () => {
    const deep = (name: string): string => {
      const value = { [name]: { bad: Number.NaN } } as unknown as Json;
      const checked = checkArguments(value, defaultLimits);
      return checked.kind === "malformed" ? checked.error.message : checked.kind;
    };
    expect(deep("k".repeat(40))).toContain(`${"k".repeat(40)}/bad`);
    expect(deep("k".repeat(fixedBounds.shownPathCharsMax))).not.toContain("/bad");
  });

  test("of the values that an argument may have, `valuesShownMax` are named and the rest is counted", () => {
    const values = Array.from({ length: valuesShownMax }, (_, index) => `v${index}`);
    expect(oneOf(values)).not.toContain("more");
    expect(oneOf([...values, "last"])).toMatch(/ and 1 more$/);
  });

  test("of many names, `namedMax` are given as examples and the rest is counted", () => {
    const names = Array.from({ length: namedMax + 2 }, (_, index) => `n${index}`);
    expect(named(names)).toMatch(new RegExp(`\`n${namedMax - 1}\` and 2 more$`));
    expect(named(names.slice(0, namedMax))).not.toContain("more");
  });

  test("a line of configuration is shown up to `configQuoteCharsMax`", () => {
    const shown = (line: string, column: number): string =>
      renderProblems([{ file: "a.yaml", line: 1, column, path: "", message: "wrong", mend: "" }], { "a.yaml": line });
    expect(shown("x".repeat(fixedBounds.configQuoteCharsMax), 1)).toContain("x".repeat(fixedBounds.configQuoteCharsMax));
    expect(shown("x".repeat(1_000), 1)).not.toContain("x".repeat(fixedBounds.configQuoteCharsMax + 1));
    expect(shown("x".repeat(1_000), fixedBounds.configQuoteCharsMax + 1)).toBe("a.yaml:1:161: wrong");
  });

  test("a server's own words are taken up to `upstreamWordsCharsMax`", () => {
    expect(boundedText("x".repeat(fixedBounds.upstreamWordsCharsMax + 1))).toHaveLength(fixedBounds.upstreamWordsCharsMax);
  });

  test("a line of the log longer than `logLineCharsMax` keeps its event alone, and lines are gathered for `logFlushMs`", async () => {
    const clock = manualClock();
    let written = "";
    const logger = createJsonLogger({ write: (text) => (written += text), clock, limits: { logLinesWaitingMax: 10 } });
    logger.log({ level: "info", event: "thing-happened", detail: "x".repeat(fixedBounds.logLineCharsMax) });
    logger.log({ level: "info", event: "thing-happened", detail: "short" });
    await clock.advance(fixedBounds.logFlushMs - 1);
    expect(written).toBe("");
    await clock.advance(1);
    const lines = written.trim().split("\n");
    expect(lines[0]).toMatch(/"event":"thing-happened","isCut":true\}$/);
    expect(lines[1]).toContain("short");
  });
});

describe("cards", () => {
  const titled = (chars: number): Tool =>
    completeTool({
      name: "mail.send",
      tier: "reversible",
      title: "T".repeat(chars),
      description: "Send it.",
      inputSchema: { type: "object" },
    });

  test("the line on a card has at most `cardSummaryCharsMax` characters, a name in it `shownNameCharsMax` (property)", () => {
    const texts = fc.dictionary(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), { maxKeys: 20 });
    fc.assert(
      fc.property(texts, (args) => {
        const summary = approvalSummary(titled(500), args);
        expect(summary.length).toBeLessThanOrEqual(fixedBounds.cardSummaryCharsMax);
      }),
    );
    expect(approvalSummary(titled(fixedBounds.shownNameCharsMax), {})).toContain(`${"T".repeat(fixedBounds.shownNameCharsMax)} (`);
    expect(approvalSummary(titled(fixedBounds.shownNameCharsMax + 1), {})).toMatch(/…T+ \(81 characters\)/);
  });

  test("at most `argumentLeavesMax` values are opened one by one", () => {
    const args = { list: Array.from({ length: fixedBounds.argumentLeavesMax + 5 }, (_, index) => ({ index })) };
    expect(leavesOf(args, {})).toHaveLength(fixedBounds.argumentLeavesMax);
  });

  test("a text shorter than `tracedCharsMin` is not looked for in other texts", () => {
    const seen = { said: ["send abc to x"], results: [] } as const;
    const kindOf = (value: string): string => originOf(value, seen, { quoteCharsMax: 20, traced: undefined }).kind;
    expect(kindOf("abc".slice(0, fixedBounds.tracedCharsMin))).toBe("user");
    expect(kindOf("x".slice(0, fixedBounds.tracedCharsMin - 1))).toBe("nowhere");
  });
});

describe("results that are cut", () => {
  test("keep at most `cutDepthMax` levels", () => {
    let value: Json = "x".repeat(4_000);
    for (let level = 0; level < fixedBounds.cutDepthMax + 1; level += 1) value = [value];
    const { text } = cutJson(value, JSON.stringify(value), 400);
    expect(text).toBe(`${"[".repeat(fixedBounds.cutDepthMax)}"…"${"]".repeat(fixedBounds.cutDepthMax)}`);
  });

  test("are never longer than asked for, what is said beside them in `cutNoteCharsMax` included (property)", () => {
    const tool = completeTool({ name: "a", tier: "read", description: "Read it.", inputSchema: { type: "object" } });
    const handle = `hnd_${"h".repeat(26)}`;
    const long = fc.array(fc.record({ name: fc.string({ maxLength: 60 }), note: fc.string({ maxLength: 200 }) }), {
      minLength: 20,
      maxLength: 60,
    });
    fc.assert(
      fc.property(long, (value) => {
        const text = JSON.stringify(value);
        fc.pre(text.length > 800);
        const [part] = shapeResult({ value, text, tool, handle, charsMax: 800, asOfMs: 0, isForProgram: false }).parts;
        const shown = part?.kind === "json" ? (part.value as { readonly cut: Json; readonly note: string }) : undefined;
        expect(JSON.stringify(shown).length).toBeLessThanOrEqual(800);
        expect(JSON.stringify({ note: shown?.note }).length + `"cut":,`.length).toBeLessThanOrEqual(fixedBounds.cutNoteCharsMax);
      }),
    );
  });
});

describe("names and numbers", () => {
  test("names are compared by their first `comparedCharsMax` characters", () => {
    const long = "a".repeat(comparedCharsMax);
    expect(words(`${long}zzz`).join("")).toBe(long);
    expect(nearestHint(`${long}x`, [`${long}${"y".repeat(60)}`])).toContain("nearest");
  });

  test("a mistyped name is compared with `nearestNamesMax` and `hintNamesMax` others at most", () => {
    const others = (count: number): string[] => Array.from({ length: count }, () => "q");
    expect(nearest("order.get", [...others(fixedBounds.nearestNamesMax - 1), "order.gett"], 1)).toEqual(["order.gett"]);
    expect(nearest("order.get", [...others(fixedBounds.nearestNamesMax), "order.gett"], 1)).toEqual([]);
    expect(nearestHint("roles", [...others(fixedBounds.hintNamesMax - 1), "rolez"])).toContain("rolez");
    expect(nearestHint("roles", [...others(fixedBounds.hintNamesMax), "rolez"])).toBe("");
  });

  test("a text longer than `numberCharsMax` is no number", () => {
    expect(exactNumber(`5.${"0".repeat(fixedBounds.numberCharsMax - 2)}`)).toBe(5);
    expect(exactNumber(`5.${"0".repeat(fixedBounds.numberCharsMax - 1)}`)).toBeUndefined();
  });

  test("at most `problemsMax` problems of one schema are told", () => {
    const properties = Object.fromEntries(
      Array.from({ length: fixedBounds.problemsMax + 20 }, (_, index) => [`p${index}`, { type: "wrong" }]),
    );
    expect(schemaProblems({ type: "object", properties } as never)).toHaveLength(fixedBounds.problemsMax);
  });
});

describe("secrets", () => {
  test("a secret shorter than `secretCharsMin` is not looked for, and no form of one is", () => {
    expect(secretForms("x".repeat(fixedBounds.secretCharsMin - 1))).toEqual([]);
    const forms = fc.property(fc.string({ minLength: fixedBounds.secretCharsMin, maxLength: 40 }), (secret) => {
      for (const form of secretForms(secret)) expect(form.length).toBeGreaterThanOrEqual(fixedBounds.secretCharsMin);
    });
    fc.assert(forms);
  });

  test("a needle of `needleCharsMin` characters is found wherever it stands (property)", () => {
    const needle = fc.stringMatching(new RegExp(`^[a-z]{${fixedBounds.needleCharsMin}}$`));
    fc.assert(
      fc.property(needle, fc.string({ maxLength: 40 }), fc.string({ maxLength: 40 }), (each, before, after) => {
        expect(new NeedleFilter([each]).mayHold(before + each + after)).toBe(true);
      }),
    );
  });
});
