import { expect, test } from "vitest";
import { approvalIdOf, lead, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";

const large = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } };

test(verifies("AUTH-07", "the card quotes where arguments came from, also from earlier turns"), async () => {
  const { box, session } = await shopBox();
  await session.turn({ said: "have a look at order A-1" }).call({ tool: "order.get", arguments: { orderId: "A-1" } });
  const id = approvalIdOf(await session.turn({ said: "refund it\u202e" }).call(large));
  const card = await box.approvals.card(id, "acme");
  expect(card).toMatchObject({
    user: "ada",
    agent: "library",
    said: { text: "refund it⟨U+202E⟩", isAttested: true },
    notSaid: ["amount"],
    tier: "irreversible",
    isToolChanged: false,
    arguments: [
      { name: "amount", value: "80", origin: { kind: "nowhere" } },
      { name: "orderId", value: '"A-1"', origin: { kind: "user", quote: "have a look at order A-1" } },
    ],
  });
  await box.close();
});

test("a value that was only read is quoted from the call that brought it; after the answer nothing private is left on the card", async () => {
  const { box, session } = await shopBox();
  await session.turn().call({ tool: "order.get", arguments: { orderId: "A-2" } });
  const id = approvalIdOf(await session.turn().call({ tool: "order.refund", arguments: { orderId: "A-2", amount: 80 } }));
  const { arguments: shown } = await box.approvals.card(id, "acme");
  expect(shown[1]?.origin).toMatchObject({ kind: "result", tool: "order.get", quote: "A-2" });
  await box.approvals.decide(id, { approve: false, by: "eve" }, lead);
  expect(await box.approvals.card(id, "acme")).toMatchObject({ arguments: [], said: undefined });
  await box.close();
});

test("what another conversation read is not quoted", async () => {
  const { box, session } = await shopBox();
  const other = await box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu" } });
  await other.turn({ said: "order A-2, 80" }).call({ tool: "order.get", arguments: { orderId: "A-2" } });
  const id = approvalIdOf(await session.turn().call({ tool: "order.refund", arguments: { orderId: "A-2", amount: 80 } }));
  expect((await box.approvals.card(id, "acme")).notSaid).toEqual(["amount", "orderId"]);
  await box.close();
});

test("only the newest `cardEntriesMax` entries are searched", async () => {
  const { box, session } = await shopBox({ limits: { cardEntriesMax: 3 } });
  const look = (said: string): Promise<unknown> => session.turn({ said }).call({ tool: "order.get", arguments: { orderId: "A-1" } });
  await look("refund 80");
  await look("and 90");
  const id = approvalIdOf(await session.turn().call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } }));
  expect((await box.approvals.card(id, "acme")).notSaid).toContain("amount");
  await box.close();
});
