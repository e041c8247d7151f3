import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { compareSchemas } from "./compare.ts";

const base = {
  type: "object",
  properties: { a: { type: "string", description: "x" }, n: { type: "integer", minimum: 1 }, e: { enum: ["x", "y"] } },
  required: ["a"],
} as const;

function changed(properties: object, rest: object = {}): JsonSchema {
  return { ...base, properties: { ...base.properties, ...properties }, ...rest } as never;
}

describe(verifies("REG-04", "compareSchemas"), () => {
  it.each<readonly [string, JsonSchema, string, string, RegExp]>([
    ["a new optional argument", changed({ b: {} }), "additive", "/b", /is new/],
    ["a new required argument", changed({ b: {} }, { required: ["a", "b"] }), "breaking", "", /`b` must be given now/],
    ["a required argument made optional", changed({}, { required: [] }), "additive", "", /`a` may be left out now/],
    ["an argument that is gone", { ...base, properties: { a: base.properties.a } } as never, "breaking", "/n", /is gone/],
    ["a wider type", changed({ n: { type: "number", minimum: 1 } }), "additive", "/n", /takes a number as well/],
    ["another type", changed({ a: { type: "integer", description: "x" } }), "breaking", "/a", /no longer takes a string/],
    ["a listed value that is gone", changed({ e: { enum: ["x"] } }), "breaking", "/e", /no longer takes "y"/],
    ["a listed value more", changed({ e: { enum: ["x", "y", "z"] } }), "additive", "/e", /takes "z" as well/],
    ["a tighter bound", changed({ n: { type: "integer", minimum: 2 } }), "breaking", "/n", /`minimum` was 1, now 2/],
    ["a looser bound", changed({ n: { type: "integer", minimum: 0 } }), "additive", "/n", /`minimum` was 1, now 0/],
    ["other words", changed({ a: { type: "string", description: "y" } }), "cosmetic", "/a", /`description` changed/],
    ["something it cannot classify", changed({}, { if: { required: ["n"] } }), "breaking", "", /`if` is new/],
  ])("classifies %s", (_name, next, kind, path, message) => {
    const compared = compareSchemas(base as never, next);
    expect(compared.kind).toBe(kind);
    expect(compared.changes.find((change) => change.kind === kind)).toMatchObject({
      path,
      message: expect.stringMatching(message) as string,
    });
  });

  it("finds no change in equal schemas, whatever the order of their members", () => {
    expect(compareSchemas(base as never, { required: ["a"], properties: base.properties, type: "object" } as never)).toEqual({
      kind: undefined,
      changes: [],
    });
  });
});
