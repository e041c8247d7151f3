import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { codeOf, shopBox } from "../../test/support/box.ts";
import { manualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import { memoryKeyring } from "../ledger/keyring.ts";
import { tool } from "../registry/define.ts";
import { createMemoryStore } from "../store/memory.ts";
import type { SignalboxOptions } from "./box/options.ts";
import type { BoxSession, DelegationOptions } from "./box/box-session.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-delegation-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const waived = { id: "waived", on: "order.*", effect: "allow", waives: "tier" };
const policy = { roles: { support: ["order.*"], extra: ["note.*"] }, rules: [waived] };
const limits = { rateBurstCalls: 10_000, sessionDenialsMax: 1_000 };
const hourMs = 3_600_000;
const everything: DelegationOptions = { tools: ["*"], expiresInMs: hourMs };
const refund = (amount: number) => ({ tool: "order.refund", arguments: { orderId: "A-1", amount } });
const get = { tool: "order.get", arguments: { orderId: "A-1" } };

const open = (options: SignalboxOptions = {}) => shopBox({ policy, limits, ...options });
const call = async (session: BoxSession, request: { readonly tool: string; readonly arguments: object }) => {
  const answer = await session.turn().call(request as never);
  return codeOf(answer) ?? answer.outcome.kind;
};

describe("a session that another agent works in", () => {
  it(verifies("AUTH-01", "may call what it was handed of what the session above may call, and nothing else"), async () => {
    const { box, session } = await open();
    const { session: below } = await session.delegate({ tools: ["order.get", "note.*"], expiresInMs: hourMs });
    expect(below.visibleTools().map(({ name }) => name)).toEqual(["order.get"]);
    expect(session.visibleTools().map(({ name }) => name)).toEqual(["order.get", "order.refund"]);
    expect(await call(below, get)).toBe("completed");
    expect(await call(below, refund(1))).toBe("TOOL_NOT_FOUND");
    // What is handed on cannot grow again.
    const { session: lowest } = await below.delegate(everything);
    expect(lowest.visibleTools().map(({ name }) => name)).toEqual(["order.get"]);
    await expect(below.delegate({ ...everything, roles: ["extra"] })).rejects.toThrow("a session can delegate only roles that it has");
    await box.close();
  });

  it(verifies("AUTH-01", "never has a tool, a call or a moment that a session above it has not (property)"), async () => {
    const globs = fc.subarray(["order.get", "order.refund", "order.*", "note.*", "*"], { minLength: 1 });
    const step = fc.record({
      tools: globs,
      calls: fc.nat(4),
      expiresInMs: fc.integer({ min: 1, max: hourMs }),
      from: fc.nat(4),
      made: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const { box, session, shop } = await open({ policy: { ...policy, budgets: { session: { calls: 6 } } } });
        const all = [{ session, calls: 6, used: 0, parents: [] as number[] }];
        for (const { tools, calls, expiresInMs, from, made } of steps) {
          const at = from % all.length;
          const above = all[at] as (typeof all)[number];
          const { session: below } = await above.session.delegate({ tools, expiresInMs, budget: { calls } });
          const names = new Set(above.session.visibleTools().map(({ name }) => name));
          for (const { name } of below.visibleTools()) expect(names.has(name)).toBe(true);
          const endsAtMs = above.session.session.expiresAtMs ?? Infinity;
          expect(below.session.expiresAtMs).toBeLessThanOrEqual(endsAtMs);
          const parents = [at, ...above.parents];
          all.push({ session: below, calls, used: 0, parents });
          for (let count = 0; count < made; count += 1)
            if ((await call(below, get)) === "completed")
              for (const index of [all.length - 1, ...parents]) (all[index] as (typeof all)[number]).used += 1;
        }
        for (const { used, calls } of all) expect(used).toBeLessThanOrEqual(calls);
        expect(shop.refunds).toEqual([]);
        await box.close();
      }),
      { numRuns: 40 },
    );
  });

  it(verifies("AUTH-01", "counts in the budgets of all above it, exactly, also when they race"), async () => {
    const { box, session } = await open({ policy: { ...policy, budgets: { session: { calls: 7 } } } });
    const made = await Promise.all([1, 2, 3].map(() => session.delegate({ ...everything, budget: { calls: 3 } })));
    const answers = await Promise.all(
      made.flatMap(({ session: below }, agent) =>
        Array.from({ length: 5 }, (_, index) => call(below, refund(1 + agent / 10 + index / 100))),
      ),
    );
    expect(answers.filter((answer) => answer === "completed")).toHaveLength(7);
    expect(answers.filter((answer) => answer === "BUDGET_EXCEEDED")).toHaveLength(8);
    expect(await call(session, get)).toBe("BUDGET_EXCEEDED");
    await box.close();
  });

  it("has cost held by a call that certainly did nothing given back to all above", async () => {
    const paid = tool({
      name: "order.paid",
      tier: "read",
      description: "Cost money.",
      input: z.object({ isBad: z.boolean() }),
      costMicrosUsd: 600_000,
      retry: { attempts: 1 },
      run: ({ isBad }) => {
        if (isBad) throw new Error("nothing");
        return "done";
      },
    });
    const { box, session } = await open({ tools: [paid], policy: { ...policy, budgets: { session: { usd: 1 } } } });
    const { session: below } = await session.delegate({ ...everything, budget: { usd: 0.7 } });
    expect(await call(below, { tool: "order.paid", arguments: { isBad: true } })).toBe("TOOL_FAILED");
    expect(await call(below, { tool: "order.paid", arguments: { isBad: false } })).toBe("completed");
    expect(await call(session, { tool: "order.paid", arguments: { isBad: false } })).toBe("BUDGET_EXCEEDED");
    await box.close();
  });

  it(verifies("AUTH-01", "ends with any session above it, with its time, and with the user's roles"), async () => {
    const ways: readonly ((made: Awaited<ReturnType<typeof open>>) => Promise<unknown>)[] = [
      ({ box, session }) => box.stopSession(session.id, "acme", "the user left"),
      ({ box }) => box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "test" }),
      ({ clock }) => Promise.resolve(clock.jump(hourMs)),
    ];
    for (const [index, end] of ways.entries()) {
      const made = await open();
      const { session: below } = await made.session.delegate(everything);
      const { session: lowest, token } = await below.delegate(everything);
      const kept = { ...refund(1), key: "kept" };
      expect(await call(lowest, kept)).toBe("completed");
      expect((await made.box.delegated(token))?.sessionId).toBe(lowest.id);
      await end(made);
      const code = index === 1 ? "PERMISSION_DENIED" : "SESSION_STOPPED";
      expect([await call(lowest, kept), await call(lowest, get), await call(below, refund(2))]).toEqual([code, code, code]);
      expect(made.shop.refunds).toHaveLength(1);
      if (index !== 1) {
        expect(await made.box.delegated(token)).toBeUndefined();
        await expect(lowest.delegate(everything)).rejects.toThrow("this session was stopped");
      }
      await made.box.close();
    }
  });

  it(
    verifies("AUTH-01", "does nothing more once what stopped the one above is on disk, in any process and at any moment of its calls"),
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(30), fc.boolean(), async (turns, isRevoked) => {
          const clock = manualClock();
          const store = { ...createMemoryStore({ clock }), survivesRestart: true, close: async () => undefined };
          const options = { clock, store, keys: memoryKeyring(systemRandom) };
          const here = await open(options);
          const there = await open({ ...options, shop: here.shop } as never);
          const { session: below } = await here.session.delegate(everything);
          const running = [1, 2, 3].map((amount) => call(below, refund(amount)));
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
          // Another process takes it away, so this one learns of it at its gates alone.
          if (isRevoked) await there.box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "test" });
          else await there.box.stopSession(here.session.id, "acme", "over");
          const before = (await here.box.trail({ tenant: "acme", sessionId: below.id, limit: 100 })).filter(
            ({ entry }) => entry.kind === "call-intended",
          );
          const ended = await Promise.all(running);
          ended.push(await call(below, refund(4)));
          expect(ended.at(-1)).toBe(isRevoked ? "PERMISSION_DENIED" : "SESSION_STOPPED");
          expect(ended.filter((answer) => answer === "completed")).toHaveLength(before.filter(({ body }) => isRefund(body)).length);
          await here.box.close();
          await there.box.close();
        }),
        { numRuns: 40 },
      );
    },
  );

  it(verifies("AUTH-01", "is bound by what restricts the one above, and granted nothing of what that was granted"), async () => {
    const { box, session } = await open({ limits: { ...limits, sessionDenialsMax: 3 } });
    const { session: below } = await session.delegate(everything);
    expect(below.session).toMatchObject({ wordsAttested: false, parentSessionId: session.id, credentialId: session.session.credentialId });
    expect(() => below.turn({ said: "please refund everything" })).toThrow("no user speaks in a delegated session");
    await box.readOnly.turn({ scope: { kind: "session", tenant: "acme", sessionId: session.id }, isOn: true, reason: "test", by: "test" });
    expect(await call(below, refund(1))).toBe("READ_ONLY");
    await box.readOnly.turn({ scope: { kind: "session", tenant: "acme", sessionId: session.id }, isOn: false, reason: "test", by: "test" });
    await box.close();

    // Refusals add up over all of a conversation's agents, and end all of it.
    const deny = { id: "no", on: "order.refund", effect: "deny" };
    const strict = await open({ policy: { ...policy, rules: [deny] }, limits: { ...limits, sessionDenialsMax: 3 } });
    for (const amount of [1, 2, 3]) {
      const { session: fresh } = await strict.session.delegate(everything);
      expect(await call(fresh, refund(amount))).toBe("PERMISSION_DENIED");
    }
    expect(await call(strict.session, get)).toBe("SESSION_STOPPED");
    await strict.box.close();
  });

  it(verifies("AUTH-01", "does not do again what another agent of the conversation did, is doing, or waits with"), async () => {
    const { box, session, shop } = await open();
    const [first, second] = await Promise.all([session.delegate(everything), session.delegate(everything)]);
    const both = await Promise.all([first, second].map(async ({ session: below }) => await below.turn().call(refund(1))));
    expect(both[0]?.callId).toBe(both[1]?.callId);
    expect(shop.refunds).toHaveLength(1);
    expect(await call(session, refund(1))).toBe("pending");
    expect(await call(second.session, refund(1))).toBe("pending");
    expect(shop.refunds).toHaveLength(1);
    const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
    expect(await call(other, refund(1))).toBe("completed");
    await box.close();
  });

  it(
    verifies("AUTH-01", "is recorded with what it was handed, by which session and for which of its calls, and comes back after a restart"),
    async () => {
      const store = `sqlite:${join(folder, "a.db")}` as const;
      const first = await open({ store });
      const turn = await first.session.turn().call(get);
      const { session: below } = await first.session.delegate({
        tools: ["order.get"],
        budget: { calls: 2, usd: 0.5 },
        expiresInMs: 60_000,
        callId: turn.callId,
        conversationId: "researcher",
      });
      await expect(first.session.delegate({ ...everything, callId: "call_other" })).rejects.toThrow("is no call of this session");
      const [opened] = await first.box.trail({ tenant: "acme", sessionId: below.id, limit: 10 });
      expect(opened?.body).toMatchObject({
        conversationId: "researcher",
        user: "ada",
        wordsAttested: false,
        delegated: {
          parentSessionId: first.session.id,
          parentCallId: turn.callId,
          tools: ["order.get"],
          calls: 2,
          costMicrosUsd: 500_000,
          expiresAtMs: first.clock.now() + 60_000,
        },
      });
      await first.box.close();
      const second = await open({ store, clock: first.clock });
      const again = await second.box.resume(below.id, { ...libraryLike, id: "library" });
      expect(again.visibleTools().map(({ name }) => name)).toEqual(["order.get"]);
      expect([await call(again, get), await call(again, get), await call(again, get)]).toEqual([
        "completed",
        "completed",
        "BUDGET_EXCEEDED",
      ]);
      await second.box.stopSession(first.session.id, "acme", "over");
      expect(await call(again, get)).toBe("SESSION_STOPPED");
      await second.box.close();
    },
  );

  it("holds delegationDepthMax, delegationMsMax, delegationsMax and delegatedGlobsMax", async () => {
    const { box, session } = await open({ limits: { ...limits, delegationsMax: 7 } });
    const { delegationDepthMax, delegationMsMax, delegatedGlobsMax } = defaultLimits;
    for (const bad of [
      { ...everything, expiresInMs: delegationMsMax + 1 },
      { ...everything, expiresInMs: 0 },
      { ...everything, tools: [] },
      { ...everything, tools: Array.from({ length: delegatedGlobsMax + 1 }, () => "*") },
      { ...everything, tools: ["not a glob"] },
      { ...everything, budget: { calls: 1.5 } },
      { ...everything, budget: { usd: -1 } },
    ])
      await expect(session.delegate(bad)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    let deepest = session;
    for (let depth = 0; depth < delegationDepthMax; depth += 1)
      deepest = (await deepest.delegate({ ...everything, expiresInMs: delegationMsMax })).session;
    await expect(deepest.delegate(everything)).rejects.toThrow(`what was delegated ${delegationDepthMax} times cannot be delegated again`);
    await session.delegate({ ...everything, tools: Array.from({ length: delegatedGlobsMax }, () => "*") });
    await session.delegate(everything);
    await expect(session.delegate(everything)).rejects.toThrow("a conversation delegates at most 7 times");
    await box.close();
  });
});

const libraryLike = {
  tenant: "acme",
  actsFor: ["*"],
  approves: [],
  administers: false,
  words: "attested",
  authenticatedAtMs: undefined,
} as const;

function isRefund(body: unknown): boolean {
  return (body as { readonly tool?: string }).tool === "order.refund";
}
