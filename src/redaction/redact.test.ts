import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { verifies } from "../../test/verifies.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import { NeedleFilter } from "./needle-filter.ts";
import { NeedleSet } from "./needle-set.ts";
import { isIban, isLuhn } from "./check-digits.ts";
import { createRedactor } from "./redact.ts";
import { mayHoldShape, secretShapes } from "./shapes.ts";

const plain = createRedactor({ limits: defaultLimits });

// Shapes only: put together here, so that no scanner of this file takes them for real ones.
const shaped: readonly (readonly [string, string])[] = [
  ["aws-key", `${"AKIA"}IOSFODNN7EXAMPLE`],
  ["github-token", `ghp_${"aB3".repeat(12)}`],
  ["github-token", `github_pat_${"aB3_".repeat(8)}`],
  ["gitlab-token", `glpat-${"x1Y-".repeat(5)}`],
  ["slack-token", `xoxb-${"123456789012"}-${"abcDEF"}`],
  ["api-key", `sk-proj-${"Ab1_".repeat(10)}`],
  ["api-key", `sk-ant-api03-${"Ab1-".repeat(8)}`],
  ["api-key", `AIza${"Sy0-_aB".repeat(5)}`],
  ["api-key", `sk_live_${"4eC39".repeat(5)}`],
  ["api-key", `npm_${"aB3".repeat(12)}`],
  ["jwt", `eyJhbGciOiJIUzI1NiJ9.${"eyJzdWIiOiIxMjM0NTY3ODkwIn0"}.${"dozjgNryP4J3jVmNHl0w5N"}`],
  ["private-key", `-----BEGIN RSA PRIVATE KEY-----\nMIIEow${"aB3/".repeat(20)}\n-----END RSA PRIVATE KEY-----`],
  ["authorization", `Bearer ${"abc123DEF".repeat(3)}`],
  ["authorization", `Basic ${Buffer.from("ada:hunter2-and-more").toString("base64")}`],
  ["url-password", "postgres://ada:hunter2@db.example.com/shop"],
  ["secret", "api_key=4f9Kd82mQx7Zp1Vw"],
  ["secret", `"client_secret": "4f9Kd82mQx7Zp1Vw"`],
];

describe("secrets of a known shape", () => {
  it.each(shaped)(verifies("SAFE-02", "of kind %s are taken out of a text and reported: %s"), (kind, secret) => {
    const { text, counts } = plain.redactText(`before ${secret} after`);
    expect(text).toMatch(/^before .*\[redacted:/s);
    expect(text).toMatch(/ after$/);
    expect(counts).toEqual({ [kind]: 1 });
    const value = secret.match(/(?:hunter2|4f9Kd82mQx7Zp1Vw|IOSFODNN7|aB3aB3|abc123DEFabc|Sy0-_|4eC39|dozjgN)/)?.[0];
    if (value !== undefined) expect(text).not.toContain(value);
  });

  it("are not seen in ordinary texts", () => {
    const ordinary = [
      "the basic internationalization of our bearer responsibilities",
      "a task-list for risk-assessment, see https://example.com/a?b=c@d and mailto:x@y.z",
      "password: please choose one; token: none; the secret is patience and hard work",
      `{"nextPageToken":"CAUQAA4f9Kd82mQx7Zp1Vw","key":"A-1042","tokens":1200}`,
      "Asia Pacific; monkey=business; keyboard: cherry",
      "api_key=secret://env/CRM_TOKEN_1",
    ];
    for (const text of ordinary) expect(plain.redactText(text)).toEqual({ text, counts: {} });
  });

  it("that a shape finds are never missed by the scan before it (property)", () => {
    const kinds = fc.constantFrom(...shaped.map(([, secret]) => secret));
    const noise = fc.string({ unit: anyCodePoint, maxLength: 30 });
    fc.assert(
      fc.property(noise, kinds, noise, (before, secret, after) => {
        const text = before + secret + after;
        const isFound = secretShapes.some(({ pattern, replace }) => {
          let found = false;
          text.replace(pattern, (...match: string[]) => {
            found ||= replace === undefined || replace(match, "x") !== undefined;
            return "";
          });
          return found;
        });
        if (isFound) expect(mayHoldShape(text)).toBe(true);
      }),
      { numRuns: 120 },
    );
  });

  it("take linear time on texts made to be slow", () => {
    const hostile = [
      "eyJ-",
      "-----BEGIN PRIVATE KEY-----",
      "://a:",
      "xoxb-",
      "bearer ",
      "a@",
      "sk-",
      "api_key=",
      "https://u:",
      "secret-",
      "token token_",
      "+1 ",
    ];
    for (const piece of hostile) {
      const text = piece.repeat(Math.ceil(262_144 / piece.length));
      // A pattern that looks twice at what it has seen takes longer here than a test may last.
      expect(plain.redactText(text, { personalData: true }).text.length, piece).toBeGreaterThan(0);
    }
  });
});

describe("values that were injected", () => {
  const secretText = fc
    .string({ unit: "grapheme", minLength: 12, maxLength: 40 })
    .filter((text) => text.isWellFormed() && new Set(text).size > 6);

  it(verifies("SAFE-02", "never leave in any usual encoding, wherever they stand (property)"), () => {
    const encodings: readonly ((text: string, before: string) => string)[] = [
      (text) => text,
      (text) => encodeURIComponent(text),
      (text) => encodeURIComponent(text).replace(/%../g, (code) => code.toLowerCase()),
      (text) => new URLSearchParams({ x: text }).toString().slice(2),
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => Buffer.from(text).toString("hex"),
    ];
    fc.assert(
      fc.property(
        secretText,
        fc.constantFrom(...encodings),
        fc.string({ maxLength: 20 }),
        fc.string({ maxLength: 20 }),
        (secret, encode, before, after) => {
          const redactor = createRedactor({ limits: defaultLimits, secrets: [secret] });
          const encoded = encode(secret, before);
          const { text, counts } = redactor.redactText(before + encoded + after);
          expect(text.includes(encoded)).toBe(false);
          expect(counts["secret"]).toBeGreaterThanOrEqual(1);
        },
      ),
      { numRuns: 120 },
    );
  });

  it("never leave inside base64 of a longer text, at any alignment and in both alphabets (property)", () => {
    fc.assert(
      fc.property(
        secretText,
        fc.string({ maxLength: 9 }),
        fc.string({ maxLength: 9 }),
        fc.constantFrom("base64" as const, "base64url" as const),
        (secret, before, after, encoding) => {
          const redactor = createRedactor({ limits: defaultLimits, secrets: [secret] });
          const { text } = redactor.redactText(Buffer.from(before + secret + after).toString(encoding));
          expect(text).toContain("[redacted:secret]");
        },
      ),
      { numRuns: 120 },
    );
  });

  it("are taken out once they are told, at most as many as the limit allows", () => {
    const redactor = createRedactor({ limits: { ...defaultLimits, secretsMax: 2 } });
    expect(redactor.redactText("the-first-one").text).toBe("the-first-one");
    for (const secret of ["the-first-one", "the-second-one", "short", "the-third-one"]) redactor.addSecret(secret);
    expect(redactor.redactText("the-first-one the-second-one the-third-one short").text).toBe(
      "the-first-one [redacted:secret] [redacted:secret] short",
    );
  });
});

describe("JSON", () => {
  it("keeps its structure: only strings and keys that hold something change (property)", () => {
    const redactor = createRedactor({ limits: defaultLimits, secrets: ["hunter2-hunter2"] });
    const shapeOf = (value: Json): unknown =>
      Array.isArray(value)
        ? value.map(shapeOf)
        : value !== null && typeof value === "object"
          ? Object.values(value).map(shapeOf)
          : typeof value;
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isHit) => {
        const json = { value, ...(isHit && { "key hunter2-hunter2": ["x hunter2-hunter2"] }) } as Json;
        const { value: redacted, counts } = redactor.redactJson(json);
        expect(shapeOf(redacted)).toEqual(shapeOf(json));
        if (isHit) expect(counts).toEqual({ secret: 2 });
        else expect(redacted).toBe(json);
        expect(redactor.redactJsonText(json, canonicalJson(json)).value).toEqual(redacted);
      }),
    );
  });

  it("loses values that its members name as secrets, and keeps both of two keys that become one", () => {
    const redactor = createRedactor({ limits: defaultLimits, secrets: ["hunter2-a", "hunter2-b"] });
    const value = {
      password: "4f9Kd82mQx7Zp1Vw",
      nextPageToken: "4f9Kd82mQx7Zp1Vw",
      "hunter2-a": 1,
      "hunter2-b": 2,
      ["__proto__"]: "hunter2-a",
    };
    const { value: redacted } = redactor.redactJson(value as Json);
    expect(redacted).toMatchObject({
      password: "[redacted:secret]",
      nextPageToken: "4f9Kd82mQx7Zp1Vw",
      "[redacted:secret]": 1,
      "[redacted:secret] 2": 2,
    });
  });

  it("of arguments is only reported", () => {
    const args = { to: "ada@example.com", body: `Bearer ${"abc123DEF".repeat(3)}` };
    expect(plain.inspect(args, { personalData: true })).toEqual({ authorization: 1, email: 1 });
    expect(args.body).toContain("abc123");
  });

  it("that is longer than can be searched is withheld", () => {
    const redactor = createRedactor({ limits: { ...defaultLimits, redactCharsMax: 100 } });
    expect(redactor.redactText("x".repeat(101))).toEqual({ text: "[redacted:too-long]", counts: { "too-long": 1 } });
    expect(redactor.redactText("x".repeat(100)).text).toBe("x".repeat(100));
  });
});

describe("personal data", () => {
  it("stays unless the tool asks for it to go, and goes only when its checksum holds", () => {
    const text = "ada@example.com, DE89 3704 0044 0532 0130 00 or GB82WEST12345698765432, 4111 1111 1111 1111, +49 (30) 1234567";
    expect(plain.redactText(text).text).toBe(text);
    const { text: redacted, counts } = plain.redactText(text, { personalData: true });
    expect(redacted).toBe("[redacted:email], [redacted:bank-account] or [redacted:bank-account], [redacted:card], [redacted:phone]");
    expect(counts).toEqual({ email: 1, "bank-account": 2, card: 1, phone: 1 });
    const harmless = "GB83WEST12345698765432, 4111 1111 1111 1112, order 30-1234567, 1700000000000, v1.2.3";
    expect(plain.redactText(harmless, { personalData: true }).text).toBe(harmless);
  });

  it("goes wherever it stands, however much there is of it, also by the name of its field and of what that lies in", () => {
    const many = "4111 1111 1111 1111; passport: C01X00T47; ".repeat(1_500);
    expect(plain.redactText(many, { personalData: true }).counts).toEqual({ card: 1_500, passport: 1_500 });
    const value = { card: { number: 4111111111111111, brand: "visa" }, diagnoses: ["asthma", "none"], id: "4711" };
    expect(plain.redactJson(value, { personalData: true }).value).toEqual({
      card: { number: "[redacted:card]", brand: "visa" },
      diagnoses: ["[redacted:health]", "none"],
      id: "4711",
    });
  });

  it("has the checksums of their standards", () => {
    expect(["GB82WEST12345698765432", "NL91ABNA0417164300"].every(isIban)).toBe(true);
    expect(["GB83WEST12345698765432", "gb82west12345698765432"].some(isIban)).toBe(false);
    expect(isLuhn("5555555555554444") && !isLuhn("5555555555554445")).toBe(true);
  });
});

describe("the search for many strings", () => {
  it("finds what a search for each of them finds (property)", () => {
    const alphabet = fc.string({ unit: fc.constantFrom("a", "b", "A", "é", "\u{1f600}"), minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(alphabet, { maxLength: 6 }),
        fc.string({ unit: fc.constantFrom("a", "b", "A", "é", "\u{1f600}", "-"), maxLength: 60 }),
        (needles, text) => {
          const set = new NeedleSet(needles);
          expect(set.isIn(text)).toBe(needles.some((needle) => text.includes(needle)));
          const { text: replaced } = set.replace(text, "|");
          for (const needle of needles) expect(replaced).not.toContain(needle);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("never says that a text holds none when it does, and nothing of an earlier text counts (property)", () => {
    const unit = fc.constantFrom("a", "b", "A", "-");
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit, minLength: 4, maxLength: 9 }), { maxLength: 6 }),
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "A", "B", "-", "é", "š"), maxLength: 60 }), { maxLength: 4 }),
        (needles, texts) => {
          const filter = new NeedleFilter(needles.map((needle) => needle.toLowerCase()));
          for (const text of texts) {
            const isIn = needles.some((needle) => text.toLowerCase().includes(needle.toLowerCase()));
            // `š` has the last byte of `a`, so a text with it may look as if it held one.
            if (!text.includes("š")) expect(filter.mayHold(text)).toBe(isIn);
            else if (isIn) expect(filter.mayHold(text)).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("looks at the whole of a long text", () => {
    const filter = new NeedleFilter(["needle"]);
    for (const before of [0, 1, 2, 3, 16_370, 16_380, 100_000]) {
      expect(filter.mayHold("x".repeat(before))).toBe(false);
      expect(filter.mayHold(`${"x".repeat(before)}NeeDLE`)).toBe(true);
      expect(filter.mayHold(`${"x".repeat(before)}needl`)).toBe(false);
    }
  });
});
