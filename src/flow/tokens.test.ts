import fc from "fast-check";
import { expect, test } from "vitest";
import { normalEmail } from "./tokens.ts";

test("an address is one in whatever form its sign is written, and no text without the sign is", () => {
  expect(["Ann@Example.com", "mailto:ann@example.com", "ann\uFF20example.com", "ann\uFE6Bexample.com"].map(normalEmail)).toEqual(
    Array.from({ length: 4 }, () => "ann@example.com"),
  );
  expect(normalEmail("ann.example.com")).toBeUndefined();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      if (normalEmail(text) !== undefined) expect(text.normalize("NFKC")).toContain("@");
      if (!text.normalize("NFKC").includes("@")) expect(normalEmail(text)).toBeUndefined();
    }),
  );
});
