import { expect, test } from "vitest";
import { approvalIdOf, codeOf, lead, shopBox, shopPolicy } from "../support/box.ts";
import { verifies } from "../verifies.ts";

const refund = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };
const withRule = (rule: object): unknown => ({ ...shopPolicy, rules: [...shopPolicy.rules, { id: "odd", on: "order.refund", ...rule }] });

test.each([
  ["asks for a member that is not there", "args.nothing > 1.0"],
  ["asks for a fact that is not there", "facts.order.nothing == 'x'"],
  ["compares what cannot be compared", "args.amount > 'ten'"],
  ["is text", "'true'"],
  ["is a number", "1"],
])(
  verifies("AUTH-03", "a rule whose condition %s denies the call with the rule's id, whatever its effect would have been"),
  async (_what, when) => {
    for (const effect of ["deny", "ask", "allow"]) {
      const policy = withRule({ when, effect, ...(effect === "allow" && { waives: "tier" }) });
      const started = await shopBox({ policy }).catch((error: unknown) => error);
      if (started instanceof Error) {
        expect(started).toMatchObject({ code: "CONFIG_INVALID" });
        continue;
      }
      const { box, turn, shop } = started as Awaited<ReturnType<typeof shopBox>>;
      const { outcome } = await turn.call(refund);
      expect(outcome).toMatchObject({
        kind: "denied",
        error: { code: "DECISION_FAILED", message: expect.stringContaining("`odd`") as string, effect: "none" },
      });
      expect(shop.refunds).toEqual([]);
      await box.close();
    }
  },
);

test(verifies("AUTH-12", "a policy that is broken is refused with every problem, and the one in force stays"), async () => {
  const { box, turn } = await shopBox();
  const before = box.health().policyVersion;
  for (const broken of [
    [],
    "allow all",
    { rules: [{ id: "a" }] },
    { roles: { support: "*" }, rules: [{ id: "a", on: "*", effect: "permit" }] },
    { roles: { support: ["order.*"] }, unknown: 1 },
    { rules: [{ id: "a", on: "*", effect: "deny", when: "1 +" }] },
  ]) {
    await expect(box.activatePolicy(broken, "operator"), JSON.stringify(broken)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(box.health().policyVersion).toBe(before);
  }
  expect((await turn.call(refund)).outcome.kind).toBe("completed");
  await box.close();
});

test(verifies("AUTH-12", "a policy that takes effect while a call waits decides about it when it wakes"), async () => {
  const { box, turn, shop } = await shopBox();
  const id = approvalIdOf(await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 80 } }));
  await box.activatePolicy({ ...shopPolicy, roles: { support: ["order.get"] } }, "operator");
  const { answer } = await box.approvals.decide(id, { approve: true, by: "eve" }, lead);
  expect(codeOf(answer)).toMatch(/TOOL_NOT_FOUND|PERMISSION_DENIED/);
  expect(shop.refunds).toEqual([]);
  await box.close();
});

test(
  verifies(
    "AUTH-02",
    "nothing is granted unless a role says so: no policy, no role, an unknown role and a role of another name grant nothing",
  ),
  async () => {
    for (const [policy, roles] of [
      [undefined, ["support"]],
      [shopPolicy, []],
      [shopPolicy, ["admin"]],
      [shopPolicy, ["Support", "support ", "__proto__", "constructor", "*"]],
    ] as const) {
      const { box } = await shopBox(policy === undefined ? { policy: {} } : { policy });
      const session = await box.session({ tenant: "acme", user: "ada", roles });
      expect(session.visibleTools()).toEqual([]);
      expect(codeOf(await session.turn().call(refund))).toMatch(/TOOL_NOT_FOUND/);
      await box.close();
    }
  },
);

test(verifies("AUTH-14", "a user sees exactly the tools that their roles grant, in every form"), async () => {
  const { box } = await shopBox();
  const reader = await box.session({ tenant: "acme", user: "rita", roles: ["reader"] });
  expect(reader.visibleTools().map(({ name }) => name)).toEqual(["order.get"]);
  for (const form of ["openai-chat", "openai-responses", "anthropic", "gemini", "mcp", "plain"] as const)
    expect(JSON.stringify(reader.tools(form))).not.toContain("refund");
  await box.close();
});
