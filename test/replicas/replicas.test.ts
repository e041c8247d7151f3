import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../verifies.ts";
import { policy, startInstallation, type Installation, type Reply } from "./installation.ts";

const gatewayCount = 4;
/** What is told is told every 400 ms and heard within as much again. */
const toldMs = 1_000;

let all: Installation;
let names = 0;
beforeAll(async () => {
  all = await startInstallation(gatewayCount);
});
afterAll(async () => {
  await all.close();
});

function at(index: number): string {
  return all.slots[index % gatewayCount]?.address as string;
}

function newOrder(kind = "order"): string {
  names += 1;
  return `${kind}-${names}`;
}

function call(where: string, session: string, order: string, tool = "effect.keyed"): Promise<Reply> {
  return all.ask(where, "agent", "/v1/calls", { session, tool, arguments: { order }, key: order });
}

function kindOf({ body }: Reply): unknown {
  return (body["outcome"] as { readonly kind?: string } | undefined)?.kind;
}

function codeOf({ body }: Reply): unknown {
  const { error } = (body["outcome"] ?? body) as { readonly error?: { readonly code: string } };
  return error?.code;
}

async function effectsOf(prefix: string): Promise<number> {
  return (await all.effects()).filter(({ order }) => order.startsWith(prefix)).length;
}

/** Names and places that differ from call to call. */
function withoutIds({ status, body }: Reply): unknown {
  const text = JSON.stringify(body, (name, value: unknown) => (/(^id|Id|At|AtMs|Ms|Digest|commitments?)$/.test(name) ? undefined : value));
  return { status, body: JSON.parse(text.replaceAll(/order-\d+/g, "order")) as unknown };
}

test(
  verifies("OPS-02", "OPS-12", "every gateway, and the balancer, answers the same call the same way, and tells every call's trail"),
  async () => {
    const session = await all.openSession("ada");
    const places = [...all.slots.map(({ address }) => address), all.address];
    const answers = [];
    for (const place of places) answers.push(await call(place, session, newOrder()));
    expect(new Set(answers.map((answer) => JSON.stringify(withoutIds(answer)))).size).toBe(1);
    expect(answers.map(kindOf)).toEqual(places.map(() => "completed"));
    for (const [index, { body }] of answers.entries()) {
      const path = `/v1/calls/${String(body["callId"])}`;
      const told = await all.ask(at(index + 1), "agent", path);
      expect(kindOf(told)).toBe("completed");
      const trail = (await all.ask(at(index + 2), "operator", `${path}/trail`)).body["entries"] as readonly { readonly kind: string }[];
      expect(trail.map(({ kind }) => kind)).toEqual(["call-intended", "call-settled"]);
    }
  },
);

test(
  verifies("OPS-02", "AUTH-07", "what one gateway asked a person is answered at another, and its outcome is told by a third"),
  async () => {
    const session = await all.openSession("ada");
    const order = newOrder("ask");
    const asked = await call(at(0), session, order);
    const { approvalId } = (asked.body["outcome"] as { readonly waiting: { readonly approvalId: string } }).waiting;
    const answered = await all.ask(at(1), "lead", `/v1/approvals/${approvalId}/answer`, { approve: true });
    expect(answered.status).toBe(200);
    expect(kindOf(await all.ask(at(2), "agent", `/v1/calls/${String(asked.body["callId"])}`))).toBe("completed");
    expect(kindOf(await call(at(3), session, order))).toBe("completed");
    expect(await effectsOf(order)).toBe(1);
  },
);

test(verifies("OPS-02", "EXEC-06", "the same key asked at all gateways at once has one effect and one answer"), async () => {
  const session = await all.openSession("ada");
  const order = newOrder("slow");
  const answers = await Promise.all([0, 1, 2, 3, 0, 1].map((index) => call(at(index), session, order)));
  expect(answers.map(kindOf)).toEqual(answers.map(() => "completed"));
  expect(new Set(answers.map(({ body }) => body["callId"])).size).toBe(1);
  expect(await effectsOf(order)).toBe(1);
});

test(
  verifies("OPS-02", "AUTH-01", "a role that one gateway took away is gone at all of them at once, and so is a stopped session"),
  async () => {
    const session = await all.openSession("mallory");
    for (const index of [0, 1, 2, 3]) expect(kindOf(await call(at(index), session, newOrder()))).toBe("completed");
    const revoked = await all.ask(at(0), "operator", "/v1/users/revoke", { user: "mallory", roles: ["tester"] });
    expect(revoked.status).toBeLessThan(300);
    for (const index of [1, 2, 3]) expect(codeOf(await call(at(index), session, newOrder()))).toBe("PERMISSION_DENIED");

    const other = await all.openSession("ada");
    for (const index of [0, 1]) expect(kindOf(await call(at(index), other, newOrder()))).toBe("completed");
    await all.ask(at(0), "agent", `/v1/sessions/${other}/stop`, { reason: "over" });
    expect(codeOf(await call(at(1), other, newOrder()))).toBe("SESSION_STOPPED");
  },
);

test(verifies("OPS-02", "EXEC-03", "what uses a tool's rate up at one gateway is refused at the others within a second"), async () => {
  const session = await all.openSession("ada");
  // A burst of three, and one more every two seconds.
  for (let count = 0; count < 3; count += 1) expect(kindOf(await call(at(0), session, newOrder(), "effect.rated"))).toBe("completed");
  await pause(toldMs);
  const answers = await Promise.all([1, 2, 3].map((index) => call(at(index), session, newOrder(), "effect.rated")));
  expect(answers.map(codeOf)).toEqual(["RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"]);
});

test(verifies("OPS-02", "a policy and its budget hold at all gateways within a second, and the budget is exact"), async () => {
  const budget = 40;
  const limited = { ...policy, budgets: { session: { calls: budget } } };
  const activated = await all.ask(at(0), "operator", "/v1/policy/activate", { policy: limited });
  await pause(toldMs);
  for (const { address } of all.slots) expect((await all.ask(address, "operator", "/v1/policy")).body).toEqual(activated.body);
  const session = await all.openSession("ada");
  const answers = await Promise.all(Array.from({ length: budget * 3 }, (_, index) => call(at(index), session, newOrder("budget"))));
  expect(answers.filter((answer) => kindOf(answer) === "completed")).toHaveLength(budget);
  expect(answers.filter((answer) => codeOf(answer) === "BUDGET_EXCEEDED")).toHaveLength(budget * 2);
  expect(await effectsOf("budget")).toBe(budget);

  // A gateway that starts again goes on with it, also when the policy in its file is broken by now.
  await all.slots[3]?.process?.end();
  await all.configure("{ roles: 7 }");
  await all.slots[3]?.start();
  expect((await all.ask(at(3), "operator", "/v1/policy")).body).toEqual(activated.body);
  await expect.poll(() => all.slots[3]?.process?.said()).toContain("policy-kept");
  await all.configure(JSON.stringify(policy));
  await all.ask(at(3), "operator", "/v1/policy/activate", { policy });
  await pause(toldMs);
});

test(
  verifies(
    "OPS-02",
    "AUTH-13",
    "AUTH-08",
    "of calls that race over all gateways exactly as many run as a sequence or a separation of data allows",
  ),
  async () => {
    const max = 17;
    const racerCount = 100;
    const sequences = [{ id: "few", on: "effect.keyed", by: "principal.user", max, per: "24h" }];
    const kinds = ["effect.opaque", "effect.frail0", "effect.frail1", "effect.frail2"];
    const separation = [{ id: "apart", classes: Object.fromEntries(kinds.map((kind) => [kind, kind])), atMost: 2, keep: "24h" }];
    await all.ask(at(0), "operator", "/v1/policy/activate", { policy: { ...policy, sequences, separation } });
    await pause(toldMs);
    const session = await all.openSession("racer");
    const race = async (name: string, toolOf: (index: number) => string): Promise<Readonly<Record<string, number>>> => {
      const racers = Array.from({ length: racerCount }, (_, index) => call(at(index), session, newOrder(name), toolOf(index)));
      const endings = (await Promise.all(racers)).map((answer) => String(codeOf(answer) ?? kindOf(answer)));
      return Object.fromEntries([...Map.groupBy(endings, (ending) => ending)].map(([ending, each]) => [ending, each.length]));
    };
    expect(await race("few", () => "effect.keyed")).toEqual({ completed: max, BUDGET_EXCEEDED: racerCount - max });
    expect(await effectsOf("few")).toBe(max);
    // Each gateway is asked for every class.
    const toolOf = (index: number): string => kinds[Math.floor(index / gatewayCount) % kinds.length] as string;
    expect(await race("apart", toolOf)).toEqual({
      completed: expect.any(Number) as number,
      PERMISSION_DENIED: expect.any(Number) as number,
    });
    const ran = (await all.effects()).filter(({ order }) => order.startsWith("apart"));
    expect(new Set(ran.map(({ path }) => path)).size).toBe(2);
    await all.ask(at(0), "operator", "/v1/policy/activate", { policy });
    await pause(toldMs);
  },
);

test(
  verifies(
    "OPS-02",
    "EXEC-07",
    "a gateway that slept while another took its call and its place over writes nothing of it, and then works on",
  ),
  async () => {
    const session = await all.openSession("ada");
    const order = newOrder("slow");
    const asleep = all.slots[0];
    const answer = call(at(0), session, order).catch(() => undefined);
    await expect.poll(() => effectsOf(order), { interval: 10, timeout: 10_000 }).toBe(1);
    asleep?.process?.signal("SIGSTOP");
    // Another process opens the store when the sleeper's lease is over, and takes its place as a writer.
    await all.slots[1]?.process?.end();
    await pause(3_500);
    await all.slots[1]?.start();
    const { body } = await call(at(2), session, order);
    expect(body).toMatchObject({ outcome: { kind: "completed" } });
    asleep?.process?.signal("SIGCONT");
    expect((await answer)?.body).toMatchObject({ callId: body["callId"], outcome: { kind: "completed" } });
    const trail = (await all.ask(at(1), "operator", `/v1/calls/${String(body["callId"])}/trail`)).body["entries"];
    expect((trail as readonly { readonly kind: string }[]).map(({ kind }) => kind)).toEqual(["call-intended", "call-settled"]);
    expect(await effectsOf(order)).toBe(1);
    await expect.poll(async () => kindOf(await call(at(0), session, newOrder())), { timeout: 10_000 }).toBe("completed");
    const verified = await all.ask(at(0), "operator", "/v1/ledger/verify");
    expect(verified.body).toMatchObject({ ok: true });
  },
);
