import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { dropProjectedNulls, strictSchema } from "./strict-schema.ts";

const refund: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    orderId: { type: "string", minLength: 3, description: "Of the shop." },
    amount: { type: "number", minimum: 0 },
    reason: { enum: ["damaged", "late"] },
    note: { type: ["string", "null"] },
    address: { $ref: "#/$defs/address" },
    lines: {
      type: "array",
      items: { type: "object", properties: { sku: { type: "string" }, count: { type: "integer" } }, required: ["sku"] },
    },
  },
  required: ["orderId"],
  $defs: { address: { type: "object", properties: { zip: { type: "string" } } } },
};

describe("strictSchema", () => {
  it(verifies("CALL-01", "CALL-05", "requires everything, closes every object and lets what was optional be null"), () => {
    expect(strictSchema(refund)).toEqual({
      isStrict: true,
      notes: ["moved into the description at `/orderId`: minLength: 3"],
      schema: {
        type: "object",
        properties: {
          orderId: { type: "string", description: "Of the shop. (minLength: 3)" },
          amount: { type: ["number", "null"], minimum: 0 },
          reason: { anyOf: [{ enum: ["damaged", "late"] }, { type: "null" }] },
          note: { type: ["string", "null"] },
          address: { anyOf: [{ $ref: "#/$defs/address" }, { type: "null" }] },
          lines: {
            type: ["array", "null"],
            items: {
              type: "object",
              properties: { sku: { type: "string" }, count: { type: ["integer", "null"] } },
              required: ["sku", "count"],
              additionalProperties: false,
            },
          },
        },
        required: ["orderId", "amount", "reason", "note", "address", "lines"],
        additionalProperties: false,
        $defs: {
          address: { type: "object", properties: { zip: { type: ["string", "null"] } }, required: ["zip"], additionalProperties: false },
        },
      },
    });
  });

  it.each([
    [{ type: "string" }, "the root is not of type `object`"],
    [{ type: "object", properties: { a: {} } }, "a schema without a type"],
    [{ type: "object", properties: { a: true } }, "a schema that allows anything"],
    [{ type: "object", properties: { a: { type: "object" } } }, "an object without declared properties"],
    [
      { type: "object", properties: { a: { type: "object", properties: {}, additionalProperties: { type: "string" } } } },
      "keys that are not declared",
    ],
    [{ type: "object", properties: { a: { type: "array" } } }, "an array without `items`"],
    [{ type: "object", properties: { a: { allOf: [{ type: "string" }] } } }, "the keyword `allOf`"],
    [{ type: "object", properties: { a: { $ref: "https://example.org/x.json" } } }, "does not point into `$defs`"],
    [{ type: "object", properties: {}, anyOf: [{ required: ["a"] }] }, "not strict"],
  ] as [JsonObject, string][])("leaves %j as it is and says why", (schema, why) => {
    const projection = strictSchema(schema);
    expect(projection.isStrict).toBe(false);
    expect(projection.schema).toBe(schema);
    expect(projection.notes.join("; ")).toContain(why);
  });

  it("ends on schemas that refer to themselves or are nested without end", () => {
    const list: JsonObject = {
      type: "object",
      properties: { next: { $ref: "#/$defs/node" } },
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    };
    expect(strictSchema(list).isStrict).toBe(true);
    expect(dropProjectedNulls(list, { next: { next: { next: null } } })).toEqual({ next: { next: {} } });
    let deep: JsonObject = { type: "string" };
    for (let level = 0; level < 5_000; level += 1) deep = { type: "object", properties: { a: deep } };
    expect(strictSchema(deep).isStrict).toBe(false);
  });
});

describe("dropProjectedNulls", () => {
  it("leaves out a null only where the tool's own schema has the property optional and not nullable", () => {
    const sent = {
      orderId: null,
      amount: null,
      reason: null,
      note: null,
      address: { zip: null },
      lines: [{ sku: null, count: null }],
      other: null,
    };
    expect(dropProjectedNulls(refund, sent)).toEqual({ orderId: null, note: null, address: {}, lines: [{ sku: null }], other: null });
  });

  it("asks all alternatives that declare the property", () => {
    const branch = (b: JsonObject): JsonObject => ({ type: "object", properties: { b } });
    const schema = (...branches: JsonObject[]): JsonObject => ({ type: "object", properties: { a: { anyOf: branches } } });
    expect(dropProjectedNulls(schema(branch({ type: "string" }), branch({ type: "number" })), { a: { b: null } })).toEqual({ a: {} });
    expect(dropProjectedNulls(schema(branch({ type: "string" }), branch({ type: "null" })), { a: { b: null } })).toEqual({
      a: { b: null },
    });
  });

  it("undoes the projection: what was filled up with nulls comes back as it was", () => {
    const value = fc.record(
      {
        orderId: fc.string(),
        amount: fc.integer(),
        reason: fc.constantFrom("damaged", "late"),
        note: fc.option(fc.string()),
        address: fc.record({ zip: fc.string() }, { requiredKeys: [] }),
        lines: fc.array(fc.record({ sku: fc.string(), count: fc.integer() }, { requiredKeys: ["sku"] })),
      },
      { requiredKeys: ["orderId", "note"] },
    );
    fc.assert(
      fc.property(value, (args) => {
        const original = structuredClone(args) as JsonObject;
        const filled = fill(strictSchema(refund).schema, original);
        expect(dropProjectedNulls(refund, filled as JsonObject)).toEqual(original);
      }),
    );
  });
});

// What a model in strict mode sends: every declared property, null where it has nothing to say.
function fill(schema: Json | undefined, value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  let known = schema as JsonObject | undefined;
  if (Array.isArray(known?.["anyOf"])) known = strictSchema(refund).schema["$defs"] as JsonObject;
  if (known?.["address"] !== undefined) known = known["address"] as JsonObject;
  if (Array.isArray(value)) return value.map((item: Json) => fill(known?.["items"], item));
  const properties = (known?.["properties"] ?? {}) as JsonObject;
  const members = value as JsonObject;
  return Object.fromEntries(Object.keys(properties).map((key) => [key, fill(properties[key], members[key] ?? null)]));
}
