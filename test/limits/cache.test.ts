import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Signalbox } from "../../src/call/box/box.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { codeOf, shopBox } from "../support/box.ts";
import { settled } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = {
  roles: { support: ["*"], other: ["*"] },
  rules: [{ id: "no-z", on: "crm.get", when: "args.id == 'z'", effect: "deny" }],
};

/** A source whose reads tell whom they were made for, and how often it was asked. */
function crm() {
  const state = { askedCount: 0, isDown: false, free: [] as (() => void)[], isHeld: false };
  const get = tool({
    name: "crm.get",
    tier: "read",
    source: "crm",
    description: "Gets one record.",
    input: z.object({ id: z.string() }),
    cache: { ttlMs: 10_000 },
    breaker: { failures: 1 },
    run: async ({ id }, { principal }) => {
      state.askedCount += 1;
      if (state.isDown) throw new ToolFailure({ kind: "unavailable", message: "it is down" });
      if (state.isHeld) await new Promise<void>((resolve) => state.free.push(resolve));
      return { id, for: `${principal.tenant}/${principal.user}/${principal.roles.join("+")}` };
    },
  });
  const write = (name: string, parts: { readonly source: string; readonly invalidates?: readonly string[] }) =>
    tool({
      name,
      tier: "reversible",
      isRepeatable: true,
      description: "Changes something.",
      input: z.object({}),
      run: () => "done",
      ...parts,
    });
  const tools = [
    get,
    write("crm.set", { source: "crm" }),
    write("shop.set", { source: "shop" }),
    write("shop.sync", { source: "shop", invalidates: ["crm.g*"] }),
  ];
  return { tools, state };
}

async function sessionOf(
  box: Signalbox,
  who: { readonly tenant?: string; readonly user?: string; readonly roles?: readonly string[] } = {},
) {
  return await box.session({ tenant: who.tenant ?? "acme", user: who.user ?? "ada", roles: who.roles ?? ["support"] });
}

const get = (id = "a") => ({ tool: "crm.get", arguments: { id } });
const valueOf = (answer: Answer): unknown => (answer.outcome.kind === "completed" ? answer.outcome.result.value : answer.outcome.kind);

test(
  verifies("EXEC-08", "a cached result is given again with its time and label, and the ledger says which call it came from"),
  async () => {
    const { tools, state } = crm();
    const { box, clock } = await shopBox({ policy, tools });
    const session = await sessionOf(box);
    const first = await session.turn().call(get());
    await clock.advance(5_000);
    const again = await (await sessionOf(box)).turn().call(get());
    expect(state.askedCount).toBe(1);
    expect(valueOf(again)).toEqual(valueOf(first));
    if (first.outcome.kind !== "completed" || again.outcome.kind !== "completed") throw new Error("not completed");
    expect(again.outcome.result).toMatchObject({ label: first.outcome.result.label, asOfMs: first.outcome.result.asOfMs });
    expect(again.outcome.notices).toEqual(["answered from the cache, as of 2026-11-21T00:00:00.000Z"]);
    const trail = await box.trail({ tenant: "acme", callId: again.callId, limit: 10 });
    expect(trail.at(-1)?.entry.text).toContain(`"cachedFrom":"${first.callId}"`);
    await clock.advance(5_000);
    await session.turn().call(get());
    expect(state.askedCount).toBe(2);
    await box.close();
  },
);

test(verifies("EXEC-08", "permission is decided for every call, and a tool that is left alone still answers from the cache"), async () => {
  const { tools, state } = crm();
  const { box } = await shopBox({ policy, tools });
  const session = await sessionOf(box);
  await session.turn().call(get());
  expect(codeOf(await session.turn().call(get("z")))).toBe("PERMISSION_DENIED");
  state.isDown = true;
  expect(codeOf(await session.turn().call(get("b")))).toBe("TOOL_UNAVAILABLE");
  expect((await session.turn().call(get("a"))).outcome.kind).toBe("completed");
  await box.revokeRoles({ tenant: "acme", user: "ada", roles: ["support"], by: "operator" });
  expect(["PERMISSION_DENIED", "TOOL_NOT_FOUND"]).toContain(codeOf(await session.turn().call(get("a"))));
  await box.close();
});

test(
  verifies("EXEC-08", "a write makes old what it changes: its source's reads, or those that it names; also reads under way"),
  async () => {
    const { tools, state } = crm();
    const { box } = await shopBox({ policy, tools });
    const session = await sessionOf(box);
    const asked = async (write: string): Promise<number> => {
      await session.turn().call(get());
      const before = state.askedCount;
      await session.turn().call({ tool: write, arguments: {} });
      await session.turn().call(get());
      return state.askedCount - before;
    };
    expect([await asked("shop.set"), await asked("crm.set"), await asked("shop.sync")]).toEqual([0, 1, 1]);
    state.isHeld = true;
    const reading = session.turn().call(get("slow"));
    await settled();
    await session.turn().call({ tool: "crm.set", arguments: {} });
    state.isHeld = false;
    state.free[0]?.();
    await reading;
    const before = state.askedCount;
    await session.turn().call(get("slow"));
    expect(state.askedCount).toBe(before + 1);
    await box.close();
  },
);

test(verifies("EXEC-08", "no principal is ever answered with what was read for another (property)"), async () => {
  const who = fc.record({
    tenant: fc.constantFrom("acme", "other"),
    user: fc.constantFrom("ada", "bob"),
    roles: fc.constantFrom(["support"], ["other"], ["support", "other"]),
    id: fc.constantFrom("a", "b"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(who, { maxLength: 20 }), async (calls) => {
      const { tools } = crm();
      const { box } = await shopBox({ policy, tools });
      for (const { id, ...principal } of calls) {
        const session = await sessionOf(box, principal);
        const answer = await session.turn().call(get(id));
        expect(valueOf(answer)).toEqual({ id, for: `${principal.tenant}/${principal.user}/${principal.roles.join("+")}` });
      }
      await box.close();
    }),
    { numRuns: 15 },
  );
});

test("what was erased is not given again", async () => {
  const { tools, state } = crm();
  const { box } = await shopBox({ policy, tools });
  const session = await sessionOf(box);
  await session.turn().call(get());
  await box.erase({ tenant: "acme", by: "operator" });
  await session.turn().call(get());
  expect(state.askedCount).toBe(2);
  await box.close();
});

test("only a read can be cached, or hedged", () => {
  const define = (parts: object) => () =>
    tool({ name: "crm.x", tier: "reversible", description: "Changes.", input: z.object({}), run: () => 1, ...parts });
  expect(define({ cache: { ttlMs: 1_000 } })).toThrow("`cache` is only for a tool of the tier `read`");
  expect(define({ hedge: {} })).toThrow("`hedge` is only for a tool of the tier `read`");
  expect(define({ tier: "read", isEgress: true, hedge: {} })).toThrow("no egress");
});
