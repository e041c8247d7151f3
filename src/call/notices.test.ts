import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import { webhook } from "../connectors/webhook.ts";
import type { Delivery, Notice, NoticePort } from "../domain/notice.ts";
import { tool } from "../registry/define.ts";

const large = { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 } };

/** A port that answers as it is told and remembers what it was given. */
function port(script: (Delivery | "throw" | "hang")[] = []): NoticePort & { readonly got: Notice[] } {
  const got: Notice[] = [];
  return {
    name: "test",
    got,
    deliver(notice, { signal }) {
      got.push(notice);
      const next = script.shift() ?? { kind: "delivered" };
      if (next === "throw") throw new Error("broken with secret hunter2");
      if (next !== "hang") return Promise.resolve(next);
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve({ kind: "failed", isFinal: false, problem: "too late" }));
      });
    },
  };
}

const failed: Delivery = { kind: "failed", isFinal: false, problem: "it answered with status 500" };

test(verifies("AUTH-07", "people hear of a call that waits for them, and nothing in the notice can answer it"), async () => {
  const notify = port();
  const asked: string[] = [];
  const { box, turn, clock } = await shopBox({ notify, onApprovalAsked: ({ id }) => asked.push(id) });
  const id = approvalIdOf(await turn.call(large));
  await clock.advance(1);
  expect(notify.got).toMatchObject([
    {
      type: "approval.asked",
      tenant: "acme",
      data: { approvalId: id, user: "ada", rules: expect.arrayContaining(["tier:irreversible"]) as unknown },
    },
  ]);
  expect(asked).toEqual([id]);
  await box.approvals.decide(id, { approve: true, by: "eve" }, lead);
  await clock.advance(600_000);
  expect(notify.got).toHaveLength(1);
  await box.close();
});

test(verifies("AUTH-06", "the owner hears of a reversible call that ran, and not of one that was refused or only read"), async () => {
  const notify = port();
  const input = z.object({ id: z.string() });
  const note = tool({ name: "order.note", tier: "reversible", description: "Note.", owner: "desk-team", input, run: () => ({ ok: true }) });
  const other = tool({ name: "bank.note", tier: "reversible", description: "Note.", input, run: () => ({ ok: true }) });
  const { box, session, clock } = await shopBox({ notify, tools: [note, other] });
  const turn = session.turn({ said: "note A-1 on the order" });
  expect((await turn.call({ tool: "order.note", arguments: { id: "A-1" } })).outcome.kind).toBe("completed");
  await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } });
  await turn.call({ tool: "bank.note", arguments: { id: "A-1" } });
  await clock.advance(1);
  expect(notify.got).toMatchObject([
    { type: "call.ran", data: { tool: "order.note", owner: "desk-team", tier: "reversible", user: "ada" } },
  ]);
  await box.close();
});

test("a notice is tried again under the same id, with back-off, until it arrives", async () => {
  const notify = port([failed, "throw", "hang"]);
  const { box, turn, clock } = await shopBox({
    notify,
    limits: { noticeTimeoutMs: 1_000, noticeRetryBaseMs: 2_000, noticeRetryCapMs: 3_000 },
  });
  await turn.call(large);
  await clock.advance(1);
  expect(notify.got).toHaveLength(1);
  await clock.advance(60_000);
  expect(notify.got).toHaveLength(4);
  expect(new Set(notify.got.map(({ id }) => id)).size).toBe(1);
  expect((await box.deadLetters.list({ tenant: "acme", limit: 10 })).letters).toEqual([]);
  await box.close();
});

test("a notice that never arrives becomes a dead letter after `noticeAttemptsMax`, and said without what the port threw", async () => {
  const notify = port(["throw", "throw", "throw", "throw"]);
  const trouble: string[] = [];
  const limits = { noticeAttemptsMax: 3, noticeRetryBaseMs: 1, noticesAtOnceMax: 1 };
  const { box, turn, clock } = await shopBox({ notify, limits, onTrouble: ({ kind, note }) => trouble.push(`${kind} ${note}`) });
  await turn.call(large);
  await clock.advance(60_000);
  expect(notify.got).toHaveLength(3);
  expect((await box.deadLetters.list({ tenant: "acme", limit: 10 })).letters).toMatchObject([
    { kind: "undelivered", attemptsCount: 3, problem: "the attempt broke", type: "approval.asked", target: "test" },
  ]);
  expect(trouble).toEqual([expect.stringMatching(/^notice `ntc_\w+` was not delivered in 3 attempts: the attempt broke$/)]);
  await box.close();
});

test("a port that ignores its signal holds neither the notices that follow nor a box that closes, and an attempt that is broken off is no failure", async () => {
  let tried = 0;
  const deaf: NoticePort = {
    name: "deaf",
    deliver: () => {
      tried += 1;
      return new Promise(() => undefined);
    },
  };
  const troubles: string[] = [];
  const limits = { noticeTimeoutMs: 1_000, noticeAttemptsMax: 2, noticeRetryBaseMs: 1, noticeRetryCapMs: 1 };
  const { box, turn, clock } = await shopBox({ notify: deaf, limits, onTrouble: ({ note }) => troubles.push(note) });
  await turn.call(large);
  await clock.advance(1);
  expect(tried).toBe(1);
  await clock.advance(10_000);
  expect(tried).toBe(2);
  expect(troubles).toEqual([expect.stringContaining("in 2 attempts: it did not answer in time")]);
  await turn.call({ ...large, arguments: { orderId: "A-2", amount: 90 } });
  await clock.advance(10_000);
  expect(tried).toBe(4);

  const other = await shopBox({ notify: deaf, limits: { ...limits, noticeAttemptsMax: 1 }, onTrouble: ({ note }) => troubles.push(note) });
  troubles.splice(0);
  await other.turn.call(large);
  await other.clock.advance(1);
  expect(tried).toBe(5);
  await Promise.all([box.close(), other.box.close()]);
  expect(troubles).toEqual([]);
});

let server: Server;
let status = 204;
const posted: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      posted.push({ headers: request.headers, body });
      response.writeHead(status, { location: "http://127.0.0.1:1/" }).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
});
beforeEach(() => {
  posted.splice(0);
  status = 204;
});
afterAll(() => server.close());

const keyBytes = Buffer.alloc(32, 7);
const notice: Notice = { id: "ntc_1", type: "approval.asked", tenant: "acme", atMs: 1_000, data: { approvalId: "apr_1" } };

async function deliver(secret = `whsec_${keyBytes.toString("base64")}`): Promise<Delivery> {
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const made = webhook({ url: `http://${host}/hook`, secret: "secret://env/KEY", allowPrivate: [host] });
  const parts = { signal: new AbortController().signal, nowMs: 1_700_000_000_500, secret: () => Promise.resolve(secret) };
  const delivery = await made.deliver(notice, parts);
  await made.close?.();
  return delivery;
}

test(verifies("AUTH-07", "a webhook is signed as Standard Webhooks says"), async () => {
  expect(await deliver()).toEqual({ kind: "delivered" });
  const { headers, body } = posted[0] as (typeof posted)[0];
  expect(JSON.parse(body)).toEqual({
    type: "approval.asked",
    timestamp: "1970-01-01T00:00:01.000Z",
    data: { tenant: "acme", approvalId: "apr_1" },
  });
  expect(headers).toMatchObject({ "webhook-id": "ntc_1", "webhook-timestamp": "1700000000" });
  const wanted = createHmac("sha256", keyBytes).update(`ntc_1.1700000000.${body}`).digest("base64");
  expect(headers["webhook-signature"]).toBe(`v1,${wanted}`);
});

test.each([
  [500, false],
  [302, false],
  [410, true],
])("an answer of %i is no delivery, and a redirect is not followed", async (answered, isFinal) => {
  status = answered;
  expect(await deliver()).toEqual({ kind: "failed", isFinal, problem: `it answered with status ${answered}` });
  expect(posted).toHaveLength(1);
});

test("nothing leaves unsigned, to a private address or without TLS", async () => {
  expect(await deliver("short")).toMatchObject({ kind: "failed", problem: expect.not.stringContaining("short") as string });
  expect(posted).toHaveLength(0);
  for (const url of ["http://hooks.example/x", "https://127.0.0.1/x", "https://169.254.169.254/x", "nonsense"])
    expect(() => webhook({ url, secret: "secret://env/KEY" })).toThrow(/notices cannot be posted to/);
});
