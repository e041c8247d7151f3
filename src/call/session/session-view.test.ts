import { expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead } from "../../../test/support/box.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import type { SessionView, ToolOutlook } from "../../domain/session-view.ts";
import { tool } from "../../registry/define.ts";
import type { Signalbox } from "../box/box.ts";
import { createSignalbox } from "../box/signalbox.ts";

const secret = "the harbour code is 4711";

function tools(): ReturnType<typeof tool>[] {
  const about = { input: z.object({ to: z.string(), body: z.string() }), arguments: { to: "target", body: "content" } } as const;
  return [
    tool({
      name: "mail.read",
      tier: "read",
      description: "Read the mailbox.",
      input: z.object({}),
      outputLabels: { "": { confidentiality: "confidential", categories: ["personal"] } },
      run: () => ({ body: secret }),
    }),
    tool({
      name: "mail.send",
      tier: "reversible",
      isEgress: true,
      description: "Send a letter.",
      ...about,
      asks: ["\\bsend\\b"],
      run: () => "sent",
    }),
    tool({
      name: "mail.wipe",
      tier: "irreversible",
      description: "Delete a folder.",
      input: z.object({ folder: z.string() }),
      arguments: { folder: "target" },
      asks: ["\\bdelete\\b"],
      run: () => "gone",
    }),
    tool({
      name: "mail.label",
      tier: "reversible",
      isSensitive: true,
      description: "Label a letter.",
      input: z.object({}),
      asks: ["\\bsend\\b"],
      run: () => "done",
    }),
    tool({ name: "bank.balance", tier: "read", description: "Tell the balance.", input: z.object({}), run: () => ({ euros: 12 }) }),
    tool({ name: "bank.close", tier: "read", description: "Not granted.", input: z.object({}), run: () => ({}) }),
  ];
}

const who = { tenant: "acme", user: "ada", roles: ["user"] };

async function open(policy: object = {}): Promise<{ readonly box: Signalbox; readonly clock: ReturnType<typeof manualClock> }> {
  const clock = manualClock();
  const made = await createSignalbox({
    tools: tools(),
    allowUnsafeMemory: true,
    clock,
    policy: { roles: { user: ["mail.*", "bank.balance"] }, ...policy },
  });
  return { box: made, clock };
}

function of(view: SessionView, name: string): ToolOutlook {
  return view.tools.find((each) => each.tool === name) as ToolOutlook;
}

test(
  verifies("AUTH-09", "a conversation is shown by what it read, what restricts it and what it may still do, without any content"),
  async () => {
    const { box, clock } = await open();
    await using _box = box;
    const session = await box.session(who);
    const turn = session.turn({ said: "Please send the harbour code to bob@firm.example", id: "t1" });
    await turn.call({ tool: "mail.read", arguments: {} });
    const view = await box.sessionView(session.id, "acme");
    expect(view).toMatchObject({
      user: "ada",
      roles: ["user"],
      stopped: undefined,
      calls: { completed: 1, running: 0 },
      read: [
        {
          source: "local",
          tools: ["mail.read"],
          resultsCount: 1,
          integrity: ["untrusted"],
          confidentiality: ["confidential"],
          categories: ["personal"],
        },
      ],
      categories: ["personal"],
      words: { turnsCount: 1, isAttested: true },
      denials: { count: 0, max: 5 },
      isComplete: true,
    });
    expect(view.restrictions.map(({ kind, by, endsAtMs }) => [kind, by, endsAtMs])).toEqual([
      ["untrusted", "this session", clock.now() + 86_400_000],
      ["guarded", "this session", clock.now() + 86_400_000],
    ]);
    expect(view.budgets.find(({ name }) => name === "calls")).toMatchObject({ used: 1, max: 100, left: 99 });
    expect(JSON.stringify(view)).not.toMatch(/4711|harbour|bob@/);
    expect(of(view, "mail.send")).toMatchObject({ now: "runs" });
    expect(of(view, "mail.send").dependsOn.map(({ rule }) => rule)).toEqual(["flow:R2", "flow:R3", "flow:R4"]);
    expect(of(view, "mail.wipe").now).toBe("asks");
    expect(of(view, "mail.wipe").because.map(({ rule }) => rule)).toEqual(["tier:irreversible", "flow:R1"]);
    expect(of(view, "mail.label").now).toBe("confirms");
    expect(of(view, "bank.balance")).toMatchObject({ now: "runs", dependsOn: [] });
    expect(view.tools.map((each) => each.tool)).not.toContain("bank.close");
    await clock.advance(86_400_001);
    expect((await box.sessionView(session.id, "acme")).restrictions).toEqual([]);
  },
);

test("what a tool may still do follows rules, switches, budgets, classes kept apart and an end of the session", async () => {
  const { box } = await open({
    rules: [
      { id: "no-labels", on: "mail.label", effect: "deny", reason: "labels are frozen" },
      { id: "big", on: "mail.send", when: "args.body.size() > 100", effect: "ask" },
    ],
    separation: [{ id: "wall", classes: { mail: ["mail.read"], bank: ["bank.*"] }, effect: "deny" }],
    budgets: { session: { calls: 2 } },
  });
  await using _box = box;
  const session = await box.session(who);
  await session.turn().call({ tool: "mail.read", arguments: {} });
  const view = await box.sessionView(session.id, "acme");
  expect(of(view, "mail.label")).toMatchObject({ now: "denied", because: [{ rule: "no-labels", reason: "labels are frozen" }] });
  expect(of(view, "bank.balance")).toMatchObject({ now: "denied", because: [{ rule: "wall" }] });
  expect(of(view, "mail.send").dependsOn.map(({ rule }) => rule)).toContain("big");
  // What it says is what the journey does.
  expect(await session.turn().call({ tool: "bank.balance", arguments: {} })).toMatchObject({ outcome: { kind: "denied" } });
  await box.readOnly.turn({
    scope: { kind: "session", tenant: "acme", sessionId: session.id },
    isOn: true,
    reason: "check",
    by: "operator",
  });
  const limited = await box.sessionView(session.id, "acme");
  expect(of(limited, "mail.send")).toMatchObject({ now: "denied", because: [{ rule: "read-only" }] });
  expect(limited.restrictions.map(({ kind }) => kind)).toContain("read-only");
  expect(limited.denials.count).toBe(1);
  await session.turn().call({ tool: "mail.read", arguments: {} });
  expect(of(await box.sessionView(session.id, "acme"), "mail.read")).toMatchObject({ now: "denied", because: [{ rule: "budget:calls" }] });
  await box.stopSession(session.id, "acme", "enough");
  const stopped = await box.sessionView(session.id, "acme");
  expect(stopped.stopped).toBe("enough");
  expect(stopped.tools.every(({ now }) => now === "denied")).toBe(true);
});

test("a yes that waits to be used is among the grants, and another tenant has no such session", async () => {
  const { box } = await open();
  await using _box = box;
  const session = await box.session(who);
  const turn = session.turn({ said: "delete the folder old" });
  const asked = await turn.call({ tool: "mail.send", arguments: { to: "bob@firm.example", body: "x" } });
  const parked = await box.sessionView(session.id, "acme");
  expect(parked.calls.waiting).toBe(1);
  // Nobody asked for a letter to bob.
  expect(parked.detoursCount).toBe(1);
  await box.approvals.decide(approvalIdOf(asked), { approve: true, by: "lea", widen: true }, lead);
  const view = await box.sessionView(session.id, "acme");
  expect(view.grants).toMatchObject([{ kind: "widening", tool: "mail.send@1.0.0", by: ["lea"] }]);
  await expect(box.sessionView(session.id, "other")).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
});

test("what other conversations of the user brought is named among the restrictions, of at most `readersShownMax` of them and of nobody else's", async () => {
  const clock = manualClock();
  const options = { tools: tools(), allowUnsafeMemory: true, clock, policy: { roles: { user: ["mail.*", "bank.balance"] } } };
  await using box = await createSignalbox({ ...options, limits: { readersShownMax: 1 } });
  const read = async (user: string, name: string): Promise<void> => {
    await (await box.session({ ...who, user })).turn().call({ tool: name, arguments: {} });
    await clock.advance(1_000);
  };
  await read("ada", "bank.balance");
  await read("ada", "mail.read");
  await read("bob", "mail.read");
  const fresh = await box.session(who);
  const others = (await box.sessionView(fresh.id, "acme")).restrictions;
  expect(others.map(({ kind, by }) => [kind, by])).toEqual([
    ["untrusted", "another session"],
    ["guarded", "another session"],
  ]);
  expect((await box.sessionView((await box.session({ ...who, user: "eve" })).id, "acme")).restrictions).toEqual([]);
});

test("the steps of an approved plan are among the grants, with what is left of them", async () => {
  const { box } = await open();
  await using _box = box;
  const session = await box.session(who);
  const steps = [{ tool: "mail.send", callsMax: 2, arguments: { to: { is: "bob@firm.example" }, body: { any: true } as const } }];
  const plan = await box.plans.propose({ goal: "tell bob", steps }, session);
  expect((await box.sessionView(session.id, "acme")).grants).toEqual([]);
  await box.plans.decide(plan.id, { approve: true, by: "lea", digest: plan.digest }, lead);
  const turn = session.turn({ said: "What is new in my mail?" });
  expect((await turn.call({ tool: "mail.send", arguments: { to: "bob@firm.example", body: "x" } })).outcome.kind).toBe("completed");
  const view = await box.sessionView(session.id, "acme");
  expect(view.grants).toMatchObject([{ kind: "plan", tool: "mail.send", approvalId: plan.id, callsLeft: 1, by: ["lea"] }]);
  expect(of(view, "mail.send").dependsOn.map(({ rule }) => rule)).toContain("plan");
  expect(JSON.stringify(view)).not.toContain("tell bob");
});
