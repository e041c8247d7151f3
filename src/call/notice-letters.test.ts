import { expect, test } from "vitest";
import { approvalIdOf, shopBox, shopPolicy } from "../../test/support/box.ts";
import { noticeHook } from "../../test/support/notice-hook.ts";
import { world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import type { Signalbox } from "./box/box.ts";
import type { CallRequest } from "./box/box-session.ts";

const who = { tenant: "acme", by: "eve" };
const asks = (orderId: string): CallRequest => ({ tool: "order.refund", arguments: { orderId, amount: 80 } });

async function lettersOf(box: Signalbox): Promise<readonly string[]> {
  return (await box.deadLetters.list({ tenant: "acme", limit: 200 })).letters.map(({ id, kind }) => `${kind} ${id}`);
}

test(
  verifies("EXEC-10", "a notice that was given up is a letter, goes out again under its own id, and comes back while it does not arrive"),
  async () => {
    const notify = noticeHook(["it answered with status 410", "still gone"]);
    const { box, turn, clock } = await shopBox({ notify });
    const approvalId = approvalIdOf(await turn.call(asks("A-1")));
    await clock.advance(1);
    const [id = ""] = notify.tried;
    const facts = { id, kind: "undelivered", subject: `approval ${approvalId}`, target: "ops-hook", attemptsCount: 1, canRetry: true };
    const { letters } = await box.deadLetters.list({ tenant: "acme", kind: "undelivered", limit: 9 });
    expect(letters).toMatchObject([{ ...facts, type: "approval.asked", problem: "it answered with status 410" }]);
    // What the notice says is for its receiver.
    expect(JSON.stringify(letters)).not.toContain("A-1");
    expect(await box.deadLetters.count("acme")).toMatchObject({ openCount: 1, unknownCount: 0 });
    await expect(box.deadLetters.retry(id, { ...who, tenant: "other" })).rejects.toMatchObject({ code: "NOT_FOUND" });

    const both = await Promise.allSettled([box.deadLetters.retry(id, who), box.deadLetters.retry(id, who)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await lettersOf(box)).toEqual([]);
    await clock.advance(1);
    expect(await box.deadLetters.get(id, "acme")).toMatchObject({ ...facts, problem: "still gone" });
    expect(await box.deadLetters.retry(id, who)).toBeUndefined();
    await clock.advance(600_000);
    expect(notify.arrived).toEqual([id]);
    expect(notify.tried).toEqual([id, id, id]);
    expect(await lettersOf(box)).toEqual([]);
    const trail = await box.trail({ tenant: "acme", callId: id, limit: 9 });
    expect(trail.map(({ entry, body }) => [entry.kind, (body as { readonly by: string }).by])).toEqual([
      ["dead-letter-retried", "eve"],
      ["dead-letter-retried", "eve"],
    ]);
    await box.close();
  },
);

test("a notice that was given up is kept until somebody has put it away, and cannot be sent where notices go nowhere any more", async () => {
  const notify = noticeHook(["gone"]);
  const shared = world();
  const first = await shopBox({ ...shared, policy: shopPolicy, notify });
  await first.turn.call(asks("A-1"));
  await shared.clock.advance(1);
  const [id = ""] = notify.tried;
  const { box } = await shopBox({ ...shared, policy: shopPolicy });
  expect(await box.deadLetters.get(id, "acme")).toMatchObject({ canRetry: false, next: expect.stringContaining("resolve it") as string });
  await expect(box.deadLetters.retry(id, who)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  await expect(box.deadLetters.resolve(id, { ...who, happened: true, note: "x" })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  expect(await box.deadLetters.resolve(id, { ...who, note: "told by telephone" })).toBeUndefined();
  expect(await lettersOf(box)).toEqual([]);
  expect(notify.arrived).toEqual([]);
});
