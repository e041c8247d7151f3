import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { completeTool, type ToolParts } from "./complete.ts";
import { createRegistry } from "./registry.ts";
import { compareVersions, parseVersion, rangeHolds, type Version } from "./semver.ts";

function make(name: string, parts: Partial<ToolParts> = {}): RegisteredTool {
  const tool = completeTool({ name, tier: "read", description: "Reads something.", inputSchema: { type: "object" }, ...parts });
  return { tool, connector: { kind: "none", execute: () => Promise.resolve({ kind: "value" as const, value: null }) } };
}

const all = () => true;

function filled(...tools: readonly RegisteredTool[]) {
  const registry = createRegistry({ limits: defaultLimits });
  for (const registered of tools) expect(registry.add(registered)).toEqual({ kind: "added" });
  return registry;
}

function versionOf(registry: ReturnType<typeof createRegistry>, name: string): string | undefined {
  const found = registry.resolve(name, all);
  return found.kind === "found" ? found.registered.tool.version : undefined;
}

describe("resolve", () => {
  const registry = filled(...["1.0.0", "1.2.0", "1.10.1", "2.0.0", "3.0.0-rc.1"].map((version) => make("order.get", { version })));

  it(verifies("REG-03", "takes the newest stable version, or the range asked for"), () => {
    expect(
      ["order.get", "order.get@1", "order.get@1.2", "order.get@1.2.0", "order.get@^1.2", "order.get@~1.2.0", "order.get@3.0.0-rc.1"].map(
        (name) => versionOf(registry, name),
      ),
    ).toEqual(["2.0.0", "1.10.1", "1.2.0", "1.2.0", "1.10.1", "1.2.0", "3.0.0-rc.1"]);
    expect(versionOf(filled(make("a", { version: "1.0.0-beta" })), "a")).toBe("1.0.0-beta");
  });

  it("tells the versions there are when only the version is wrong", () => {
    expect(registry.resolve("order.get@9", all)).toMatchObject({
      kind: "not-found",
      nearest: ["order.get@3.0.0-rc.1", "order.get@2.0.0", "order.get@1.10.1"],
    });
  });

  it("never finds and never suggests what is not visible", () => {
    const both = filled(make("order.get"), make("order.gets", { tier: "privileged" }));
    const isVisible = (tool: { tier: string }) => tool.tier === "read";
    expect(both.resolve("order.gets", isVisible)).toEqual({ kind: "not-found", nearest: ["order.get"], versions: [] });
    expect(both.list(isVisible).map(({ tool }) => tool.name)).toEqual(["order.get"]);
    expect(registry.resolve("order.get", (tool) => tool.version === "1.0.0")).toMatchObject({
      kind: "found",
      registered: { tool: { version: "1.0.0" } },
    });
  });

  it("finds nothing under the names of prototypes", () => {
    for (const name of ["__proto__", "constructor", "toString", "", "@", "@1"]) expect(registry.resolve(name, all).kind).toBe("not-found");
  });
});

describe("add", () => {
  it("takes the same definition once and refuses another under the same version", () => {
    const registry = filled(make("a.b"));
    expect(registry.add(make("a.b"))).toEqual({ kind: "unchanged" });
    expect(registry.add(make("a.b", { description: "Something else entirely." }))).toMatchObject({
      kind: "refused",
      problems: [expect.stringContaining("give the change a new version")],
    });
  });

  it("refuses a fingerprint that is not that of the definition", () => {
    const registered = make("a.b");
    const forged = { ...registered, tool: { ...registered.tool, tier: "reversible" as const } };
    expect(createRegistry({ limits: defaultLimits }).add(forged)).toMatchObject({
      kind: "refused",
      problems: [expect.stringContaining("fingerprint")],
    });
  });

  it(verifies("REG-08", "refuses a tool from outside that looks like one of another source"), () => {
    const registry = filled(make("send_email", { source: "mail" }));
    for (const name of ["send_email", "send-email", "Send.Email"]) {
      const version = "9.0.0";
      expect(registry.add(make(name, { source: "evil", isForeign: true, version }))).toMatchObject({
        kind: "refused",
        problems: [expect.stringContaining("looks like `send_email`")],
      });
    }
    expect(registry.add(make("send-email", { source: "mail" })).kind).toBe("added");
  });

  it.each([
    ["a Cyrillic letter", { name: "\u0430dmin.read" }],
    ["a zero-width space", { name: "admin\u200b.read" }],
    ["a space from outside", { name: "admin read", isForeign: true }],
    ["too many characters", { name: "a".repeat(129) }],
    ["a right-to-left override in the description", { description: "Reads \u202egnihtemos." }],
    ["tag characters in the description", { description: "Reads.\u{E0041}\u{E0042}" }],
    ["a zero-width joiner between letters", { description: "pass\u200dword reader" }],
    ["a hidden character in the schema", { inputSchema: { type: "object", properties: { a: { description: "x\u2060y" } } } }],
    ["an escape sequence", { description: "Reads \u001b[31m red." }],
  ] as const)("refuses %s", (_name, parts) => {
    const { name = "admin.read", ...rest } = parts as { name?: string };
    expect(createRegistry({ limits: defaultLimits }).add(make(name, rest)).kind).toBe("refused");
  });

  it("takes ordinary writing in any script, and what names outside look like", () => {
    const registry = createRegistry({ limits: defaultLimits });
    expect(registry.add(make("a", { description: "Liest Größen. 读取数据 👩‍👩‍👧 قراءة\nnext line" })).kind).toBe("added");
    expect(registry.add(make("GET /orders/{id}".replace(" ", ":"), { isForeign: true })).kind).toBe("added");
  });

  it("stops at the number of tools, and counts removals", () => {
    const registry = createRegistry({ limits: { ...defaultLimits, toolsMax: 2 } });
    expect([registry.add(make("a")).kind, registry.add(make("b")).kind, registry.add(make("c")).kind]).toEqual([
      "added",
      "added",
      "refused",
    ]);
    expect(registry.remove("a").map(({ tool }) => tool.name)).toEqual(["a"]);
    expect(registry.add(make("c")).kind).toBe("added");
    expect(registry.resolve("a", all).kind).toBe("not-found");
  });
});

describe("versions", () => {
  it("are ordered as semver says", () => {
    const order = [
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.1",
      "1.1.0",
      "2.0.0",
    ];
    const parsed = order.map((text) => parseVersion(text) as Version);
    expect([...parsed].reverse().sort(compareVersions)).toEqual(parsed);
    for (const text of ["1", "1.0", "01.0.0", "1.0.0-", "v1.0.0", "1.0.0 "]) expect(parseVersion(text)).toBeUndefined();
  });

  it("are held by every range that begins like them, and by no range above them", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(50), (major, minor, patch) => {
        const version = `${major}.${minor}.${patch}`;
        for (const range of [`${major}`, `${major}.${minor}`, version, `^${version}`, `~${version}`])
          expect(rangeHolds(range, version)).toBe(true);
        for (const range of [`${major + 1}`, `${major}.${minor + 1}`, `^${major}.${minor}.${patch + 1}`, `~${major}.${minor}.${patch + 1}`])
          expect(rangeHolds(range, version)).toBe(false);
      }),
    );
    expect([
      rangeHolds("^0.2.3", "0.2.9"),
      rangeHolds("^0.2.3", "0.3.0"),
      rangeHolds("~1.2.3", "1.3.0"),
      rangeHolds("^1.2.3", "2.0.0"),
      rangeHolds("latest", "1.0.0"),
    ]).toEqual([true, false, false, false, undefined]);
  });
});
