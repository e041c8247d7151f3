import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import {
  isAadhaar,
  isBsn,
  isCardNumber,
  isCodiceFiscale,
  isCpf,
  isDni,
  isIban,
  isNationalInsurance,
  isNir,
  isPersonnummer,
  isPesel,
  isSocialSecurity,
  isSteuerId,
} from "./check-digits.ts";
import { personalIn, personalInText } from "./find-personal.ts";

const kinds = (text: string): readonly string[] => personalInText(text).map(({ kind, text: value }) => `${kind} ${value}`);
const leaf = (value: string, field: string, above = ""): readonly string[] => personalIn(value, { field, above }).map(({ kind }) => kind);

describe("numbers with check digits", () => {
  test.each([
    [
      "IBAN",
      isIban,
      [
        "DE89370400440532013000",
        "GB82WEST12345698765432",
        "NL91ABNA0417164300",
        "FR1420041010050500013M02606",
        "PL61109010140000071219812874",
      ],
    ],
    [
      "card",
      isCardNumber,
      [
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "3530111333300000",
        "6011111111111117",
      ],
    ],
    ["CPF", isCpf, ["52998224725", "11144477735"]],
    ["NIR", isNir, ["185057800608491", "255081416802538"]],
    ["codice fiscale", isCodiceFiscale, ["RSSMRA85T10A562S"]],
    ["DNI and NIE", isDni, ["12345678Z", "X1234567L"]],
    ["PESEL", isPesel, ["44051401359", "02070803628"]],
    ["Steuer-ID", isSteuerId, ["86095742719", "47036892816"]],
    ["BSN", isBsn, ["111222333", "123456782"]],
    ["personnummer", isPersonnummer, ["8112189876"]],
    ["National Insurance", isNationalInsurance, ["AB123456C"]],
    ["Aadhaar", isAadhaar, ["234123412346"]],
  ] as const)("%s: published examples hold, and no changed digit does", (_name, holds, examples) => {
    for (const example of examples) {
      expect(holds(example), example).toBe(true);
      const changed = [...example].flatMap((char, at) =>
        /\d/.test(char) ? [example.slice(0, at) + String((Number(char) + 1) % 10) + example.slice(at + 1)] : [],
      );
      // A Dutch number is one of eleven, so that another digit never holds; the British and American ones have no check digit.
      if (holds !== isNationalInsurance)
        expect(
          changed.filter((text) => holds(text)),
          example,
        ).toEqual([]);
    }
  });

  test("an IBAN has the length of its country, and a country", () => {
    expect(["DE8937040044053201300", "XX89370400440532013000", "de89370400440532013000", ""].some(isIban)).toBe(false);
  });

  test("an American number is one that may be given out", () => {
    expect(isSocialSecurity("123456789")).toBe(true);
    expect(["000456789", "666456789", "900456789", "123006789", "123450000"].some(isSocialSecurity)).toBe(false);
  });
});

describe("personal data in text", () => {
  test.each([
    ["Passport number: C01X00T47\nDOB: 12.04.1985", ["passport C01X00T47", "birth-date 12.04.1985"]],
    ["her IBAN is GB29 NWBK 6016 1331 9268 19, as you know", ["bank-account GB29 NWBK 6016 1331 9268 19"]],
    ["wire it to DE89370400440532013000 today", ["bank-account DE89370400440532013000"]],
    ["4111 1111 1111 1111 exp 12/27", ["card 4111 1111 1111 1111"]],
    ["he has 123-45-6789 and 529.982.247-25", ["national-id 123-45-6789", "national-id 529.982.247-25"]],
    ["Hasło: Tajne123", ["credential Tajne123"]],
    ["Numéro de sécurité sociale : 185057800608491", ["national-id 185057800608491"]],
    ["Reisepass-Nr. C01X00T47", ["passport C01X00T47"]],
    ["Fecha de nacimiento: 3 de mayo de 1990", []],
    ["Fecha de nacimiento: 03/05/1990", ["birth-date 03/05/1990"]],
    ["Gehalt: 65.000 EUR im Jahr", ["pay 65.000"]],
    ["Diagnosis: chronic bronchitis, since May", ["health chronic bronchitis, since May"]],
    ["your password is Hunter22.", ["credential Hunter22"]],
    ["| Passport | X1234567 |", ["passport X1234567"]],
    ['{"passport_number": "X1234567"', ["passport X1234567"]],
  ])("%s", (text, found) => {
    expect(kinds(text)).toEqual(found);
  });

  test.each([
    "order 4111111111111111 of 2026-11-21 20:32:11.123",
    "tracking 1234-5678-9012-3456, phone +49 170 1234567",
    "passport renewal by 2026-12-01",
    "Password: required",
    "pinned 4711, opinion 2024",
    "the account manager has 12 new tickets",
    "the salary review is on Monday",
    "card number",
    "Diagnosis: none",
  ])("leaves alone: %s", (text) => {
    expect(kinds(text)).toEqual([]);
  });

  test("is at the place that is told (property)", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (before, after) => {
        const text = `${before}\n4111 1111 1111 1111\n${after}`;
        const found = personalInText(text);
        expect(found.map(({ text: value }) => value)).toContain("4111 1111 1111 1111");
        for (const { at, text: value } of found) expect(text.slice(at, at + value.length)).toBe(value);
      }),
    );
  });

  test(verifies("SAFE-02", "is found wherever in a text it begins (property)"), () => {
    const value = fc.constantFrom(
      "123-45-6789",
      "529.982.247-25",
      "4111-1111-1111-1111",
      "1 85 05 78 006 084 91",
      "mt84 malt 0110 0001 2345 mtlc ast0 01s",
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ,]{0,40}$/), value, (before, number) => {
        expect(personalInText(`${before} ${number}.`).map(({ text }) => text)).toEqual([number]);
      }),
    );
  });

  test("takes linear time on texts made to be slow", () => {
    for (const piece of [
      "passport: ",
      "password=",
      "1-",
      "12 ",
      "de89 ",
      "4111 ",
      "date of birth 1 ",
      "passport passport number no ",
      "é",
    ]) {
      const took = (times: number): number => {
        const text = piece.repeat(times);
        const before = process.cpuUsage();
        personalInText(text);
        const used = process.cpuUsage(before);
        return used.user + used.system;
      };
      took(2_000);
      const [small, large] = [Math.max(took(5_000), 2_000), took(50_000)];
      expect(large / small, piece).toBeLessThan(60);
    }
  });
});

describe("personal data by the name of its field", () => {
  test.each([
    ["X1234567", "passportNumber", "", "passport"],
    ["X1234567", "passport_no", "", "passport"],
    ["12.04.1985", "Geburtsdatum", "", "birth-date"],
    ["65000", "annual_salary", "", "pay"],
    ["4111111111111111", "number", "card", "card"],
    ["44051401359", "id number", "", "national-id"],
    ["asthma", "diagnoses", "", "health"],
    ["swordfish", "newPassword", "", "credential"],
    ["123456789012", "Numéro de compte", "", "bank-account"],
    ["RSSMRA85T10A562S", "note", "", "national-id"],
  ])("%s in `%s` of `%s` is %s", (value, field, above, kind) => {
    expect(leaf(value, field, above)).toEqual([kind]);
  });

  test.each([
    ["12345678", "order_id"],
    ["44051401358", "id number"],
    ["2030-01-01", "passport_expiry"],
    ["required", "password"],
    ["****", "password"],
    ["Germany", "passport_country"],
    ["65000", "budget"],
    ["none", "allergies"],
    ["2026-11-21", "iban"],
  ])("%s in `%s` is nothing of the sort", (value, field) => {
    expect(leaf(value, field)).toEqual([]);
  });

  test(verifies("SAFE-02", "raises no false alarm on ids, amounts and times (property)"), () => {
    const field = fc.constantFrom(
      "id",
      "order_id",
      "invoice",
      "tracking",
      "reference",
      "total",
      "amount",
      "created_at",
      "sku",
      "version",
      "hash",
      "phone",
    );
    const value = fc.oneof(
      fc.integer({ min: 0 }).map(String),
      fc.bigInt({ min: 0n, max: 10n ** 19n }).map(String),
      fc.uuid(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.integer({ min: 0, max: 2 ** 42 }).map(String),
      fc.double({ min: 0, max: 1e9, noNaN: true }).map((amount) => amount.toFixed(2)),
      fc.stringMatching(/^[A-Z]{2,4}-\d{4,12}$/),
      fc.stringMatching(/^[0-9a-f]{40}$/),
    );
    fc.assert(
      fc.property(field, value, (name, text) => {
        expect(leaf(text, name)).toEqual([]);
        expect(kinds(`${name} ${text} was booked`)).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
