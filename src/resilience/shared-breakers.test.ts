import { describe, expect, test } from "vitest";
import { manualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { breakerContract } from "./breaker.contract.ts";
import { createSharedBreakers, type SharedBreakers } from "./shared-breakers.ts";

const settings = { failures: 3, openMs: 1_000, probes: 2 };

/** Processes that claim from one list, and are told what each of them has to tell. */
function processes(count: number): {
  readonly clock: ReturnType<typeof manualClock>;
  readonly all: readonly SharedBreakers[];
  tell(): void;
} {
  const clock = manualClock();
  const taken = new Set<string>();
  const claim = (name: string): Promise<boolean> => {
    const isFree = !taken.has(name);
    taken.add(name);
    return Promise.resolve(isFree);
  };
  const all = Array.from({ length: count }, () => createSharedBreakers({ clock, claim }));
  return {
    clock,
    all,
    tell() {
      for (const [from, breakers] of all.entries()) {
        const news = breakers.news();
        if (news !== undefined) for (const [to, other] of all.entries()) if (to !== from) other.hear(news);
      }
    },
  };
}

function fail(breakers: SharedBreakers | undefined, nowMonotonicMs: number, pass = 0): void {
  breakers?.note({ key: "a", settings, pass, isFailure: true, nowMonotonicMs });
}

describe("breakers of one process among several", () => {
  breakerContract(() => processes(1).all[0] as SharedBreakers);
});

test(verifies("EXEC-03", "what one process found failing is left alone by all, until one of them has probed it"), async () => {
  const { clock, all, tell } = processes(3);
  for (let count = 0; count < 3; count += 1) fail(all[0], 0);
  tell();
  for (const breakers of all) expect(breakers.enter("a", settings, clock.monotonic())).toEqual({ kind: "refused", retryAfterMs: 1_000 });
  await clock.advance(1_000);
  const entries = await Promise.all(all.map(async (breakers) => await breakers.enter("a", settings, clock.monotonic())));
  expect(entries.map(({ kind }) => kind)).toEqual(["let-through", "refused", "refused"]);
  const [first] = entries;
  const second = await all[0]?.enter("a", settings, clock.monotonic());
  for (const entry of [first, second]) {
    const pass = entry?.kind === "let-through" ? entry.pass : 0;
    all[0]?.note({ key: "a", settings, pass, isFailure: false, nowMonotonicMs: clock.monotonic() });
  }
  tell();
  for (const breakers of all) expect(breakers.enter("a", settings, clock.monotonic())).toEqual({ kind: "let-through", pass: 0 });
});

test("another process probes where the one that had claimed the period died", async () => {
  const { clock, all, tell } = processes(2);
  for (let count = 0; count < 3; count += 1) fail(all[0], 0);
  tell();
  await clock.advance(1_000);
  expect((await all[0]?.enter("a", settings, clock.monotonic()))?.kind).toBe("let-through");
  expect((await all[1]?.enter("a", settings, clock.monotonic()))?.kind).toBe("refused");
  await clock.advance(1_000);
  expect((await all[1]?.enter("a", settings, clock.monotonic()))?.kind).toBe("let-through");
});

test("a bad probe keeps it open for all, older news changes nothing, and nobody probes while nothing can be claimed", async () => {
  const { clock, all, tell } = processes(2);
  for (let count = 0; count < 3; count += 1) fail(all[0], 0);
  const old = all[0]?.news() ?? {};
  all[1]?.hear(old);
  await clock.advance(1_000);
  const entry = await all[1]?.enter("a", settings, clock.monotonic());
  fail(all[1], clock.monotonic(), entry?.kind === "let-through" ? entry.pass : 0);
  tell();
  all[0]?.hear(old);
  expect(all[0]?.view("a", clock.monotonic())).toMatchObject({ state: "open", retryAfterMs: 1_000 });
  expect(all[0]?.news()).toBeUndefined();

  const alone = createSharedBreakers({ clock, claim: () => Promise.reject(new Error("away")) });
  for (let count = 0; count < 3; count += 1) fail(alone, clock.monotonic());
  await clock.advance(1_000);
  expect(await alone.enter("a", settings, clock.monotonic())).toEqual({ kind: "refused", retryAfterMs: 1_000 });
});
