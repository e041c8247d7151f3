import fc from "fast-check";
import { expect, test } from "vitest";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { ArgumentRole } from "../domain/tool.ts";
import { argumentLeaves } from "./roles.ts";

const name = fc.constantFrom("to", "kind", "a/b", "0", "*", "items", "note");
const args = fc.letrec<{ value: Json; list: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.string({ maxLength: 3 }), fc.integer(), fc.constant(null), tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  object: fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
})).object;
const pointer = fc.array(name, { minLength: 1, maxLength: 3 }).map((steps) => steps.map((step) => `/${step.replace("/", "~1")}`).join(""));
const roles = fc.dictionary(pointer, fc.constantFrom<ArgumentRole>("target", "content", "amount"), { maxKeys: 3, noNullPrototype: true });
const inputSchema: JsonObject = {
  type: "object",
  properties: { items: { type: "array", items: { properties: { to: { enum: ["x"] }, note: { format: "email" } } } } },
};

test("the leaves of a call are the same whatever other calls of the tool looked like", () => {
  fc.assert(
    fc.property(roles, fc.array(args, { maxLength: 4 }), args, (argumentRoles, earlier, last) => {
      const tool = { argumentRoles, inputSchema };
      for (const each of earlier) argumentLeaves(tool, each);
      const others = argumentLeaves({ ...tool }, structuredClone(last));
      expect(argumentLeaves(tool, last)).toEqual(others);
    }),
  );
});

test("a role that was declared holds for all items of a list, for a single one, and for what stands below", () => {
  const rolesOf = (argumentRoles: Record<string, ArgumentRole>): Record<string, ArgumentRole | undefined> => {
    const given = { items: [{ note: "a" }, { note: "b" }], to: { deep: { kind: "c", other: "d" } } };
    return Object.fromEntries(argumentLeaves({ argumentRoles, inputSchema }, given).map(({ pointer: at, role }) => [at, role]));
  };
  const rest = { "/to/deep/kind": "control", "/to/deep/other": "content" };
  expect(rolesOf({ "/items/*/note": "target" })).toEqual({ "/items/0/note": "target", "/items/1/note": "target", ...rest });
  expect(rolesOf({ "/items/1/note": "target" })).toEqual({ "/items/0/note": "content", "/items/1/note": "target", ...rest });
  expect(rolesOf({ "/to": "target", "/items/*": "ref" })).toEqual({
    "/items/0/note": "ref",
    "/items/1/note": "ref",
    "/to/deep/kind": "control",
    "/to/deep/other": "target",
  });
});

test("the meaning of `argumentPlacesMax` places is worked out once, and of more at each call", () => {
  let askedCount = 0;
  const schema = {
    get properties(): JsonObject {
      askedCount += 1;
      return {};
    },
  } as unknown as JsonObject;
  const tool = { argumentRoles: {}, inputSchema: schema };
  const names = Array.from({ length: fixedBounds.argumentPlacesMax + 10 }, (_, index) => [`name${index}`, null]);
  argumentLeaves(tool, Object.fromEntries(names) as JsonObject);
  expect(askedCount).toBe(fixedBounds.argumentPlacesMax + 10);
  argumentLeaves(tool, Object.fromEntries(names) as JsonObject);
  expect(askedCount).toBe(fixedBounds.argumentPlacesMax + 20);
});
