import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { editDistance, nearest, similarity } from "./nearest.ts";

describe("nearest", () => {
  it.each([
    ["get_order", ["order.get", "order.refund", "user.get"], "order.get"],
    ["getOrderInfo", ["order.list", "order.get"], "order.get"],
    ["refnud", ["refund", "remind"], "refund"],
    ["order_id", ["orderId", "order", "id"], "orderId"],
    ["trends_v2", ["house_price_trends", "paint.trends"], "paint.trends"],
  ])("of `%s` among %j is `%s`", (name, candidates, best) => {
    expect(nearest(name, candidates, 3)[0]).toBe(best);
  });

  it("says nothing rather than something far off", () => {
    expect(nearest("weather", ["order.refund", "mail.send"], 3)).toEqual([]);
    expect(nearest("", ["a"], 3)).toEqual([]);
  });

  it("puts a name that differs in case and separators only before every other, and never gives more than asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}(_[a-z]{1,8})?$/), { minLength: 1, maxLength: 30 }),
        fc.nat({ max: 5 }),
        (names, limit) => {
          const found = nearest((names[0] as string).toUpperCase(), names, limit + 1);
          expect(similarity(found[0] as string, names[0] as string)).toBe(1);
          expect(found.length).toBeLessThanOrEqual(limit + 1);
        },
      ),
    );
  });

  it("is symmetric and within 0 and 1", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(similarity(left, right)).toBe(similarity(right, left));
        expect(similarity(left, right)).toBeGreaterThanOrEqual(0);
        expect(similarity(left, right)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("editDistance", () => {
  it("counts insertions, deletions, substitutions and swaps", () => {
    expect([
      editDistance("abc", "abc"),
      editDistance("abc", "acb"),
      editDistance("abc", "ab"),
      editDistance("", "abc"),
      editDistance("ca", "abc"),
    ]).toEqual([0, 1, 1, 3, 3]);
  });
});
