import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { keys, startGateway, type Answered, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
let session: string;
beforeAll(async () => {
  live = await startGateway();
  session = await live.session();
});
afterAll(() => live.close());

interface Shown {
  readonly id: string;
  readonly digest: string;
}

async function propose(orderId: string): Promise<Shown> {
  const body = { goal: "refund\u202e it", steps: [{ tool: "shop.refund", arguments: { id: { is: orderId } } }] };
  const answer = await live.send("POST", `/v1/sessions/${session}/plans`, { key: keys.agent, body });
  expect(answer.status).toBe(201);
  return answer.json as unknown as Shown;
}

const refund = (id: string): Promise<Answered> =>
  live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool: "shop.refund", arguments: { id } } });
const answer = ({ id, digest }: Shown, key: string, more = {}): Promise<Answered> =>
  live.send("POST", `/v1/plans/${id}/answer`, { key, body: { approve: true, digest, ...more } });

test(
  verifies(
    "AUTH-09",
    "AUTH-19",
    "an agent proposes a plan over HTTP, a person approves it, and only then its calls run without a question",
  ),
  async () => {
    const plan = await propose("P-1");
    expect((await answer(plan, keys.agent)).status).toBe(403);
    expect((await answer(plan, keys.outsider)).status).toBe(404);
    expect((await answer({ ...plan, digest: "0" }, keys.lead)).status).toBe(409);
    expect((await refund("P-1b")).status).toBe(202);
    const shown = await live.send("GET", `/v1/plans/${plan.id}`, { key: keys.lead });
    expect(shown.json).toMatchObject({
      plan: { state: "proposed", user: "ada", used: [{ calls: 0 }] },
      card: {
        goal: "refund⟨U+202E⟩ it",
        steps: [{ tool: "shop.refund", tier: "irreversible", callsMax: 1, notSaid: ["id"], arguments: [{ name: "id", value: '"P-1"' }] }],
      },
    });
    expect((await answer(plan, keys.lead)).json).toMatchObject({ state: "approved", answer: { by: "lead" } });
    expect((await refund("P-1")).status).toBe(200);
    expect((await live.send("GET", `/v1/plans/${plan.id}`, { key: keys.agent })).json).toMatchObject({ plan: { used: [{ calls: 1 }] } });
  },
);

test("an agent sees its own plans and no card; nobody else's credential sees any", async () => {
  const plan = await propose("P-2");
  const seen = await live.send("GET", `/v1/plans/${plan.id}`, { key: keys.agent });
  expect(seen.json).not.toHaveProperty("card");
  for (const key of [keys.rival, keys.stranger, keys.outsider])
    expect((await live.send("GET", `/v1/plans/${plan.id}`, { key })).status).toBe(404);
  const listed = await live.send("GET", `/v1/plans?state=proposed&session=${session}`, { key: keys.rival });
  expect(listed.json).toMatchObject({ plans: [] });
  expect(
    (
      await live.send("POST", `/v1/sessions/${session}/plans`, {
        key: keys.rival,
        body: { goal: "x", steps: [{ tool: "shop.get", arguments: {} }] },
      })
    ).status,
  ).toBe(404);
});

test("the user confirms the plan with a credential of their own, and may take it back", async () => {
  const plan = await propose("P-3");
  expect((await answer(plan, keys.ada)).json).toMatchObject({ state: "approved", answer: { by: "ada" } });
  const revoked = await live.send("POST", `/v1/plans/${plan.id}/revoke`, { key: keys.ada, body: { reason: "no" } });
  expect(revoked.json).toMatchObject({ state: "revoked" });
  expect((await refund("P-3")).status).toBe(202);
  expect((await live.send("POST", `/v1/plans/${plan.id}/revoke`, { key: keys.zoe, body: {} })).status).toBe(409);
});

test("what is no plan is refused with the step and what would be right", async () => {
  const send = (step: object): Promise<Answered> =>
    live.send("POST", `/v1/sessions/${session}/plans`, { key: keys.agent, body: { goal: "x", steps: [step] } });
  expect((await send({ tool: "bank.close", arguments: {} })).text).toContain("step 1: no tool named `bank.close` in this session");
  expect((await send({ tool: "shop.refund", arguments: { wrong: { any: true } } })).text).toContain("has no argument `wrong`");
  expect((await send({ tool: "shop.refund", arguments: { id: { is: 1 } } })).json).toMatchObject({ error: { code: "ARGUMENTS_INVALID" } });
  expect((await send({ tool: "shop.refund", arguments: { id: "A-1" } })).status).toBe(400);
});
