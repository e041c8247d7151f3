import { describe, expect, test } from "vitest";
import { fixedBounds } from "../../src/base/fixed-bounds.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { readOnlyStates, turnReadOnly } from "../../src/call/read-only.ts";
import { paramHeaders } from "../../src/connectors/mcp/param-headers.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import { readMessage } from "../../src/gateway/mcp/protocol.ts";
import { toJsonSchema } from "../../src/registry/standard-schema.ts";
import { createLocalBreakers } from "../../src/resilience/breaker.ts";
import { createLoad } from "../../src/resilience/load.ts";
import { createSharedBreakers } from "../../src/resilience/shared-breakers.ts";
import { UndoLog } from "../../src/store/apply.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { manualClock } from "../support/manual-clock.ts";

describe("what outsiders send", () => {
  test("a method of at most `mcpMethodCharsMax` characters, an id of `mcpIdCharsMax`", () => {
    const kindOf = (message: JsonObject): string => readMessage({ jsonrpc: "2.0", id: 1, method: "ping", ...message }).kind;
    expect(kindOf({ method: "m".repeat(fixedBounds.mcpMethodCharsMax) })).toBe("request");
    expect(kindOf({ method: "m".repeat(fixedBounds.mcpMethodCharsMax + 1) })).toBe("invalid");
    expect(kindOf({ id: "i".repeat(fixedBounds.mcpIdCharsMax) })).toBe("request");
    expect(kindOf({ id: "i".repeat(fixedBounds.mcpIdCharsMax + 1) })).toBe("invalid");
  });

  test("headers of a server's tool are found down to `paramHeadersDepthMax`", () => {
    const nested = (depth: number): JsonObject =>
      depth === 0 ? { type: "string", "x-mcp-header": "Region" } : { type: "object", properties: { in: nested(depth - 1) } };
    expect(paramHeaders(nested(fixedBounds.paramHeadersDepthMax))).toHaveLength(1);
    expect(paramHeaders(nested(fixedBounds.paramHeadersDepthMax + 1))).toHaveLength(0);
  });

  test("a definition is at most `definitionDepthMax` deep, and one that goes in a circle is refused", () => {
    const nested = (depth: number): Json => Array.from({ length: depth }).reduce<Json>((inner) => ({ a: inner }), {});
    expect(toJsonSchema(nested(fixedBounds.definitionDepthMax))).toHaveProperty("schema");
    expect(toJsonSchema(nested(fixedBounds.definitionDepthMax + 1))).toHaveProperty("problem");
    const circle: { a?: unknown } = {};
    circle.a = circle;
    expect(toJsonSchema(circle)).toHaveProperty("problem");
  });
});

describe("upstreams and load", () => {
  const settings = { failures: 1, openMs: 100, probes: 1 };

  test("who comes while somebody else probes is told to come back after `comeBackMs`", () => {
    const breakers = createLocalBreakers();
    breakers.note({ key: "a", settings, pass: 0, isFailure: true, nowMonotonicMs: 0 });
    expect(breakers.enter("a", settings, 100)).toMatchObject({ kind: "let-through" });
    expect(breakers.enter("a", settings, 100)).toEqual({ kind: "refused", retryAfterMs: fixedBounds.comeBackMs });
  });

  test("one process probes a shared breaker for at least `probePeriodMsMin`, however short it is open", async () => {
    const clock = manualClock();
    const names: string[] = [];
    const claim = (name: string): Promise<boolean> => Promise.resolve(names.push(name) > 0);
    const breakers = createSharedBreakers({ clock, claim });
    const short = { ...settings, openMs: 10 };
    breakers.note({ key: "a", settings: short, pass: 0, isFailure: true, nowMonotonicMs: 0 });
    for (const atMs of [10, 500, fixedBounds.probePeriodMsMin]) await breakers.enter("a", short, atMs);
    expect(new Set(names).size).toBe(1);
    await breakers.enter("a", short, 10 + fixedBounds.probePeriodMsMin);
    expect(new Set(names).size).toBe(2);
  });

  test("that a breaker opened is told for `breakerNewsMs`", async () => {
    const clock = manualClock();
    const breakers = createSharedBreakers({ clock, claim: () => Promise.resolve(true) });
    const failed = (key: string): void => breakers.note({ key, settings, pass: 0, isFailure: true, nowMonotonicMs: clock.monotonic() });
    failed("a");
    expect(Object.keys(breakers.news() ?? {})).toEqual(["a"]);
    clock.jump(settings.openMs + fixedBounds.breakerNewsMs);
    failed("b");
    expect(Object.keys(breakers.news() ?? {})).toEqual(["a", "b"]);
    clock.jump(1);
    failed("c");
    expect(Object.keys(breakers.news() ?? {})).toEqual(["b", "c"]);
  });

  test("`lateTicksMin` late ticks in a row turn calls away, no further apart than each was late and `lateTickGapMs`", () => {
    const lagMs = defaultLimits.loopDelayMs + 1;
    const isLate = (gapMs: number, ticks: number): boolean => {
      const load = createLoad(defaultLimits);
      for (let tick = 0; tick < ticks; tick += 1) load.noteLag(lagMs, tick * gapMs);
      return load.sheds("a", (ticks - 1) * gapMs);
    };
    const close = lagMs + fixedBounds.lateTickGapMs;
    expect(isLate(close, fixedBounds.lateTicksMin)).toBe(true);
    expect(isLate(close, fixedBounds.lateTicksMin - 1)).toBe(false);
    expect(isLate(close + 1, fixedBounds.lateTicksMin * 3)).toBe(false);
  });
});

describe("rows that others change", () => {
  const clock = manualClock();
  const change = { scope: { kind: "tenant", tenant: "acme" }, isOn: true, reason: "test", by: "ada" } as const;

  /** A store in which somebody else is always first, for so many times. */
  function contended(lostCount: number): { readonly store: Store; readonly commits: () => number } {
    const inner = createMemoryStore({ clock, random: systemRandom });
    let commits = 0;
    const store: Store = {
      ...inner,
      commit: (unit) => {
        commits += 1;
        return commits <= lostCount
          ? Promise.resolve({ kind: "refused" as const, reason: "row" as const, index: 0, row: undefined })
          : inner.commit(unit);
      },
    };
    return { store, commits: () => commits };
  }

  test("are changed at the `racesMax`th attempt, and given up after it", async () => {
    const won = contended(fixedBounds.racesMax - 1);
    await turnReadOnly({ store: won.store, clock }, change);
    expect(won.commits()).toBe(fixedBounds.racesMax);
    const lost = contended(fixedBounds.racesMax);
    await expect(turnReadOnly({ store: lost.store, clock }, change)).rejects.toMatchObject({ code: "INTERNAL" });
    expect(lost.commits()).toBe(fixedBounds.racesMax);
  });

  test("at most `readOnlyStatesMax` switches of a tenant are looked at", async () => {
    const limits: number[] = [];
    const store = { read: async () => [undefined], scan: async ({ limit }: { readonly limit: number }) => (limits.push(limit), []) };
    expect(await readOnlyStates(store as unknown as Store, "acme")).toEqual([]);
    expect(limits).toEqual([fixedBounds.readOnlyStatesMax]);
  });
});

test("a unit that changed more than `undoPlacesMax` places is undone whole, and the next one as well", () => {
  for (const count of [fixedBounds.undoPlacesMax, fixedBounds.undoPlacesMax + 1]) {
    const log = new UndoLog();
    const map = new Map([["p0", "before"]]);
    for (let index = 0; index < count; index += 1) log.set(map, `p${index}`, "after");
    log.keep();
    log.set(map, "p0", "later");
    log.set(map, "new", "x");
    log.undo();
    expect(map.get("p0")).toBe("after");
    expect(map.has("new")).toBe(false);
    for (let index = 0; index < count; index += 1) log.set(map, `p${index}`, undefined);
    log.undo();
    expect(map.size).toBe(count);
  }
});
