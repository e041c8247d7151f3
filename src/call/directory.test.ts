import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { approvalIdOf, lead } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Label } from "../domain/label.ts";
import type { Answer } from "../domain/outcome.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { checkPolicy } from "../policy/check.ts";
import { parsePolicy } from "../policy/parse.ts";
import { defaultLimits } from "../base/limits.ts";
import { tool } from "../registry/define.ts";
import type { SignalboxOptions } from "./box/options.ts";
import type { Signalbox } from "./box/box.ts";
import { createSignalbox } from "./box/signalbox.ts";

const complaint = "the customer Iris Vandermeer complains about a swollen left knee since the delivery";
const books = "we will write off eleven thousand two hundred in the autumn quarter";
const password = "the vault opens with correct horse battery staple and nothing else";

type Person = { readonly id: string; readonly mail: string; readonly groups: readonly string[] };

interface Office {
  readonly tools: readonly RegisteredTool[];
  readonly people: Map<string, Person>;
  readonly asked: string[];
  readonly sent: JsonObject[];
  /** What the directory does instead of answering. */
  trouble: "none" | "fails" | "nearest";
}

function person(id: string, ...groups: string[]): readonly [string, Person] {
  return [`${id}@acme.example`, { id, mail: `${id}@acme.example`, groups }];
}

/** An office with records for some of its people, a directory of them, and a mail. */
function office(): Office {
  const made: Office = {
    tools: [],
    people: new Map([person("ann", "support"), person("fin", "finance", "support"), person("bob")]),
    asked: [],
    sent: [],
    trouble: "none",
  };
  const record = (name: string, text: string, label: Partial<Label>): RegisteredTool =>
    tool({
      name,
      tier: "read",
      description: "Read a record.",
      input: z.object({}),
      outputLabels: { "": { integrity: "trusted", ...label } },
      run: () => ({ text }),
    });
  const find = tool({
    name: "people.find",
    source: "staff",
    tier: "read",
    description: "Find a colleague by their address.",
    input: z.object({ mail: z.string() }),
    retry: { attempts: 1 },
    run: ({ mail }) => {
      made.asked.push(mail);
      if (made.trouble === "fails") throw new Error("no");
      return made.people.get(mail) ?? (made.trouble === "nearest" ? (made.people.get("fin@acme.example") ?? null) : null);
    },
  });
  const send = tool({
    name: "mail.send",
    tier: "reversible",
    isEgress: true,
    isRepeatable: true,
    description: "Send a mail.",
    input: z.object({ to: z.string(), cc: z.array(z.string()).optional(), text: z.string(), footer: z.string().optional() }),
    arguments: { to: "target", cc: "target", text: "content" },
    asks: ["\\bsend\\b"],
    run: (args) => made.sent.push(args as unknown as JsonObject),
  });
  return Object.assign(made, {
    tools: [
      record("case.read", complaint, { categories: ["health", "personal"], readers: ["group:finance", "group:support"] }),
      record("books.read", books, { confidentiality: "confidential", readers: ["group:finance"] }),
      record("staff.read", "the canteen is closed on Thursday and Friday this week", { categories: ["personal"] }),
      record("vault.read", password, { categories: ["credential"] }),
      find,
      send,
    ],
  });
}

const directory = { tool: "people.find", argument: "mail", user: "/id", groups: "/groups" };
const policy = { roles: { user: ["case.*", "books.*", "staff.*", "vault.*", "mail.*"] }, directory };
const who = { tenant: "acme", user: "ada", roles: ["user"] };

async function boxOf(world: Office, options: SignalboxOptions = {}): Promise<Signalbox> {
  return await createSignalbox({ tools: world.tools, policy, ...(options.store === undefined && { allowUnsafeMemory: true }), ...options });
}

/** One conversation that reads and then sends to whom the user named. */
async function mailed(box: Signalbox, reads: readonly string[], args: JsonObject): Promise<Answer> {
  const turn = (await box.session(who)).turn({ said: `Please send a mail with that. ${JSON.stringify(args)}` });
  for (const name of reads) await turn.call({ tool: name, arguments: {} });
  return await turn.call({ tool: "mail.send", arguments: args });
}

async function cardOf(box: Signalbox, answer: Answer) {
  return await box.approvals.card(approvalIdOf(answer), "acme");
}

describe("what certain readers may have", () => {
  test(verifies("AUTH-09", "leaves without a question towards those who may, and asks about others by name"), async () => {
    const world = office();
    const box = await boxOf(world);
    const inside = await mailed(box, ["case.read"], { to: "ann@acme.example", cc: ["fin@acme.example"], text: complaint });
    expect([inside.outcome.kind, world.asked]).toEqual(["completed", ["fin@acme.example", "ann@acme.example"]]);

    const outside = await mailed(box, [], { to: "ann@acme.example", cc: ["bob@acme.example", "eve@else.example"], text: complaint });
    expect(outside.outcome.kind).toBe("pending");
    const card = await cardOf(box, outside);
    expect(card.mayNotRead).toEqual([
      { who: "bob@acme.example", isKnown: true },
      { who: "eve@else.example", isKnown: false },
    ]);
    expect(card.reasons).toEqual([
      { rule: "flow:R4:/text", effect: "ask", reason: "`/text`: it holds data that is not meant for everybody in `/cc/0`, `/cc/1`" },
    ]);
    const trail = await box.trail({ tenant: "acme", callId: outside.callId, limit: 5 });
    expect(JSON.stringify(trail.map(({ body }) => (body as { readonly decision?: unknown }).decision))).not.toContain("else.example");
    expect(world.sent).toHaveLength(1);
    await box.close();
  });

  test(verifies("AUTH-09", "is only for those who may read all that content repeats, from whichever source"), async () => {
    const world = office();
    const box = await boxOf(world);
    const both = `${complaint}. ${books}`;
    const forAnn = await mailed(box, ["case.read", "books.read"], { to: "ann@acme.example", text: both });
    const forFin = await mailed(box, [], { to: "fin@acme.example", text: both });
    expect([forAnn.outcome.kind, forFin.outcome.kind]).toEqual(["pending", "completed"]);
    expect((await cardOf(box, forAnn)).mayNotRead).toEqual([{ who: "ann@acme.example", isKnown: true }]);
    await box.close();
  });

  test("belongs to everybody in the directory where no label says more, unless it is a secret", async () => {
    const box = await boxOf(office());
    const text = "the canteen is closed on Thursday and Friday this week";
    expect((await mailed(box, ["staff.read"], { to: "bob@acme.example", text })).outcome.kind).toBe("completed");
    expect((await mailed(box, [], { to: "eve@else.example", text })).outcome.kind).toBe("pending");
    expect((await mailed(box, ["vault.read"], { to: "fin@acme.example", text: password })).outcome.kind).toBe("pending");
    await box.close();
  });

  test("asks as before where the policy names no directory", async () => {
    const world = office();
    const box = await boxOf(world, { policy: { roles: policy.roles } });
    const answer = await mailed(box, ["case.read"], { to: "ann@acme.example", text: complaint });
    const card = await cardOf(box, answer);
    expect(card.reasons.map(({ reason }) => reason)).toEqual(["`/text`: it holds data that is not meant for these readers"]);
    expect([card.mayNotRead, world.asked]).toEqual([undefined, []]);
    await box.close();
  });

  test("costs no look-up where nothing guarded is repeated", async () => {
    const world = office();
    const box = await boxOf(world);
    const answer = await mailed(box, ["case.read"], { to: "eve@else.example", text: "Shall we meet?" });
    expect([answer.outcome.kind, world.asked]).toEqual(["completed", []]);
    await box.close();
  });
});

test("people who look at a conversation see towards whom its words may leave", async () => {
  const box = await boxOf(office());
  const session = await box.session(who);
  await session.turn().call({ tool: "books.read", arguments: {} });
  const view = await box.sessionView(session.id, "acme");
  expect(view.read).toMatchObject([{ isGuarded: true, readers: [["group:finance"]] }]);
  expect(view.restrictions.map(({ effect }) => effect)).toContain(
    "its words may not leave without a question, but towards `group:finance`",
  );
  await box.close();
});

describe("a directory", () => {
  test.each([
    ["fails", "`/text`: it holds data that is meant for certain readers, and the directory did not answer who reads it"],
    ["nearest", "`/text`: it holds data that is not meant for everybody in `/to`"],
  ] as const)("that %s lets nothing through", async (trouble, reason) => {
    const world = office();
    const box = await boxOf(world);
    world.trouble = trouble;
    const answer = await mailed(box, ["case.read"], { to: "eve@else.example", text: complaint });
    expect((await cardOf(box, answer)).reasons.map((each) => each.reason)).toEqual([reason]);
    expect(world.sent).toEqual([]);
    await box.close();
  });

  test("is asked about addresses in arguments that nobody declared as well", async () => {
    const world = office();
    const box = await boxOf(world);
    const answer = await mailed(box, ["case.read"], { to: "ann@acme.example", text: complaint, footer: "copy: eve@else.example" });
    expect((await cardOf(box, answer)).mayNotRead).toEqual([{ who: "eve@else.example", isKnown: false }]);
    await box.close();
  });

  test("is asked about at most `flowRecipientsMax` people; with more of them a person is", async () => {
    const world = office();
    const box = await boxOf(world, { limits: { flowRecipientsMax: 1 } });
    const args = { to: "ann@acme.example", cc: ["fin@acme.example"], text: complaint };
    const answer = await mailed(box, ["case.read"], args);
    const [reason] = (await cardOf(box, answer)).reasons;
    expect([reason?.reason, world.asked]).toEqual([
      "`/text`: it holds data that is meant for certain readers, and it has more recipients than are looked up",
      [],
    ]);
    await box.close();
  });

  test("is heard again when a call wakes: a yes holds for those who were shown", async () => {
    const world = office();
    const box = await boxOf(world);
    const args = { to: "bob@acme.example", cc: ["ann@acme.example"], text: complaint };
    const first = await mailed(box, ["case.read"], args);
    const approvalId = approvalIdOf(first);
    world.people.set("ann@acme.example", { ...(world.people.get("ann@acme.example") as Person), groups: [] });
    const decided = await box.approvals.decide(approvalId, { approve: true, by: "eve" }, lead);
    expect([decided.answer?.outcome.kind, world.sent]).toEqual(["pending", []]);
    const again = decided.answer as Answer;
    expect((await cardOf(box, again)).mayNotRead?.map((each) => each.who)).toEqual(["ann@acme.example", "bob@acme.example"]);
    expect((await box.approvals.decide(approvalIdOf(again), { approve: true, by: "eve" }, lead)).answer?.outcome.kind).toBe("completed");
    await box.close();
  });

  test("may answer from an earlier look-up where the policy keeps its answers, and the record says so", async () => {
    const world = office();
    const box = await boxOf(world, { policy: { ...policy, directory: { ...directory, cacheMs: 60_000 } } });
    await mailed(box, ["case.read"], { to: "ann@acme.example", text: complaint });
    const second = await mailed(box, [], { to: "ann@acme.example", text: complaint });
    expect([second.outcome.kind, world.asked]).toEqual(["completed", ["ann@acme.example"]]);
    const [entry] = await box.trail({ tenant: "acme", callId: second.callId, limit: 1 });
    expect(JSON.stringify(entry?.body)).toContain('"factsFrom":{"directory:/to#0":"call_');
    await box.close();
  });
});

test(verifies("AUTH-09", "readers hold after a restart, in another conversation and in a handed-over one"), async () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-directory-"));
  const store = `sqlite:${join(folder, "office.db")}` as const;
  const before = await boxOf(office(), { store });
  await (await before.session(who)).turn().call({ tool: "books.read", arguments: {} });
  await before.close();
  const after = await boxOf(office(), { store });
  const { session: below } = await (await after.session(who)).delegate({ tools: ["mail.*"], expiresInMs: 60_000 });
  const handed = (to: string) => below.turn().call({ tool: "mail.send", arguments: { to, text: books } });
  expect((await handed("ann@acme.example")).outcome.kind).toBe("pending");
  expect((await handed("fin@acme.example")).outcome.kind).toBe("completed");
  expect((await mailed(after, [], { to: "ann@acme.example", text: books })).outcome.kind).toBe("pending");
  expect((await mailed(after, [], { to: "fin@acme.example", text: books })).outcome.kind).toBe("completed");
  await after.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("`policy check` on a directory", () => {
  const parsed = (raw: unknown) => {
    const read = parsePolicy(raw, defaultLimits);
    return "policy" in read ? read.policy : read.problems;
  };
  const found = (changes: object): readonly string[] => {
    const read = parsed({ roles: {}, directory: { ...directory, ...changes } });
    return "version" in read
      ? checkPolicy(
          read,
          office().tools.map(({ tool: each }) => each),
          defaultLimits,
        ).map(({ message }) => message)
      : read.map(({ message }) => message);
  };

  test("finds nothing wrong with one that fits", () => expect(found({})).toEqual([]));

  test.each([
    [{ tool: "people.fnid" }, "`people.fnid` names no registered tool (nearest: `people.find`)"],
    [{ tool: "mail.send" }, "`mail.send` is reversible; people are looked up by a read"],
    [{ argument: "mial" }, "`people.find` has no argument `mial` (nearest: `mail`)"],
    [{ tool: "people.*" }, "people are looked up by one tool; stars are not allowed here"],
    [{ user: "id" }, "expected a JSON pointer into what the tool answers, such as `/id`"],
  ])("says what is wrong with %j", (changes, problem) => expect(found(changes)).toContain(problem));

  test("says so where labels name readers and nobody knows who reads", () => {
    const read = parsed({ roles: {} });
    if (!("version" in read)) throw new Error("the policy is well formed");
    const problems = checkPolicy(
      read,
      office().tools.map(({ tool: each }) => each),
      defaultLimits,
    );
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining("nobody says who reads what leaves") as string]);
  });
});
