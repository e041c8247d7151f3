import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { verifies } from "../../test/verifies.ts";
import { forms } from "./codec.ts";
import { createNameMap, isLegalName, type NamedTool } from "./names.ts";

const tool = (name: string, version = "1.0.0"): NamedTool => ({ name, version });
const hostileName = fc.oneof(
  fc.stringMatching(/^[ab]{1,3}([._-][ab]{1,2}){0,2}$/),
  fc.constantFrom("__proto__", "toString", "constructor", "hasOwnProperty", "", "1st", "pаy", "a\u202eb"),
  fc.string({ unit: anyCodePoint, maxLength: 8 }),
  fc.string({ unit: fc.constantFrom("a", "."), minLength: 60, maxLength: 140 }),
);

describe("createNameMap", () => {
  it(verifies("REG-10", "is bijective over any set of tools in every form, with legal names only"), () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostileName, { maxLength: 30 }), fc.constantFrom(...forms), (names, form) => {
        const map = createNameMap(
          names.map((name) => tool(name)),
          form,
        );
        const aliases = names.map((name) => map.toProvider(name));
        expect(new Set(aliases).size).toBe(names.length);
        for (const [index, alias] of aliases.entries()) {
          expect(isLegalName(alias, form)).toBe(true);
          expect(map.fromProvider(alias)).toBe(names[index]);
        }
      }),
    );
  });

  it("never depends on the order of the tools", () => {
    fc.assert(
      fc.property(fc.uniqueArray(hostileName, { maxLength: 20 }), fc.constantFrom(...forms), (names, form) => {
        const forwards = createNameMap(
          names.map((name) => tool(name)),
          form,
        );
        const backwards = createNameMap(
          names.toReversed().map((name) => tool(name)),
          form,
        );
        for (const name of names) expect(backwards.toProvider(name)).toBe(forwards.toProvider(name));
      }),
    );
  });

  it("keeps legal names, turns dots into underscores, and changes nothing when an unrelated tool is added", () => {
    const map = createNameMap([tool("order.refund"), tool("pay-out")], "openai-chat");
    expect(map.toProvider("order.refund")).toBe("order_refund");
    expect(map.toProvider("pay-out")).toBe("pay-out");
    expect(createNameMap([tool("order.refund"), tool("crm.get")], "openai-chat").toProvider("order.refund")).toBe("order_refund");
    expect(createNameMap([tool("order.refund")], "gemini").toProvider("order.refund")).toBe("order.refund");
    expect(createNameMap([tool("1st")], "gemini").toProvider("1st")).toBe("_1st");
  });

  it("marks every member of a collision, so that neither can stand for the other", () => {
    const map = createNameMap([tool("a.b"), tool("a_b")], "anthropic");
    expect(map.toProvider("a.b")).toMatch(/^a_b_[0-9a-f]{8}$/);
    expect(map.toProvider("a_b")).toMatch(/^a_b_[0-9a-f]{8}$/);
    expect(map.fromProvider("a_b")).toBeUndefined();
  });

  it("gives way again where a tool is named like another's alias", () => {
    const alias = createNameMap([tool("a.b"), tool("a_b")], "openai-chat").toProvider("a.b");
    const map = createNameMap([tool("a.b"), tool("a_b"), tool(alias)], "openai-chat");
    const aliases = ["a.b", "a_b", alias].map((name) => map.toProvider(name));
    expect(new Set(aliases).size).toBe(3);
    for (const name of ["a.b", "a_b", alias]) expect(map.fromProvider(map.toProvider(name))).toBe(name);
  });

  it("shortens long names by a hash of the whole", () => {
    const long = `crm.${"x".repeat(100)}`;
    const map = createNameMap([tool(`${long}.one`), tool(`${long}.two`)], "openai-chat");
    const [one, two] = [map.toProvider(`${long}.one`), map.toProvider(`${long}.two`)];
    expect(one).toHaveLength(64);
    expect(one).not.toBe(two);
    expect(createNameMap([tool(`${long}.one`)], "openai-chat").toProvider(`${long}.one`)).toBe(one);
  });

  it("tells versions of one tool apart only where several are shown", () => {
    const map = createNameMap([tool("order.get", "1.0.0"), tool("order.get", "2.0.0"), tool("x", "3.0.0")], "openai-chat");
    expect(map.ofTool(tool("order.get", "2.0.0"))).toBe("order_get_2_0_0");
    expect(map.fromProvider("order_get_2_0_0")).toBe("order.get@2.0.0");
    expect(map.fromProvider("x")).toBe("x");
  });

  it("knows nothing that it was not given", () => {
    const map = createNameMap([tool("x")], "openai-chat");
    for (const name of ["__proto__", "toString", "constructor", "y"]) expect(map.fromProvider(name)).toBeUndefined();
  });
});
