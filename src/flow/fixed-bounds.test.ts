import { describe, expect, test } from "vitest";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { isoTime } from "../base/clock.ts";
import type { Json } from "../domain/json.ts";
import { decodedOnce, mayHoldCode } from "./decode-once.ts";
import { SessionKnowledge } from "./knowledge.ts";
import { labelReader } from "./labels.ts";
import { PointedAt } from "./pointed-at.ts";
import { Restrictions, type Origin } from "./restrictions.ts";
import { inferredRole } from "./roles.ts";
import { actionablesIn } from "./tokens.ts";
import { UserWords } from "./user-words.ts";

const sizes = { slotsMax: 262_144, valuesMax: 10_000, circlesMax: 8 };
const undescribed = labelReader({ source: "test", outputLabels: {} });
const trusted = labelReader({ source: "test", outputLabels: { "": { integrity: "trusted" } } });

function originOf(callId: string, isNamed = false): Origin {
  return { callId, sessionId: "ses", tool: "read.it", atMs: 0, isNamed, isOutside: false };
}

function empty(): { readonly restrictions: Restrictions; readonly knowledge: SessionKnowledge } {
  const restrictions = new Restrictions(7, sizes, 0);
  return { restrictions, knowledge: new SessionKnowledge(restrictions, sizes) };
}

function read(
  knowledge: SessionKnowledge,
  value: Json,
  parts: {
    readonly text?: string;
    readonly given?: readonly string[];
    readonly isTrusted?: boolean;
    readonly callId?: string;
    readonly chars?: number;
  } = {},
): void {
  knowledge.note({
    origin: originOf(parts.callId ?? "call"),
    value,
    given: parts.given ?? [],
    labels: parts.isTrusted === true ? trusted : undescribed,
    chars: parts.chars ?? 0,
    text: parts.text,
  });
}

const noPause = async (): Promise<void> => undefined;

describe("the user's words", () => {
  test("are kept up to `userWordsCharsMax`; the oldest end to grant anything, and may be said again", () => {
    const words = new UserWords();
    const first = `pay ${"a".repeat(20)}`;
    words.add(first, true);
    const filler = (index: number): string => `${index} ${"b".repeat(99_990)}`;
    for (let index = 0; index < fixedBounds.userWordsCharsMax / 100_000; index += 1) words.add(filler(index), true);
    expect(words.says("a".repeat(20))).toBe(false);
    words.add(first, true);
    expect(words.says("a".repeat(20))).toBe(true);
  });

  test("say no value shorter than `tracedCharsMin`", () => {
    const words = new UserWords();
    words.add("send abc to xy", true);
    expect(words.says("abc".slice(0, fixedBounds.tracedCharsMin))).toBe(true);
    expect(words.says("xy".slice(0, fixedBounds.tracedCharsMin - 1))).toBe(false);
  });
});

describe("what is taken from a text", () => {
  test("are at most `actionablesMax` addresses", () => {
    const text = Array.from({ length: fixedBounds.actionablesMax + 5 }, (_, index) => `u${index}@mail.example`).join(" ");
    expect(actionablesIn(text)).toHaveLength(fixedBounds.actionablesMax);
  });

  test("is decoded from `encodedCharsMin` characters in a row", () => {
    const code = Buffer.from("pay mallory!").toString("base64");
    expect(code).toHaveLength(fixedBounds.encodedCharsMin);
    expect(decodedOnce(code)).toEqual(["pay mallory!"]);
    expect(mayHoldCode(code.slice(1))).toBe(false);
    expect(decodedOnce(code.slice(1))).toEqual([]);
  });
});

describe("what was read", () => {
  test("vouches for values of at most `knownValueCharsMax` characters as a whole", () => {
    const { knowledge, restrictions } = empty();
    const atMost = "x".repeat(fixedBounds.knownValueCharsMax);
    read(knowledge, { one: atMost, two: `y${atMost}` }, { isTrusted: true });
    void restrictions.settle(noPause);
    expect(knowledge.vouchedFor(atMost)).toBeDefined();
    expect(knowledge.vouchedFor(`y${atMost}`)).toBeUndefined();
  });

  test("is indexed at once up to `indexSliceChars`, and in slices between which others have a turn beyond", async () => {
    const { knowledge, restrictions } = empty();
    read(knowledge, "short", { chars: fixedBounds.indexSliceChars });
    expect(restrictions.settle(noPause)).toBeUndefined();
    const long = `${"word ".repeat((fixedBounds.indexSliceChars * 3) / 5)} the last words`;
    read(knowledge, long, { chars: long.length });
    let pauses = 0;
    await restrictions.settle(async () => void (pauses += 1));
    expect(pauses).toBeGreaterThanOrEqual(3);
    expect(restrictions.find("last words")).toBeDefined();
  });

  test("is opened in a result however deep, and as JSON inside a text for `embeddedDepthMax` levels; what is deeper stays known as text", () => {
    const nested = (levels: number, inner: Json): Json => Array.from({ length: levels }).reduce<Json>((value) => ({ in: value }), inner);
    const { knowledge, restrictions } = empty();
    read(knowledge, nested(200, "deep value one"));
    read(knowledge, JSON.stringify(nested(fixedBounds.embeddedDepthMax * 2, "deep value two")));
    void restrictions.settle(noPause);
    expect(restrictions.find("deep value")).toBeDefined();
    expect(restrictions.find("value one")).toBeDefined();
    expect(restrictions.find("value two")).toBeDefined();
    const vouching = empty();
    const atLevel = (levels: number): Json => JSON.stringify(nested(levels, `value at ${levels}`));
    read(vouching.knowledge, atLevel(fixedBounds.embeddedDepthMax - 1), { isTrusted: true });
    read(vouching.knowledge, atLevel(fixedBounds.embeddedDepthMax), { isTrusted: true });
    void vouching.restrictions.settle(noPause);
    expect(vouching.knowledge.vouchedFor(`value at ${fixedBounds.embeddedDepthMax - 1}`)).toBeDefined();
    expect(vouching.knowledge.vouchedFor(`value at ${fixedBounds.embeddedDepthMax}`)).toBeUndefined();
  });

  test("is not indexed again where it is one of the latest `repeatedResultsMax`, of at most `repeatedResultCharsMax` characters", () => {
    const { knowledge, restrictions } = empty();
    const waits = (text: string): boolean => {
      read(knowledge, text, { text, chars: 1 });
      const isQueued = restrictions.waitingChars > 0;
      void restrictions.settle(noPause);
      return isQueued;
    };
    const texts = Array.from({ length: fixedBounds.repeatedResultsMax + 1 }, (_, index) => `text ${index}`);
    expect(texts.map(waits)).toEqual(texts.map(() => true));
    expect(texts.slice(1).map(waits)).toEqual(texts.slice(1).map(() => false));
    expect(waits(texts[0] as string)).toBe(true);
    const long = "x".repeat(fixedBounds.repeatedResultCharsMax);
    expect([waits(long), waits(long)]).toEqual([true, false]);
    expect([waits(`${long}x`), waits(`${long}x`)]).toEqual([true, true]);
  });

  test("tells at most `originsMax` calls apart, and restricts beyond", () => {
    const { restrictions } = empty();
    for (let index = 0; index < fixedBounds.originsMax; index += 1) expect(restrictions.addOrigin(originOf(`call_${index}`))).toBe(index);
    expect(restrictions.addOrigin(originOf("one more"))).toBe(fixedBounds.originsMax);
    expect(restrictions.originAt(fixedBounds.originsMax)).toBeUndefined();
    restrictions.untrustedTable.add("some text", fixedBounds.originsMax);
    expect(restrictions.find("some text")).toEqual({ origin: fixedBounds.originsMax });
  });

  test("keeps the latest `givenWaitingMax` arguments of calls whose results were known", () => {
    const { restrictions } = empty();
    for (let index = 0; index < fixedBounds.givenWaitingMax * 3; index += 1) restrictions.queueGiven([`given ${index}`]);
    void restrictions.settle(noPause);
    const kept = Array.from({ length: fixedBounds.givenWaitingMax * 3 }, (_, index) => index).filter((index) =>
      restrictions.wasGivenFirst(`given ${index}`),
    );
    expect(kept).toHaveLength(fixedBounds.givenWaitingMax);
    expect(kept.at(-1)).toBe(fixedBounds.givenWaitingMax * 3 - 1);
  });
});

describe("what the user pointed at", () => {
  const name = (index: number): string => `record number ${isoTime(index * 86_400_000).slice(0, 10)}`;

  function pointed(said: string, ...results: readonly (readonly Json[])[]): PointedAt {
    const words = new UserWords();
    words.add(said, true);
    const known = new PointedAt();
    for (const [index, objects] of results.entries()) {
      const reader = known.reader(words, originOf(`call_${index}`, true));
      for (const each of objects) {
        if (typeof each === "string") reader.text(each);
        else reader.object(each as { readonly [key: string]: Json });
      }
      reader.end();
    }
    return known;
  }

  test("is looked for in at most `recordObjectsMax` objects of a result", () => {
    const others = (count: number): readonly Json[] =>
      Array.from({ length: count }, (_, index) => ({ id: `o${index}`, name: "somebody else" }));
    const dora = { id: "D-1", name: "Dora Dee" };
    expect(pointed("delete Dora Dee", [...others(fixedBounds.recordObjectsMax - 1), dora]).recordOf("d-1")).toBeDefined();
    expect(pointed("delete Dora Dee", [...others(fixedBounds.recordObjectsMax), dora]).recordOf("d-1")).toBeUndefined();
  });

  test("is a name of `recordNameCharsMin` to `knownValueCharsMax` characters", () => {
    const found = (text: string): boolean => pointed(`delete ${text} now`, [{ id: "D-1", name: text }]).recordOf("d-1") !== undefined;
    expect(found("n".repeat(fixedBounds.recordNameCharsMin))).toBe(true);
    expect(found("n".repeat(fixedBounds.recordNameCharsMin - 1))).toBe(false);
    expect(found("n".repeat(fixedBounds.knownValueCharsMax))).toBe(true);
    expect(found("n".repeat(fixedBounds.knownValueCharsMax + 1))).toBe(false);
  });

  test("is one of at most `recordNamesMax` names; that a known one is ambiguous is not forgotten", () => {
    const names = Array.from({ length: fixedBounds.recordNamesMax + 1 }, (_, index) => name(index));
    const said = names.join(", ");
    const results = names.map((each, index) => [{ id: `I-${index}`, name: each }]);
    const known = pointed(said, ...results, [{ id: "I-other", name: names[0] as string }]);
    expect(known.recordOf(`i-${fixedBounds.recordNamesMax - 1}`)).toBeDefined();
    expect(known.recordOf(`i-${fixedBounds.recordNamesMax}`)).toBeUndefined();
    expect(known.recordOf("i-0")).toBeUndefined();
  });

  test("is looked for in at most `recordCharsMax` characters of a result, or nothing in it counts as alone", () => {
    const text = (chars: number): string => `mail dora@mail.example ${"x ".repeat(chars / 2)}`.slice(0, chars);
    expect(pointed("her page", [text(fixedBounds.recordCharsMax)]).placeOf("email", "dora@mail.example")).toBeDefined();
    expect(pointed("her page", [text(fixedBounds.recordCharsMax + 2)]).placeOf("email", "dora@mail.example")).toBeUndefined();
  });

  test("is one of the latest `recordPlacesMax` places", () => {
    const pages = Array.from({ length: fixedBounds.recordPlacesMax * 3 }, (_, index) => [`write to u${index}@mail.example`]);
    const known = pointed("their pages", ...pages);
    const kept = pages.filter((_, index) => known.placeOf("email", `u${index}@mail.example`) !== undefined);
    expect(kept.length).toBeLessThanOrEqual(fixedBounds.recordPlacesMax * 2);
    expect(known.placeOf("email", `u${pages.length - 1}@mail.example`)).toBeDefined();
    expect(known.placeOf("email", "u0@mail.example")).toBeUndefined();
  });

  test("has an id by the first `memberNameCharsMax` characters of a member's name", () => {
    const found = (member: string): boolean =>
      pointed("delete Dora Dee", [{ [member]: "D-1", name: "Dora Dee" }]).recordOf("d-1") !== undefined;
    const long = (chars: number): string => `${"a".repeat(chars - 3)}_id`;
    expect(found(long(fixedBounds.memberNameCharsMax))).toBe(true);
    expect(found(long(fixedBounds.memberNameCharsMax + 1))).toBe(false);
  });
});

describe("what was worked out", () => {
  test("is the same beyond `rememberedMax` as below it", () => {
    const schema = { type: "string" };
    const fields = Array.from({ length: fixedBounds.rememberedMax + 50 }, (_, index) =>
      index % 2 === 0 ? `x${index}_email` : `x${index}_id`,
    );
    const roles = (): readonly unknown[] => fields.map((field) => inferredRole(field, schema));
    expect(roles()).toEqual(roles());
    expect(roles()).toEqual(fields.map((_, index) => (index % 2 === 0 ? "target" : "ref")));
    const labels = labelReader({ source: "s", outputLabels: { "/*/mail": { integrity: "directory" } } });
    for (let index = 0; index < fixedBounds.rememberedMax + 50; index += 1) {
      expect(labels.at(`/p${index}/mail`).integrity).toBe("directory");
      expect(labels.at(`/p${index}/text`).integrity).toBe("untrusted");
    }
  });
});
