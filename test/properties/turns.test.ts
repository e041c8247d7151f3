import { expect, test } from "vitest";
import { z } from "zod";
import { forms } from "../../src/codec/codec.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { approvalIdOf, codeOf, lead, shopBox, shopPolicy } from "../support/box.ts";
import { settled } from "../support/manual-clock.ts";
import { verifies } from "../verifies.ts";

const policy = { roles: { support: ["*"] } };

test.each([3, 4, 10])(
  verifies("CALL-07", "%i calls of one turn run at once, are answered in the order of the request, and fail alone"),
  async (count) => {
    const ending: (() => void)[] = [];
    let runningMax = 0;
    const slow = tool({
      name: "t.slow",
      tier: "read",
      description: "Takes long.",
      input: z.object({ index: z.number() }),
      retry: { attempts: 1 },
      run: ({ index }) =>
        new Promise((resolve, reject) => {
          ending[index] = () => (index === 1 ? reject(new ToolFailure({ kind: "rejected", message: "not this one" })) : resolve(index));
          runningMax = Math.max(runningMax, ending.filter(Boolean).length);
        }),
    });
    const { box, turn } = await shopBox({ policy, tools: [slow] });
    const answers = turn.answers(
      "plain",
      Array.from({ length: count }, (_, index) => ({ id: `c${index}`, tool: "t.slow", arguments: { index } })),
    );
    await settled();
    expect(runningMax).toBe(count);
    for (const end of ending.toReversed()) {
      end();
      await settled();
    }
    const told = (await answers).map(({ providerCallId, outcome }) => [
      providerCallId,
      outcome.kind === "completed" ? outcome.result.value : outcome.kind,
    ]);
    expect(told).toEqual(Array.from({ length: count }, (_, index) => [`c${index}`, index === 1 ? "failed" : index]));
    await box.close();
  },
);

test(verifies("AUTH-18", "the calls of one turn together never exceed the session's budget, in any form"), async () => {
  for (const form of forms.slice(-1)) {
    const { box, turn, shop } = await shopBox({
      policy: { ...shopPolicy, rules: shopPolicy.rules.slice(1), facts: {} },
      limits: { sessionCallsMax: 3 },
    });
    const calls = Array.from({ length: 10 }, (_, index) => ({
      id: `c${index}`,
      tool: "order.refund",
      arguments: { orderId: `A-${index}`, amount: 1 },
    }));
    const answers = await turn.answers(form, calls);
    expect(answers.filter((answer) => codeOf(answer) === "BUDGET_EXCEEDED")).toHaveLength(7);
    expect(shop.refunds).toHaveLength(3);
    await box.close();
  }
});

test(verifies("EXEC-04", "a fallback answers only where nothing happened, and says that it is one"), async () => {
  let failure = new ToolFailure({ kind: "unavailable", message: "it is down", effect: "none" });
  const spare = tool({ name: "t.spare", tier: "read", description: "Stands in.", input: z.object({}), run: () => "from the spare" });
  const made = (name: string, fallback: object): ReturnType<typeof tool> =>
    tool({
      name,
      tier: "reversible",
      isRepeatable: true,
      description: "Fails.",
      input: z.object({}),
      retry: { attempts: 1 },
      fallback: fallback as never,
      run: () => {
        throw failure;
      },
    });
  const tools = [
    spare,
    made("t.value", { kind: "value", value: "stale" }),
    made("t.tool", { kind: "tool", tool: "t.spare" }),
    made("t.gone", { kind: "unavailable", message: "come back tomorrow" }),
  ];
  const { box, turn } = await shopBox({ policy, tools });
  const call = (name: string) => turn.call({ tool: name, arguments: {} });
  expect((await call("t.value")).outcome).toMatchObject({
    kind: "completed",
    isFallback: true,
    effect: "none",
    result: { value: "stale" },
    notices: [expect.stringContaining("fallback")],
  });
  expect((await call("t.tool")).outcome).toMatchObject({ kind: "completed", isFallback: true, result: { value: "from the spare" } });
  expect((await call("t.gone")).outcome).toMatchObject({
    kind: "failed",
    error: { code: "TOOL_UNAVAILABLE", message: "come back tomorrow" },
  });
  failure = new ToolFailure({ kind: "unavailable", message: "the reply was lost", effect: "unknown" });
  for (const name of ["t.value", "t.tool", "t.gone"])
    expect((await call(name)).outcome).toMatchObject({
      kind: "unknown",
      error: { effect: "unknown", message: expect.not.stringContaining("tomorrow") as string },
    });
  failure = new ToolFailure({ kind: "rejected", message: "wrong", effect: "none" });
  expect(codeOf(await call("t.value"))).toBe("TOOL_REFUSED");
  await box.close();
});

test(
  verifies("AUTH-19", "where a rule says so the user confirms themself, and nobody else can; an approval is the other way round"),
  async () => {
    const { box, turn, shop } = await shopBox({
      policy: { ...shopPolicy, rules: [{ id: "sure", on: "order.refund", effect: "ask", confirm: "self" }] },
    });
    const asked = await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 5 } });
    expect(asked.outcome).toMatchObject({ kind: "pending", waiting: { gate: "confirmation" } });
    const id = approvalIdOf(asked);
    const gate = await box.approvals.get(id, "acme");
    const credential = { ...lead, approves: [...gate.approvers] };
    await expect(box.approvals.decide(id, { approve: true, by: "eve" }, credential)).rejects.toMatchObject({ code: "APPROVAL_INVALID" });
    expect(shop.refunds).toEqual([]);
    expect((await box.approvals.decide(id, { approve: true, by: "ada" }, credential)).answer?.outcome.kind).toBe("completed");
    await box.close();
  },
);
