import { describe, expect, it } from "vitest";
import { defaultLimits } from "../base/limits.ts";
import { compilePostcondition } from "./postcondition.ts";

describe("postcondition", () => {
  it.each([
    ["result.status == 'ok'", { status: "ok" }, true],
    ["result.status == 'ok'", { status: "error" }, false],
    ["result.status == 'ok'", {}, false],
    ["result.id == args.id", { id: "a" }, true],
    ["result.items.all(item, item.id == args.id)", { items: [{ id: "a" }] }, true],
    ["result.items.all(item, item.id == args.id)", { items: [{ id: "b" }] }, false],
    ["result != null", null, false],
    ["result.status", { status: "ok" }, false],
  ])("%s of %j: %s", (source, result, expected) => {
    expect(compilePostcondition(source, defaultLimits)({ id: "a" }, result)).toBe(expected);
  });

  it("refuses what it cannot read when the tool is defined, and never knows a principal", () => {
    expect(() => compilePostcondition("result.", defaultLimits)).toThrow(/not CEL/);
    expect(() => compilePostcondition("principal.user == 'ada'", defaultLimits)).toThrow(/unknown name/);
  });
});
