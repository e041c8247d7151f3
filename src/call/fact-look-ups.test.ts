import { describe, expect, test } from "vitest";
import { z } from "zod";
import { codeOf, lead, approvalIdOf, shopBox } from "../../test/support/box.ts";
import { world } from "../../test/support/shared-world.ts";
import { verifies } from "../../test/verifies.ts";
import { defaultLimits } from "../base/limits.ts";
import type { RegisteredTool } from "../domain/tool.ts";
import { checkPolicy } from "../policy/check.ts";
import { parsePolicy } from "../policy/parse.ts";
import { tool } from "../registry/define.ts";
import type { Answer } from "../domain/outcome.ts";
import type { Store } from "../store/store.ts";
import type { BoxTurn } from "./box/box-session.ts";

const cacheMs = 30_000;

/** A register of files of which each belongs to somebody, and how often it was asked for them. */
function register(): { readonly tools: readonly RegisteredTool[]; readonly owners: Map<string, string>; readonly asked: string[] } {
  const owners = new Map([
    ["mine", "ada"],
    ["theirs", "bob"],
  ]);
  const asked: string[] = [];
  const common = { source: "files", description: "Something about a file. Not for anything else." } as const;
  const owner = tool({
    ...common,
    name: "file.owner",
    tier: "read",
    input: z.object({ id: z.string() }),
    run: ({ id }) => {
      asked.push(id);
      const name = owners.get(id);
      return name === undefined ? null : { owner: name };
    },
  });
  const read = tool({ ...common, name: "file.read", tier: "read", input: z.object({ id: z.string() }), run: () => "text" });
  const give = tool({
    ...common,
    name: "file.give",
    tier: "reversible",
    isRepeatable: true,
    input: z.object({ id: z.string(), to: z.string() }),
    run: ({ id, to }) => owners.set(id, to).size,
  });
  const burn = tool({
    ...common,
    name: "file.burn",
    tier: "irreversible",
    input: z.object({ id: z.string() }),
    run: ({ id }) => owners.delete(id),
  });
  return { tools: [owner, read, give, burn], owners, asked };
}

const policy = {
  roles: { support: ["file.read", "file.give", "file.burn", "order.get"] },
  facts: { file: { tool: "file.owner", arguments: { id: "args.id" }, cacheMs } },
  rules: [{ id: "own", on: ["file.read", "file.give", "file.burn"], when: "facts.file.owner != principal.user", effect: "deny" }],
};

function read(turn: BoxTurn, id: string): Promise<Answer> {
  return Promise.resolve(turn.call({ tool: "file.read", arguments: { id } }));
}

test(
  verifies(
    "AUTH-04",
    "a fact serves later calls of the same user for as long as its policy says, and the record says which look-up answered",
  ),
  async () => {
    const { tools, asked } = register();
    const { box, turn, clock } = await shopBox({ tools, policy });
    await read(turn, "mine");
    const second = await read(turn, "mine");
    expect([second.outcome.kind, asked]).toEqual(["completed", ["mine"]]);
    const [intended] = await box.trail({ tenant: "acme", callId: second.callId, limit: 1 });
    const { decision } = (intended as NonNullable<typeof intended>).body as unknown as {
      readonly decision: { readonly factsFrom: Readonly<Record<string, string>> };
    };
    const [lookUp] = await box.trail({ tenant: "acme", callId: decision.factsFrom["file"] as string, limit: 1 });
    expect(lookUp?.body).toMatchObject({ purpose: "fact", tool: "file.owner" });
    for await (const item of box.simulatePolicy({ sinceMs: 0 }))
      expect(item).toMatchObject({ kind: "summary", unjudgedCount: 0, differsCount: 0 });
    clock.jump(cacheMs);
    await read(turn, "mine");
    expect(asked).toEqual(["mine", "mine"]);
    await box.close();
  },
);

test(verifies("AUTH-04", "a fact never serves another user, other roles, another credential or other arguments"), async () => {
  const { tools, asked, owners } = register();
  const { box, turn, session } = await shopBox({ tools, policy });
  await read(turn, "mine");
  const others = await Promise.all([
    box.session({ tenant: "acme", user: "bob", roles: ["support"], attributes: { region: "eu" } }),
    box.session({ tenant: "other", user: "ada", roles: ["support"], attributes: { region: "eu" } }),
    box.session({ tenant: "acme", user: "ada", roles: ["support", "reader"], attributes: { region: "eu" } }),
    box.session({ tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "us" } }),
  ]);
  for (const other of others) await read(other.turn(), "mine");
  expect(asked).toHaveLength(5);
  owners.set("other", "ada");
  await read(turn, "other");
  expect(asked).toHaveLength(6);
  expect(session.id).not.toBe("");
  await box.close();
});

test(verifies("AUTH-04", "a write to the same source ends it, also one that fails"), async () => {
  const { tools, asked } = register();
  const { box, turn } = await shopBox({ tools, policy, flow: { mode: "observe" } });
  await read(turn, "mine");
  await turn.call({ tool: "file.give", arguments: { id: "mine", to: "bob" } });
  expect(codeOf(await read(turn, "mine"))).toBe("PERMISSION_DENIED");
  expect(asked).toEqual(["mine", "mine"]);
  await box.close();
});

test(verifies("AUTH-04", "what cannot be taken back, and what waited, is decided on what is so now"), async () => {
  const { tools, asked, owners } = register();
  const { box, turn } = await shopBox({ tools, policy, flow: { mode: "observe" } });
  await read(turn, "mine");
  const pending = await turn.call({ tool: "file.burn", arguments: { id: "mine" } });
  expect(asked).toEqual(["mine", "mine"]);
  owners.set("mine", "bob");
  const { answer } = await box.approvals.decide(approvalIdOf(pending), { approve: true, by: "lead" }, lead);
  expect([codeOf(answer), asked.length]).toEqual(["PERMISSION_DENIED", 3]);
  await box.close();
});

test(verifies("AUTH-04", "a reversible call that waited for a person is judged by a fact that is looked up anew"), async () => {
  const { tools, asked, owners } = register();
  const ask = { id: "ask", on: "file.give", effect: "ask" };
  const { box, turn } = await shopBox({ tools, policy: { ...policy, rules: [...policy.rules, ask] }, flow: { mode: "observe" } });
  const pending = await turn.call({ tool: "file.give", arguments: { id: "mine", to: "eve" } });
  owners.set("mine", "bob");
  const { answer } = await box.approvals.decide(approvalIdOf(pending), { approve: true, by: "lead" }, lead);
  expect([codeOf(answer), asked.length]).toEqual(["PERMISSION_DENIED", 2]);
  await box.close();
});

/** Both processes have told and heard. */
const seenMs = 2 * defaultLimits.pulseMs;

describe("where several processes write to one store, a kept fact", () => {
  async function two() {
    const { tools, asked, owners } = register();
    const shared = world(policy);
    const first = await shopBox({ ...shared, tools });
    const second = await shopBox({ ...shared, tools });
    await shared.clock.advance(seenMs);
    await read(first.turn, "mine");
    return { first, second, asked, owners, clock: shared.clock, store: shared.store };
  }
  const close = async ({ first, second }: Awaited<ReturnType<typeof two>>) => await Promise.all([first.box.close(), second.box.close()]);

  test(verifies("AUTH-04", "serves, and is old within two pulses of a write of another process"), async () => {
    const both = await two();
    const { first, second, asked, clock } = both;
    await clock.advance(seenMs);
    expect((await read(first.turn, "mine")).outcome.kind).toBe("completed");
    expect(asked).toEqual(["mine"]);
    expect((await second.turn.call({ tool: "file.give", arguments: { id: "mine", to: "bob" } })).outcome.kind).toBe("completed");
    await clock.advance(seenMs);
    expect(codeOf(await read(first.turn, "mine"))).toBe("PERMISSION_DENIED");
    await close(both);
  });

  test("is old when somebody's data were erased in another process", async () => {
    const both = await two();
    const { first, second, asked, clock } = both;
    await second.box.erase({ tenant: "acme", by: "eve" });
    await clock.advance(seenMs);
    await read(first.turn, "mine");
    expect(asked.filter((id) => id === "mine").length).toBeGreaterThan(1);
    await close(both);
  });

  test(
    verifies("AUTH-04", "is not relied on while the others are not heard, nor when one of them is an older program that does not tell"),
    async () => {
      const { tools, asked } = register();
      const shared = world(policy);
      let isDeaf = false;
      const store: Store = {
        ...shared.store,
        scan: (query) => (isDeaf && query.space === "pulse" ? Promise.reject(new Error("away")) : shared.store.scan(query)),
      };
      const only = await shopBox({ ...shared, store, tools });
      const lookUps = async (): Promise<number> => {
        const before = asked.length;
        await read(only.turn, "mine");
        await read(only.turn, "mine");
        return asked.length - before;
      };
      expect(await lookUps()).toBe(1);
      isDeaf = true;
      await shared.clock.advance(seenMs);
      expect(await lookUps()).toBe(2);
      isDeaf = false;
      await shared.clock.advance(seenMs);
      expect(await lookUps()).toBe(0);
      const older = { op: "put", key: { space: "pulse", tenant: "", key: "older" }, body: { turn: 1, rates: {}, breakers: {} } } as const;
      await shared.store.commit({ operations: [older], entries: [] });
      await shared.clock.advance(seenMs);
      expect(await lookUps()).toBe(2);
      await only.box.close();
    },
  );
});

test.each([
  ["kept", { cacheMs }],
  ["looked up each time", { cacheMs: undefined }],
] as const)(
  verifies("AUTH-04", "a record of somebody else and one that is not there cost the same, first and later, and read the same (facts %s)"),
  async (_what, changes) => {
    const { tools, asked } = register();
    const { cacheMs: _cacheMs, ...file } = policy.facts.file;
    const facts = { file: changes.cacheMs === undefined ? file : { ...file, ...changes } };
    const sequences = [{ id: "few", on: "file.read", max: 100, per: "1h" }];
    const { box, session } = await shopBox({ tools, policy: { ...policy, facts, sequences }, limits: { sessionDenialsMax: 100 } });
    const turn = session.turn();
    const { read: readRows, counters, commit } = box.store;
    const work: string[] = [];
    Object.assign(box.store, {
      read: (keys: Parameters<typeof readRows>[0]) => (work.push("read"), readRows(keys)),
      counters: (keys: Parameters<typeof counters>[0]) => (work.push("counters"), counters(keys)),
      commit: (unit: Parameters<typeof commit>[0]) => (work.push(`commit ${unit.entries.map(({ kind }) => kind).join(",")}`), commit(unit)),
    });
    const seen: Record<string, unknown[]> = { theirs: [], nobodys: [] };
    for (let round = 0; round < 3; round += 1)
      for (const id of ["theirs", "nobodys"]) {
        work.length = 0;
        asked.length = 0;
        const { outcome } = await read(turn, id);
        const said = outcome.kind === "denied" ? [outcome.error.code, outcome.error.message] : [];
        seen[id]?.push([...said, asked.length, ...work]);
      }
    expect(seen["theirs"]).toEqual(seen["nobodys"]);
    expect(seen["theirs"]?.[0]).toContain("PERMISSION_DENIED");
    await box.close();
  },
);

test(verifies("AUTH-04", "a policy that keeps a fact for too long is refused"), () => {
  const facts = { file: { tool: "file.owner", cacheMs: defaultLimits.factCacheMsMax + 1 } };
  const parsed = parsePolicy({ facts }, defaultLimits);
  expect("problems" in parsed ? parsed.problems.map(({ message }) => message).join() : "").toContain("`factCacheMsMax`");
  const sound = parsePolicy(policy, defaultLimits);
  if ("problems" in sound) throw new Error("the policy is sound");
  expect(
    checkPolicy(
      sound.policy,
      register().tools.map((each) => each.tool),
      defaultLimits,
    ).map(({ message }) => message),
  ).toEqual([expect.stringContaining("`order.get` names no registered tool")]);
});
