import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { verifies } from "../../test/verifies.ts";
import type { Signalbox, LetterResolution } from "../call/box/box.ts";
import { systemClock } from "../base/clock.ts";
import type { CallLetter } from "../domain/dead-letter.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { keys, startGateway, type Answered, type TestGateway } from "./gateway.fixture.ts";

let live: TestGateway;
beforeAll(async () => {
  live = await startGateway();
});
afterAll(() => live.close());

async function called(gateway: TestGateway, session: string, tool = "shop.get"): Promise<Answered> {
  return await gateway.send("POST", "/v1/calls", { key: keys.agent, body: { session, tool, arguments: { id: "A-1" } } });
}

describe("operators only", () => {
  test.each([
    ["POST", "/v1/ledger/erase", {}],
    ["POST", "/v1/ledger/retain", { olderThanDays: 1 }],
    ["GET", "/v1/ledger/view?callId=c", undefined],
    ["POST", "/v1/read-only", { on: true, scope: "all", reason: "x" }],
    ["POST", "/v1/policy/simulate", { sinceMs: 0 }],
    ["POST", "/v1/users/revoke", { user: "ada", roles: ["support"] }],
  ])("`%s %s` is for administrators", async (method, path, body) => {
    for (const key of [keys.agent, keys.lead])
      expect(await live.send(method, path, { key, ...(body !== undefined && { body }) })).toMatchObject({
        status: 403,
        json: { error: { code: "PERMISSION_DENIED" } },
      });
  });

  test("dead letters are for approvers and administrators, never for who makes calls", async () => {
    expect((await live.send("GET", "/v1/dead-letters", { key: keys.agent })).status).toBe(403);
    expect((await live.send("POST", "/v1/dead-letters/c/resolve", { key: keys.agent, body: { happened: true, note: "x" } })).status).toBe(
      403,
    );
    for (const key of [keys.lead, keys.operator])
      expect(await live.send("GET", "/v1/dead-letters", { key })).toMatchObject({ status: 200, json: { letters: [] } });
    expect((await live.send("GET", "/v1/dead-letters?kind=completed", { key: keys.lead })).status).toBe(400);
    expect((await live.send("POST", "/v1/dead-letters/c/retry", { key: keys.agent, body: {} })).status).toBe(403);
    expect((await live.send("GET", "/v1/dead-letters/c", { key: keys.lead })).status).toBe(404);
  });
});

describe("the policy", () => {
  test(
    verifies("AUTH-12", "another one is tried on the recorded calls of the tenant, `simulatedShownMax` are named and all counted"),
    async () => {
      const gateway = await startGateway({ limits: { simulatedShownMax: 1 } });
      const session = await gateway.session();
      const first = String((await called(gateway, session)).json?.["callId"]);
      await called(gateway, session);
      const tried = { policy: { roles: {} }, sinceMs: 0 };
      expect(await gateway.send("POST", "/v1/policy/simulate", { key: keys.operator, body: tried })).toMatchObject({
        status: 200,
        json: {
          items: [{ kind: "differs", callId: first, was: { effect: "allow" }, would: { effect: "deny", rules: ["grant"] } }],
          summary: { judgedCount: 2, differsCount: 2, changes: { "allow → deny": 2 }, isComplete: true },
        },
      });
      // Nothing has changed.
      expect((await called(gateway, session)).json).toMatchObject({ outcome: { kind: "completed" } });
      expect(
        await gateway.send("POST", "/v1/policy/simulate", { key: keys.operator, body: { policy: { rolls: {} }, sinceMs: 0 } }),
      ).toMatchObject({ status: 422, json: { error: { code: "CONFIG_INVALID" } } });
      await gateway.close();
    },
  );
});

describe("the ledger", () => {
  test(verifies("OBS-06", "one query gives the six tables of a call, linked, and says when it is not all"), async () => {
    const session = await live.session();
    const callId = String((await called(live, session)).json?.["callId"]);
    const viewed = await live.send("GET", `/v1/ledger/view?callId=${callId}`, { key: keys.operator });
    expect(viewed).toMatchObject({
      status: 200,
      json: {
        run: [{ user: "ada", credentialId: "agent", sessionId: session }],
        step: [{ stepId: callId, state: "completed" }],
        tool_call: [{ callId, tool: "shop.get", arguments: { id: "A-1" } }],
        authz_decision: [{ callId, by: "policy", effect: "allow" }],
        tool_result: [{ callId, outcome: "completed", result: { order: { id: "A-1" } } }],
        compensation_action: [],
        isComplete: true,
      },
    });
    for (const query of ["", "?callId=a&sessionId=b"])
      expect((await live.send("GET", `/v1/ledger/view${query}`, { key: keys.operator })).status).toBe(400);
    const own = await startGateway({ limits: { auditViewEntriesMax: 2 } });
    try {
      const other = await own.session();
      await called(own, other);
      expect((await own.send("GET", `/v1/ledger/view?sessionId=${other}`, { key: keys.operator })).json).toMatchObject({
        isComplete: false,
      });
    } finally {
      await own.close();
    }
  });

  test("a listing says when it is not all, and goes on from a time", async () => {
    const session = await live.session();
    await called(live, session);
    const path = `/v1/ledger/entries?sessionId=${session}`;
    const all = (await live.send("GET", path, { key: keys.operator })).json as { readonly entries: { readonly atMs: number }[] };
    expect(all).toMatchObject({
      isComplete: true,
      entries: [{ kind: "session-opened" }, { kind: "call-intended" }, { kind: "call-settled" }],
    });
    const first = (await live.send("GET", `${path}&limit=1`, { key: keys.operator })).json;
    expect(first).toMatchObject({ isComplete: false, entries: [{ kind: "session-opened" }] });
    const later = (all.entries.at(-1)?.atMs ?? 0) + 1;
    expect((await live.send("GET", `${path}&sinceMs=${later}`, { key: keys.operator })).json).toMatchObject({
      isComplete: true,
      entries: [],
    });
  });

  test(verifies("SAFE-13", "erasing takes the private values and leaves the entries"), async () => {
    const own = await startGateway();
    try {
      const opened = await own.send("POST", "/v1/sessions", {
        key: keys.agent,
        body: { user: "ada", roles: ["support"], dataSubject: "customer-77" },
      });
      const callId = String((await called(own, String(opened.json?.["id"]))).json?.["callId"]);
      const trail = async (): Promise<string> => (await own.send("GET", `/v1/calls/${callId}/trail`, { key: keys.operator })).text;
      expect(await trail()).toContain("A-1");
      const wrong = await own.send("POST", "/v1/ledger/erase", { key: keys.operator, body: { datasubject: "customer-77" } });
      expect(wrong).toMatchObject({ status: 400, json: { error: { message: expect.stringContaining("dataSubject") as string } } });
      const erased = await own.send("POST", "/v1/ledger/erase", { key: keys.operator, body: { dataSubject: "customer-77" } });
      expect(erased).toMatchObject({ status: 200, json: { keysDestroyed: 1 } });
      expect(await trail()).not.toContain("A-1");
      expect(await trail()).toContain("call-settled");
    } finally {
      await own.close();
    }
  });

  test("retention counts days back from now and says who asked", async () => {
    const asked: unknown[] = [];
    const own = await startGateway({ box: { retain: (retention) => (asked.push(retention), Promise.resolve(7)) } });
    try {
      const before = systemClock.now();
      const answered = await own.send("POST", "/v1/ledger/retain", { key: keys.operator, body: { olderThanDays: 30 } });
      expect(answered).toMatchObject({ status: 200, json: { entriesDropped: 7 } });
      expect(asked).toMatchObject([{ by: "operator" }]);
      const { olderThanMs } = asked[0] as { readonly olderThanMs: number };
      expect(olderThanMs).toBeGreaterThanOrEqual(before - 30 * 86_400_000);
      expect(olderThanMs).toBeLessThanOrEqual(systemClock.now() - 30 * 86_400_000);
      for (const olderThanDays of [0, -1, 1.5, "30", fixedBounds.erasureDaysMax + 1])
        expect((await own.send("POST", "/v1/ledger/retain", { key: keys.operator, body: { olderThanDays } })).status).toBe(400);
    } finally {
      await own.close();
    }
  });
});

describe("people", () => {
  test(verifies("AUTH-01", "roles that are taken from a user are gone in the session that is open"), async () => {
    const session = await live.session();
    expect((await called(live, session)).status).toBe(200);
    const user = "grace@example.com";
    const other = await live.send("POST", "/v1/sessions", { key: keys.agent, body: { user, roles: ["support"] } });
    const theirs = String(other.json?.["id"]);
    const revoked = await live.send("POST", "/v1/users/revoke", { key: keys.operator, body: { user, roles: ["support"] } });
    expect(revoked).toMatchObject({ status: 200, json: { user, roles: ["support"] } });
    expect((await called(live, theirs)).status).toBe(403);
    expect((await called(live, session)).status).toBe(200);
    const entries = await live.send("GET", "/v1/ledger/entries?limit=200", { key: keys.operator });
    const recorded = ((entries.json?.["entries"] ?? []) as { readonly kind: string; readonly body: unknown }[]).find(
      ({ kind }) => kind === "roles-revoked",
    );
    expect(recorded?.body).toMatchObject({ by: "operator", user, roles: ["support"] });
  });

  test("the ledger names the credential that stopped a session", async () => {
    const session = await live.session();
    await live.send("POST", `/v1/sessions/${session}/stop`, { key: keys.operator, body: { reason: "enough" } });
    const entries = await live.send("GET", `/v1/ledger/entries?sessionId=${session}`, { key: keys.operator });
    expect(entries.json).toMatchObject({ entries: [{}, { kind: "session-stopped", body: { by: "operator", reason: "enough" } }] });
    const own = await live.session();
    await live.send("POST", `/v1/sessions/${own}/stop`, { key: keys.agent, body: { reason: "bye" } });
    expect((await live.send("GET", `/v1/ledger/entries?sessionId=${own}`, { key: keys.operator })).text).toContain('"by":"agent"');
  });
});

const letter: CallLetter = {
  id: "call_1",
  kind: "unknown",
  tenant: "acme",
  sessionId: "ses",
  tool: "t",
  version: "1.0.0",
  user: "ada",
  effect: "unknown",
  keyRow: "call_1",
  code: "TOOL_FAILED",
  attemptsCount: 1,
  sinceMs: 0,
};

describe("calls that are unknown", () => {
  test("are settled in the name of the credential, in its own tenant", async () => {
    const asked: [string, LetterResolution][] = [];
    const box: Partial<Signalbox> = {
      deadLetters: {
        ...({} as Signalbox["deadLetters"]),
        resolve(callId, resolution) {
          asked.push([callId, resolution]);
          return Promise.reject(toolCallError("NOT_FOUND", "no such call here"));
        },
        async retry(callId, { tenant, by }) {
          const outcome = { kind: "failed", error: toolCallError("TOOL_REFUSED", `${tenant} ${by}`), isReplay: false } as const;
          return { callId, sessionId: "ses", tool: "t", version: "1.0.0", providerCallId: callId, traceId: undefined, outcome };
        },
        get: (id) =>
          Promise.resolve({
            ...letter,
            id,
            cause: "lost",
            next: "look",
            canRetry: false,
            arguments: { pin: "4711" },
            message: "lost 4711",
          }),
      },
    };
    const own = await startGateway({ box });
    try {
      const body = { happened: false, note: "not in their list" };
      expect((await own.send("POST", "/v1/dead-letters/call_1/resolve", { key: keys.lead, body })).status).toBe(404);
      expect(asked).toEqual([["call_1", { tenant: "acme", by: "lead", ...body }]]);
      expect((await own.send("POST", "/v1/dead-letters/call_1/resolve", { key: keys.lead, body: { happened: true } })).status).toBe(400);
      const retried = await own.send("POST", "/v1/dead-letters/call_1/retry", { key: keys.lead });
      expect(retried).toMatchObject({
        status: 200,
        json: { callId: "call_1", outcome: { kind: "failed", error: { message: "acme lead" } } },
      });
      // What the call carried is for administrators, as in the ledger.
      expect((await own.send("GET", "/v1/dead-letters/call_1", { key: keys.operator })).text).toContain("4711");
      const seen = await own.send("GET", "/v1/dead-letters/call_1", { key: keys.lead });
      expect(seen).toMatchObject({ status: 200, json: { id: "call_1", cause: "lost" } });
      expect(seen.text).not.toContain("4711");
    } finally {
      await own.close();
    }
  });
});

test(verifies("AUTH-20", "an administrator limits a session to reads over HTTP, and lifts it again"), async () => {
  const session = await live.session();
  const turn = (body: Readonly<Record<string, unknown>>): Promise<Answered> =>
    live.send("POST", "/v1/read-only", { key: keys.operator, body: { reason: "a drill", ...body } });
  expect(await turn({ on: true, scope: "session", session })).toMatchObject({
    status: 200,
    json: { readOnly: [{ scope: "session", session, reason: "a drill", by: "operator" }] },
  });
  expect((await called(live, session)).status).toBe(200);
  expect((await live.send("GET", "/v1/read-only", { key: keys.lead })).json).toMatchObject({ readOnly: [{ session }] });
  expect((await turn({ on: false, scope: "session", session })).json).toEqual({ readOnly: [] });
  expect((await turn({ on: true, scope: "session" })).status).toBe(400);
  expect((await turn({ on: true, scope: "tenant", session })).status).toBe(400);
  expect((await turn({ on: true, scope: "session", session: "ses_nobody" })).status).toBe(404);
});
