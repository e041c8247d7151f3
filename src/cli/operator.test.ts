import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { environment, makeFolder, run, start, startShop, type Ran, type Shop, type Spawned } from "./cli.fixture.ts";

let shop: Shop;
let folder: string;
let remove: () => Promise<void>;
let serving: Spawned;
let url: string;
beforeAll(async () => {
  shop = await startShop();
  ({ folder, remove } = await makeFolder(shop.port));
  serving = start(folder, ["serve", "--json"]);
  url = (JSON.parse(await serving.firstLine) as { address: string }).address;
});
afterAll(async () => {
  serving.stop();
  await serving.ended;
  await shop.close();
  await remove();
});

const as = async (key: keyof typeof environment, line: readonly string[]): Promise<Ran & { readonly json: Record<string, unknown> }> => {
  const ran = await run(folder, [...line, "--url", url, "--json"], { SIGNALBOX_KEY: environment[key] });
  return { ...ran, json: ran.out === "" ? {} : (JSON.parse(ran.out) as Record<string, unknown>) };
};
test(verifies("AUTH-09", "a plan is proposed, judged, approved and taken back from the command line"), async () => {
  const opened = await fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { authorization: `Bearer ${environment.AGENT_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ user: "ada", roles: ["support"] }),
  });
  const { id: session } = (await opened.json()) as { readonly id: string };
  const plan = JSON.stringify({ goal: "refund it", steps: [{ tool: "shop.refund", arguments: { orderId: { is: "P-7" } } }] });
  const proposed = await as("AGENT_KEY", ["plans", "propose", session, "--args", plan]);
  const { id, digest } = proposed.json as { readonly id: string; readonly digest: string };
  expect((await as("LEAD_KEY", ["plans", "list"])).json).toMatchObject({ plans: [{ id }] });
  const shown = await run(folder, ["plans", "show", id, "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
  expect(shown.out).toContain("step 1: Refund an order (shop.refund@1.0.0)");
  expect(shown.out).toContain(`signalbox plans approve ${id} --digest ${digest}`);
  expect((await as("LEAD_KEY", ["plans", "approve", id])).code).toBe(2);
  expect((await as("AGENT_KEY", ["plans", "approve", id, "--digest", digest])).code).toBe(1);
  expect(await as("LEAD_KEY", ["plans", "approve", id, "--digest", digest])).toMatchObject({ code: 0, json: { state: "approved" } });
  const call = ["call", "shop.refund", "--session", session, "--args", '{"orderId":"P-7"}'];
  expect((await as("AGENT_KEY", call)).code).toBe(0);
  const second = await as("AGENT_KEY", ["plans", "propose", session, "--args", plan.replace("P-7", "P-8")]);
  const other = second.json as { readonly id: string; readonly digest: string };
  expect((await as("LEAD_KEY", ["plans", "reject", other.id, "--digest", other.digest, "--reason", "no"])).json).toMatchObject({
    state: "rejected",
  });
  expect((await as("LEAD_KEY", ["plans", "revoke", id, "--reason", "done"])).json).toMatchObject({ state: "revoked" });
});

test(verifies("AUTH-07", "questions that belong together are answered by one command, for exactly those that were shown"), async () => {
  const opened = await fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { authorization: `Bearer ${environment.AGENT_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ user: "ada", roles: ["support"] }),
  });
  const { id: session } = (await opened.json()) as { readonly id: string };
  const ask = (orderId: string): Promise<Ran> =>
    as("AGENT_KEY", ["call", "shop.refund", "--session", session, "--args", JSON.stringify({ orderId })]);
  expect((await ask("G-1")).code).toBe(3);
  expect((await ask("G-2")).code).toBe(3);
  const listed = (await as("LEAD_KEY", ["approvals", "groups"])).json as unknown as {
    readonly groups: readonly { readonly sessionId: string; readonly digest: string }[];
  };
  const digest = listed.groups.find(({ sessionId }) => sessionId === session)?.digest ?? "";
  const shown = await run(folder, ["approvals", "groups", "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
  expect(shown.out).toContain(`signalbox approvals approve-group ${digest}`);
  expect((await ask("G-3")).code).toBe(3);
  expect((await as("LEAD_KEY", ["approvals", "approve-group", digest])).code).toBe(1);
  const again = (await as("LEAD_KEY", ["approvals", "groups"])).json as unknown as typeof listed;
  const whole = again.groups.find(({ sessionId }) => sessionId === session)?.digest ?? "";
  const rejected = await as("LEAD_KEY", ["approvals", "reject-group", whole, "--reason", "not these"]);
  expect(rejected).toMatchObject({ code: 0, json: { answers: [{ approval: { state: "rejected" } }, {}, {}] } });
});

const forAda = ["--user", "ada", "--role", "support"];

test(
  verifies("EXEC-07", "a call whose reply was lost is listed, looked into by a person and settled, all from the command line"),
  async () => {
    const made = await as("AGENT_KEY", ["call", "shop.pickup", "--args", '{"orderId":"A-1"}', "--key", "p-1", ...forAda]);
    expect(made.code).toBe(4);
    const callId = String(made.json["callId"]);
    expect((await as("LEAD_KEY", ["dead-letters", "list"])).json).toMatchObject({ letters: [{ id: callId, tool: "shop.pickup" }] });
    const resolve = ["dead-letters", "resolve", callId];
    const note = ["--note", "in their list"];
    expect((await as("AGENT_KEY", [...resolve, "--happened", ...note])).code).toBe(1);
    expect(await as("LEAD_KEY", [...resolve, ...note])).toMatchObject({ code: 1, json: { error: { code: "REQUEST_INVALID" } } });
    expect(await as("LEAD_KEY", ["dead-letters", "retry", callId])).toMatchObject({
      code: 1,
      json: { error: { code: "REQUEST_INVALID" } },
    });
    expect((await as("LEAD_KEY", ["dead-letters", "show", callId])).json).not.toHaveProperty("arguments");
    expect((await as("OPERATOR_KEY", ["dead-letters", "show", callId])).json).toMatchObject({ arguments: { orderId: "A-1" } });
    const shown = await run(folder, ["dead-letters", "show", callId, "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
    expect(shown.out).toMatch(/look into the system that it went to, then resolve it/);
    expect((await as("LEAD_KEY", ["tools", "health"])).json).toMatchObject({ deadLetters: { openCount: 1, unknownCount: 1 } });
    expect((await run(folder, ["doctor"])).out).toMatch(/1 wait for a person/);
    expect((await as("LEAD_KEY", [...resolve, "--happened", "--did-not-happen", ...note])).code).toBe(2);
    expect((await as("LEAD_KEY", [...resolve, "--happened"])).code).toBe(2);
    expect(await as("LEAD_KEY", [...resolve, "--did-not-happen", ...note])).toMatchObject({
      code: 1,
      json: { error: { code: "REQUEST_INVALID" } },
    });
    expect(await as("LEAD_KEY", [...resolve, "--happened", ...note])).toMatchObject({
      code: 0,
      json: { outcome: { kind: "completed", effect: "applied" } },
    });
    expect((await as("LEAD_KEY", ["dead-letters", "list"])).json).toMatchObject({ letters: [] });
    expect(await as("AGENT_KEY", ["call", "shop.pickup", "--args", '{"orderId":"A-1"}', "--key", "p-1", ...forAda])).toMatchObject({
      code: 0,
      json: { callId },
    });
    expect((await run(folder, ["audit", "trail", callId, "--private"])).out).toMatch(/"resolvedBy": "lead"[\s\S]*in their list/);
  },
);

test(verifies("OBS-06", "the auditors' view is read beside the running gateway, as tables and as data"), async () => {
  const made = await as("AGENT_KEY", ["call", "shop.get_order", "--args", '{"orderId":"A-7"}', ...forAda]);
  const { callId, sessionId } = made.json as { readonly callId: string; readonly sessionId: string };
  const shown = await run(folder, ["audit", "view", "--call", callId]);
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(shown.out).toMatch(
    /^run\n[\s\S]*ada +agent[\s\S]*^tool_call\n[\s\S]*shop\.get_order@1\.0\.0[\s\S]*"orderId":"A-7"[\s\S]*^compensation_action\nnone\n$/m,
  );
  const data = await run(folder, ["audit", "view", "--session", sessionId, "--json"]);
  expect(JSON.parse(data.out)).toMatchObject({ step: [{ stepId: callId }], isComplete: true });
  expect((await run(folder, ["audit", "view"])).code).toBe(2);
  expect((await run(folder, ["audit", "view", "--call", "call_none"])).code).toBe(1);
});

test("a conversation is shown on one screen: what it read, what restricts it, what is left and what it may still do", async () => {
  const made = await as("AGENT_KEY", ["call", "shop.get_order", "--args", '{"orderId":"A-7"}', ...forAda]);
  const { sessionId } = made.json as { readonly sessionId: string };
  const shown = await run(folder, ["session", "show", sessionId, "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(shown.out).toMatch(
    /^ses_\S+ {2}open\nada of acme \(support\) under the credential agent\n[\s\S]*^It has read\n[\s\S]*^ {2}shop +1 +untrusted +internal[\s\S]*^What restricts it\n[\s\S]*shop \(untrusted\)[\s\S]*^What is left\n {2}calls +1 of 100 +\[\.{20}\] +99 left[\s\S]*^What it may still do\n[\s\S]*asks +shop\.\S+ \(irreversible\)/m,
  );
  expect(shown.out).not.toContain("A-7");
  expect((await as("OPERATOR_KEY", ["session", "show", sessionId])).json).toMatchObject({ id: sessionId, calls: { completed: 1 } });
  expect((await as("LEAD_KEY", ["session", "show", "ses_none"])).code).toBe(1);
});

test("what cannot be undone says of what, and only an administrator may", async () => {
  expect((await as("OPERATOR_KEY", ["audit", "erase"])).code).toBe(2);
  expect((await as("OPERATOR_KEY", ["audit", "erase", "--data-subject", "x", "--whole-tenant"])).code).toBe(2);
  expect((await as("LEAD_KEY", ["audit", "erase", "--whole-tenant"])).code).toBe(1);
  expect(await as("OPERATOR_KEY", ["audit", "erase", "--data-subject", "nobody"])).toMatchObject({ code: 0, json: { keysDestroyed: 0 } });
  const made = await as("AGENT_KEY", ["call", "shop.get_order", "--args", '{"orderId":"E-1"}', ...forAda]);
  const trail = async (): Promise<string> => (await run(folder, ["audit", "trail", String(made.json["callId"]), "--private"])).out;
  expect(await trail()).toContain("E-1");
  expect(await as("OPERATOR_KEY", ["audit", "erase", "--whole-tenant"])).toMatchObject({ code: 0, json: { keysDestroyed: 1 } });
  expect(await trail()).not.toContain("E-1");
  for (const days of [[], ["--days", "0"], ["--days", "soon"]])
    expect((await as("OPERATOR_KEY", ["audit", "retain", ...days])).code).toBe(2);
  expect(await as("OPERATOR_KEY", ["audit", "retain", "--days", "30"])).toMatchObject({ code: 0, json: { entriesDropped: 0 } });
  expect((await run(folder, ["audit", "verify"])).code).toBe(0);
});

test(verifies("AUTH-01", "a user whose role is taken has it no longer, whatever session is opened"), async () => {
  const call = ["call", "shop.get_order", "--args", '{"orderId":"A-1"}', "--user", "eve@example.com", "--role", "support"];
  expect((await as("AGENT_KEY", call)).code).toBe(0);
  expect((await as("OPERATOR_KEY", ["users", "revoke", "eve@example.com"])).code).toBe(2);
  expect((await as("OPERATOR_KEY", ["users", "revoke", "eve@example.com", "--role", "support"])).code).toBe(0);
  expect((await as("AGENT_KEY", call)).code).toBe(1);
});

test(verifies("REG-04", "tools diff tells breaking, additive and cosmetic changes apart, and fails on a breaking one"), async () => {
  const listed = await run(folder, ["tools", "list", "--json"]);
  await writeFile(join(folder, "old.json"), listed.out);
  const diff = (file: string): Promise<Ran> => run(folder, ["tools", "diff", "old.json", file]);
  expect(await diff("old.json")).toMatchObject({ code: 0, out: "no difference\n" });
  const changed = async (from: string | RegExp, to: string): Promise<Ran> => {
    await writeFile(join(folder, "new.json"), (await readFile(join(folder, "old.json"), "utf8")).replace(from, to));
    return await diff("new.json");
  };
  expect(await changed("Look up one order", "Find one order")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/cosmetic +shop\.get_order/) as string,
  });
  expect(await changed(/"required": \[\s*"orderId"\s*\]/, '"required": []')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/additive +shop\.get_order +`orderId` may be left out now/) as string,
  });
  expect(await changed('"type": "string"', '"type": "integer"')).toMatchObject({
    code: 1,
    out: expect.stringMatching(/breaking +shop\.get_order +\/orderId/) as string,
  });
  expect(await changed('"name": "shop.refund"', '"name": "shop.reimburse"')).toMatchObject({
    code: 1,
    out: expect.stringMatching(/breaking +shop\.refund +is gone\nadditive +shop\.reimburse +is new/) as string,
  });
  expect(await changed('"tier": "read"', '"tier": "irreversible"')).toMatchObject({
    code: 1,
    out: expect.stringContaining("tier was read, now irreversible") as string,
  });
  await writeFile(join(folder, "plain.json"), '{"type":"object","required":["a"]}');
  await writeFile(join(folder, "openai.json"), '[{"type":"function","function":{"name":"x","parameters":{"type":"object"}}}]');
  await writeFile(join(folder, "none.json"), "[1]");
  expect((await run(folder, ["tools", "diff", "plain.json", "plain.json"])).code).toBe(0);
  expect((await run(folder, ["tools", "diff", "openai.json", "openai.json"])).code).toBe(0);
  expect(await run(folder, ["tools", "diff", "none.json", "none.json"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("is no tool") as string,
  });
  expect((await run(folder, ["tools", "diff", "none.json", "absent.json"])).code).toBe(2);
});

test(verifies("REG-06", "the command line shows how tools do, for who runs the installation"), async () => {
  const shown = await as("OPERATOR_KEY", ["tools", "health"]);
  expect(shown).toMatchObject({ code: 0, json: { load: { shedCount: 0 } } });
  expect((await as("AGENT_KEY", ["tools", "health"])).code).toBe(1);
  const table = await run(folder, ["tools", "health", "--url", url], { SIGNALBOX_KEY: environment.OPERATOR_KEY });
  expect(table.out).toMatch(/SOURCE +STATE[\s\S]*TOOL +STATE[\s\S]*shop\.refund@1\.0\.0 +healthy[\s\S]*calls under way, 0 turned away/);
});

test(verifies("AUTH-20", "the read-only switch is turned from the command line, and says what it limits"), async () => {
  const on = ["read-only", "on", "--reason", "a drill"];
  expect((await as("AGENT_KEY", on)).code).toBe(1);
  expect((await as("OPERATOR_KEY", ["read-only", "on"])).code).toBe(2);
  expect((await as("OPERATOR_KEY", [...on, "--all", "--session", "s"])).code).toBe(2);
  expect((await as("OPERATOR_KEY", on)).json).toMatchObject({ readOnly: [{ scope: "tenant", reason: "a drill" }] });
  const refused = await as("AGENT_KEY", ["call", "shop.pickup", "--args", '{"orderId":"A-2"}', "--key", "ro-1", ...forAda]);
  expect(refused.json).toMatchObject({ outcome: { kind: "denied", error: { code: "READ_ONLY", effect: "none", retry: "later" } } });
  expect((await as("LEAD_KEY", ["read-only", "status"])).json).toMatchObject({ readOnly: [{ scope: "tenant" }] });
  expect((await as("OPERATOR_KEY", ["read-only", "off", "--reason", "over"])).json).toEqual({ readOnly: [] });
  const plainly = await run(folder, ["read-only", "status", "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
  expect(plainly.out).toBe("nothing is limited to reads\n");
});

test(verifies("AUTH-15", "calls that are put off are listed and cancelled from the command line"), async () => {
  const key = { SIGNALBOX_KEY: environment.LEAD_KEY };
  expect((await run(folder, ["deferrals", "list", "--url", url], key)).out).toBe("no call is put off\n");
  expect((await as("AGENT_KEY", ["deferrals", "list"])).json).toEqual({ deferrals: [] });
  const cancelled = await as("LEAD_KEY", ["deferrals", "cancel", "call_none", "--reason", "no"]);
  expect([cancelled.code, cancelled.json]).toMatchObject([1, { error: { code: "NOT_FOUND" } }]);
});

test("who said yes is told that the call did not run, and the command fails", async () => {
  const forLate = ["--key", "late", "--user", "late", "--role", "support"];
  const asked = await as("AGENT_KEY", ["call", "shop.refund", "--args", '{"orderId":"A-7"}', ...forLate]);
  const { waiting } = (asked.json as { outcome: { waiting: { approvalId: string } } }).outcome;
  const taken = await run(folder, ["users", "revoke", "late", "--role", "support", "--url", url], {
    SIGNALBOX_KEY: environment.OPERATOR_KEY,
  });
  expect(taken).toMatchObject({ code: 0, out: "late no longer has: support\n" });
  const yes = await run(folder, ["approvals", "approve", waiting.approvalId, "--url", url], { SIGNALBOX_KEY: environment.LEAD_KEY });
  expect(yes).toMatchObject({ code: 1 });
  expect(yes.out).toMatch(/^approved, but the call (was denied|failed): [A-Z_]+: .*; the approval is void\n$/);
});
