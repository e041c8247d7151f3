import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { codeOf, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import { httpDecisionPoint, type HttpPointOptions } from "../connectors/http-point.ts";
import type { DecisionPoint } from "../domain/decision-point.ts";

const refund = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

interface Heard {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

/** A decision point on loopback that answers each question as told. */
async function pointServer(answer: (heard: Heard) => string): Promise<{ readonly heard: Heard[]; readonly address: string }> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      const question: Heard = {
        path: request.url,
        authorization: request.headers.authorization,
        body: JSON.parse(text) as Record<string, unknown>,
      };
      heard.push(question);
      response.writeHead(200, { "content-type": "application/json" }).end(answer(question));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  return { heard, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

function pointAt(address: string, changes: Partial<HttpPointOptions> = {}): DecisionPoint {
  return httpDecisionPoint({
    name: "corp",
    protocol: "authzen",
    url: `http://${address}/access/v1/evaluation`,
    allowPrivate: [address],
    on: ["order.refund"],
    ...changes,
  });
}

test(verifies("AUTH-11", "an AuthZEN decision point is asked about subject, action, resource and context, and its no denies"), async () => {
  const { heard, address } = await pointServer(({ body }) => {
    const { properties } = body["resource"] as { readonly properties: { readonly arguments: { readonly amount: number } } };
    return JSON.stringify({ decision: properties.arguments.amount < 30, context: { reason: "too much" } });
  });
  const point = pointAt(address, { secret: "secret://env/PDP" });
  const { box, session, turn, shop } = await shopBox({ decisionPoints: [point], environment: { PDP: "token-of-the-point" } });
  expect((await turn.call(refund)).outcome.kind).toBe("completed");
  const denied = await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 40 } });
  expect(codeOf(denied)).toBe("PERMISSION_DENIED");
  expect(denied.outcome).toMatchObject({ error: { message: expect.not.stringContaining("too much") as string } });
  expect(shop.refunds).toHaveLength(1);
  expect(heard[0]).toEqual({
    path: "/access/v1/evaluation",
    authorization: "Bearer token-of-the-point",
    body: {
      subject: { type: "user", id: "ada", properties: { tenant: "acme", roles: ["support"], region: "eu" } },
      action: { name: "order.refund", properties: { version: "1.0.0", tier: "irreversible" } },
      resource: { type: "tool", id: "order.refund", properties: { source: expect.any(String) as string, arguments: refund.arguments } },
      context: { session: session.id, facts: { order: { orderId: "A-1", owner: "ada", region: "eu" } } },
    },
  });
  const trail = await box.trail({ tenant: "acme", callId: denied.callId, limit: 10 });
  expect(JSON.stringify(trail.map(({ body }) => body))).toContain("point:corp");
  // What the policy denies is not told to anybody outside, nor is a tool that the point does not concern.
  await turn.call({ ...refund, arguments: { orderId: "B-1", amount: 20 } });
  await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  expect(heard).toHaveLength(2);
  await box.close();
});

test(verifies("AUTH-11", "OPA's data API is asked with an input, and an undefined result denies"), async () => {
  const results: readonly (readonly [string, string | undefined])[] = [
    ['{"result":true}', undefined],
    ['{"result":{"allow":true}}', undefined],
    ['{"result":{"allow":false,"reason":"no"}}', "PERMISSION_DENIED"],
    ["{}", "DECISION_FAILED"],
  ];
  for (const [text, code] of results) {
    const { heard, address } = await pointServer(() => text);
    const point = pointAt(address, { protocol: "opa", url: `http://${address}/v1/data/signalbox/allow` });
    const { box, turn } = await shopBox({ decisionPoints: [point] });
    expect(codeOf(await turn.call(refund))).toBe(code);
    expect(heard[0]?.body).toMatchObject({ input: { subject: { id: "ada" } } });
    await box.close();
  }
});

test(verifies("AUTH-11", "what answers garbage, not at all or not in time denies, and nothing is executed"), async () => {
  const { address } = await pointServer(() => '{"decision":"yes"}');
  const dead = await pointServer(() => "");
  await new Promise((resolve) => servers.pop()?.close(resolve));
  let isAsked: () => void = () => undefined;
  const asking = new Promise<void>((resolve) => (isAsked = resolve));
  const hanging: DecisionPoint = {
    name: "slow",
    on: ["*"],
    decide() {
      isAsked();
      return new Promise(() => undefined);
    },
  };
  const throwing: DecisionPoint = { name: "broken", on: ["*"], decide: () => Promise.reject(new Error("secret words")) };
  const cases = [
    [pointAt(address), "DECISION_FAILED"],
    [pointAt(dead.address), "DECISION_UNAVAILABLE"],
    [throwing, "DECISION_UNAVAILABLE"],
    [hanging, "DECISION_UNAVAILABLE"],
  ] as const;
  for (const [point, code] of cases) {
    const { box, turn, shop, clock } = await shopBox({
      decisionPoints: [{ ...point, on: ["order.refund"], decide: (...asked) => point.decide(...asked) }],
    });
    const answering = turn.call(refund);
    if (point === hanging) {
      await asking;
      await clock.advance(defaultLimits.decisionPointMs);
    }
    const answer = await answering;
    expect(codeOf(answer)).toBe(code);
    expect(answer.outcome).toMatchObject({ error: { effect: "none", message: expect.not.stringContaining("secret words") as string } });
    expect(shop.refunds).toEqual([]);
    await box.close();
  }
});

test(
  verifies("AUTH-11", "answers are kept as long as the point says, for the very same question, and no more of them than the bound"),
  async () => {
    let asked = 0;
    const point: DecisionPoint = {
      name: "counting",
      on: ["order.get"],
      cacheMs: 1_000,
      decide: async () => {
        asked += 1;
        return { kind: "allow" };
      },
    };
    const policy = { roles: { support: ["order.*"] } };
    const { box, turn, clock } = await shopBox({ policy, decisionPoints: [point], limits: { decisionsCachedMax: 1 } });
    const get = (orderId: string) => turn.call({ tool: "order.get", arguments: { orderId } });
    await get("A-1");
    await get("A-1");
    expect(asked).toBe(1);
    await get("A-2");
    await get("A-1");
    expect(asked).toBe(3);
    await clock.advance(1_000);
    await get("A-1");
    expect(asked).toBe(4);
    await box.close();
  },
);

test(
  verifies("AUTH-11", "a decision point is asked only where an operator allows: public and with TLS, or exactly the host and port named"),
  () => {
    expect(() => pointAt("127.0.0.1:1", { allowPrivate: [] })).toThrow(/cannot be asked/);
    expect(() => pointAt("127.0.0.1:1", { url: "file:///etc/passwd" })).toThrow(/cannot be asked/);
    expect(() => pointAt("127.0.0.1:1", { url: "nonsense" })).toThrow(/no URL/);
  },
);
