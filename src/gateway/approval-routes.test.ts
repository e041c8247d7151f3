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

async function asked(tool: string, id: string): Promise<string> {
  const answer = await live.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool, arguments: { id } } });
  return (answer.json as { readonly outcome: { readonly waiting: { readonly approvalId: string } } }).outcome.waiting.approvalId;
}

function answer(id: string, key: string, body: object): Promise<Answered> {
  return live.send("POST", `/v1/approvals/${id}/answer`, { key, body });
}

test(verifies("AUTH-19", "a user confirms their own call with a credential of their own, and sees nobody else's"), async () => {
  const id = await asked("shop.address", "A-1");
  expect((await live.send("GET", `/v1/approvals/${id}`, { key: keys.zoe })).status).toBe(404);
  expect((await answer(id, keys.zoe, { approve: true })).status).toBe(404);
  expect((await answer(id, keys.agent, { approve: true })).status).toBe(403);
  expect((await live.send("GET", `/v1/approvals/${id}`, { key: keys.ada })).json).toMatchObject({ approval: { gate: "confirmation" } });
  expect((await answer(id, keys.ada, { approve: true })).json).toMatchObject({
    approval: { state: "used", answers: [{ by: "ada" }] },
    answer: { outcome: { kind: "completed" } },
  });
});

test(verifies("AUTH-19", "the same user cannot approve where another person must"), async () => {
  const id = await asked("shop.refund", "A-2");
  expect((await answer(id, keys.ada, { approve: true })).json).toMatchObject({ error: { code: "APPROVAL_INVALID" } });
});

test(verifies("AUTH-07", "a group is shown and answered over HTTP, by who may see each of its members"), async () => {
  const ids = [await asked("shop.refund", "G-1"), await asked("shop.refund", "G-2")];
  const listed = await live.send("GET", "/v1/approval-groups", { key: keys.lead });
  const groups = listed.json?.["groups"] as { readonly digest: string; readonly members: { readonly id: string }[] }[];
  const group = groups.find(({ members }) => members.some(({ id }) => ids.includes(id)));
  const members = group?.members.map(({ id }) => id);
  const send = (key: string, digest = group?.digest): Promise<Answered> =>
    live.send("POST", "/v1/approval-groups/answer", { key, body: { digest, members, approve: true } });
  expect((await live.send("GET", "/v1/approval-groups", { key: keys.outsider })).json).toEqual({ groups: [] });
  expect((await send(keys.agent)).status).toBe(403);
  expect((await send(keys.outsider)).status).toBe(404);
  expect((await send(keys.lead, "0")).status).toBe(409);
  const answered = (await send(keys.lead)).json?.["answers"] as readonly { readonly id: string }[];
  expect(answered.filter(({ id }) => ids.includes(id))).toMatchObject(ids.map(() => ({ answer: { outcome: { kind: "completed" } } })));
});

test(verifies("AUTH-07", "arguments are changed over HTTP by who may make the call"), async () => {
  const id = await asked("shop.refund", "A-3");
  expect((await answer(id, keys.lead, { approve: true, arguments: { id: "A-4" } })).status).toBe(403);
  expect((await answer(id, keys.zoe, { approve: true, arguments: { wrong: 1 } })).json).toMatchObject({
    error: { code: "ARGUMENTS_INVALID" },
  });
  expect((await answer(id, keys.zoe, { approve: true, digest: "0", arguments: { id: "A-4" } })).status).toBe(409);
  expect((await answer(id, keys.zoe, { approve: true, arguments: { id: "A-4" } })).json).toMatchObject({
    approval: { state: "used", edited: { by: "zoe", pointers: ["/id"] } },
    answer: { outcome: { kind: "completed" } },
  });
});

test(verifies("AUTH-07", "over HTTP an approval that each group has to give says whose yes is still missing"), async () => {
  const rules = [{ id: "both", on: "shop.refund", effect: "ask", approvers: { all: ["approver", "somebody-else"] } }];
  await live.box.activatePolicy({ roles: { support: ["shop.*"] }, rules }, "operator");
  const id = await asked("shop.refund", "E-1");
  const each = { approvers: ["approver", "somebody-else"], quorum: 2, isOfEach: true };
  expect((await live.send("GET", `/v1/approvals/${id}`, { key: keys.outsider })).json).toMatchObject({
    approval: { ...each, wanted: ["approver", "somebody-else"] },
  });
  expect((await answer(id, keys.zoe, { approve: true })).json).toMatchObject({
    approval: { ...each, state: "pending", wanted: ["somebody-else"], answers: [{ by: "zoe", groups: ["approver"] }] },
  });
  // A key that does not say whose it is could be anybody's second one.
  expect((await answer(id, keys.outsider, { approve: true })).json).toMatchObject({ error: { code: "APPROVAL_INVALID" } });
  await live.box.activatePolicy({ roles: { support: ["shop.*"] } }, "operator");
});
