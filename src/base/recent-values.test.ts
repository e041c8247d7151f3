import { describe, expect, test } from "vitest";
import { RecentValues } from "./recent-values.ts";

describe("recent values", () => {
  test("keeps what is asked for again and again, however much else passes by", () => {
    const recent = new RecentValues<number>(10);
    recent.set("asked", 7);
    for (let index = 0; index < 1_000; index += 1) {
      recent.set(`other-${index}`, index);
      expect(recent.get("asked")).toBe(7);
    }
  });

  test("forgets what nobody asks for, and keeps the latest half at least", () => {
    const recent = new RecentValues<number>(10);
    recent.set("once", 7);
    for (let index = 0; index < 10; index += 1) recent.set(`other-${index}`, index);
    expect(recent.get("once")).toBeUndefined();
    for (let index = 5; index < 10; index += 1) expect(recent.get(`other-${index}`)).toBe(index);
  });

  test("keeps no more than it may", () => {
    const recent = new RecentValues<number>(10);
    for (let index = 0; index < 99; index += 1) recent.set(`${index}`, index);
    const kept = Array.from({ length: 99 }, (_, index) => recent.get(`${index}`)).filter((value) => value !== undefined);
    expect(kept.length).toBeGreaterThanOrEqual(5);
    expect(kept.length).toBeLessThanOrEqual(10);
  });

  test("forgets a value at once where it is told to", () => {
    const recent = new RecentValues<number>(10);
    recent.set("gone", 1);
    recent.delete("gone");
    expect(recent.get("gone")).toBeUndefined();
  });
});
