import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { sha256Hex } from "../base/hash.ts";
import { leafHash, merkleRoot } from "../store/seal.ts";
import { auditView } from "./audit-view.ts";
import { approvalDecided, callDenied, callIntended, callParked, callSettled, type CallFacts } from "./entries.ts";
import { exportLines } from "./export.ts";
import { collected, memoryBench, recordCall, recordCalls, type Bench } from "./ledger.fixture.ts";
import { trail } from "./trail.ts";

const facts = (callId: string, atMs: number): CallFacts => ({
  place: { tenant: "acme", callId, sessionId: "session-1", runId: "run-9", atMs },
  user: "ada",
  roles: ["support"],
  credentialId: "agent-1",
  conversationId: "conversation-1",
  tool: "order.refund",
  version: "2.0.0",
  decision: {
    effect: "ask",
    reasons: [{ rule: "tier:irreversible", effect: "ask", reason: "it cannot be undone" }],
    ask: undefined,
    notify: false,
    policyVersion: "policy-7",
    factDigests: {},
  },
});

/** A call that waits, is approved, runs and is undone by another; and one that is refused. */
async function recordStory(bench: Bench): Promise<void> {
  const { store, vault } = bench;
  await vault.prepare("acme");
  const seal = (kind: string, callId: string, values: Readonly<Record<string, string>>) =>
    vault.sealValues({ tenant: "acme", kind, callId }, values);
  const first = facts("call-1", 1_000);
  const place = first.place;
  const undo: CallFacts = { ...facts("call-2", 5_000), tool: "order.charge", purpose: "compensate", parentCallId: "call-1" };
  await store.commit({
    operations: [],
    entries: [
      callParked({
        ...first,
        approvalId: "approval-1",
        gate: "approval",
        expiresAtMs: 9_000,
        values: seal("call-parked", "call-1", { arguments: '{"amount":20}', reasoning: '"the customer asked"' }),
      }),
      approvalDecided({
        place: { ...place, atMs: 2_000 },
        approvalId: "approval-1",
        approve: true,
        by: "lea",
        credentialId: "lead",
        effectiveDigest: "d",
        fingerprint: "f",
        state: "approved",
      }),
      callIntended({
        ...first,
        place: { ...place, atMs: 3_000 },
        approvalId: "approval-1",
        values: seal("call-intended", "call-1", { arguments: '{"amount":20}' }),
      }),
      callSettled({
        place: { ...place, atMs: 4_000 },
        tool: "order.refund",
        outcome: "completed",
        effect: "applied",
        attemptsCount: 2,
        durationMs: 900,
        costMicrosUsd: 30,
        values: seal("call-settled", "call-1", { result: '{"ok":true}' }),
      }),
      callIntended(undo),
      callDenied({
        ...facts("call-3", 6_000),
        decision: undefined,
        stage: "validate",
        code: "ARGUMENTS_INVALID",
        reason: "`amount` must be a number",
      }),
    ],
  });
}

describe("the auditors' view", () => {
  it(verifies("OBS-06", "answers who asked, why, what was decided by whom, what came back and what was undone"), async () => {
    const bench = memoryBench();
    await recordStory(bench);
    const view = await auditView(bench.store, bench.vault, { tenant: "acme", runId: "run-9", limit: 100 });
    expect(view.run).toMatchObject([
      {
        runId: "run-9",
        sessionId: "session-1",
        user: "ada",
        credentialId: "agent-1",
        conversationId: "conversation-1",
        startedAtMs: 1_000,
        lastAtMs: 6_000,
      },
    ]);
    expect(view.step).toMatchObject([
      { stepId: "call-1", index: 1, purpose: "call", startedAtMs: 1_000, endedAtMs: 4_000, state: "completed" },
      { stepId: "call-2", index: 2, purpose: "compensate", parentStepId: "call-1", state: "open" },
      { stepId: "call-3", index: 3, state: "denied" },
    ]);
    expect(view.tool_call).toMatchObject([
      {
        callId: "call-1",
        version: "2.0.0",
        arguments: { amount: 20 },
        reasoning: "the customer asked",
        said: "not supplied",
        model: "not supplied",
      },
      { callId: "call-2", values: "none", reasoning: "not supplied" },
      { callId: "call-3", values: "none" },
    ]);
    expect(view.authz_decision).toMatchObject([
      { callId: "call-1", by: "policy", decidedBy: "policy-7", effect: "ask", rules: ["tier:irreversible"], approvalId: "approval-1" },
      { callId: "call-1", by: "person", decidedBy: "lea", effect: "allow", approvalId: "approval-1" },
      { callId: "call-1", by: "policy", approvalId: "approval-1" },
      { callId: "call-2", by: "policy" },
      { callId: "call-3", by: "policy", effect: "deny", reason: "`amount` must be a number" },
    ]);
    expect(view.tool_result).toMatchObject([
      { callId: "call-1", outcome: "completed", effect: "applied", result: { ok: true }, attemptsCount: 2, costMicrosUsd: 30 },
    ]);
    expect(view.compensation_action).toMatchObject([
      { callId: "call-2", compensatesCallId: "call-1", tool: "order.charge", state: "open" },
    ]);
    expect(view.isComplete).toBe(true);
  });

  it(verifies("OBS-06", "SAFE-06", "is one query, of one tenant, and says when it was cut"), async () => {
    const bench = memoryBench();
    await recordStory(bench);
    let queriesCount = 0;
    const store: Bench["store"] = { ...bench.store, entries: (query) => ((queriesCount += 1), bench.store.entries(query)) };
    expect((await auditView(store, bench.vault, { tenant: "acme", runId: "run-9", limit: 2 })).isComplete).toBe(false);
    expect(queriesCount).toBe(1);
    expect((await auditView(store, bench.vault, { tenant: "other", runId: "run-9", limit: 100 })).tool_call).toEqual([]);
  });
});

describe("a trail", () => {
  it("tells opened values from erased, altered and absent ones", async () => {
    const bench = memoryBench();
    await recordCall(bench, "call-1");
    const query = { tenant: "acme", callId: "call-1", limit: 10 };
    expect(await trail(bench.store, bench.vault, query)).toMatchObject([
      {
        values: "opened",
        private: { arguments: { orderId: "call-1" }, said: "please refund" },
        body: { reasoning: "not supplied", said: "supplied" },
      },
      { values: "opened", private: { result: { refunded: true } } },
    ]);
    const swapped: Bench["store"] = {
      ...bench.store,
      entries: async (one) =>
        (await bench.store.entries(one)).map((entry) => ({
          ...entry,
          sealed: entry.sealed?.map((byte, index) => (index > 30 ? byte ^ 1 : byte)),
        })),
    };
    expect((await trail(swapped, bench.vault, query)).map(({ values }) => values)).toEqual(["altered", "altered"]);
    await bench.vault.eraseTenant({ tenant: "acme", by: "ops" });
    expect((await trail(bench.store, bench.vault, query)).map(({ values, private: opened }) => [values, opened])).toEqual([
      ["erased", undefined],
      ["erased", undefined],
    ]);
  });

  it("does not give out values that are not those the entry committed to, even if the key opens them", async () => {
    const bench = memoryBench();
    await recordCall(bench, "call-1");
    const forged = bench.vault.sealValues({ tenant: "acme", kind: "call-settled", callId: "call-1" }, { result: '{"refunded":false}' });
    const store: Bench["store"] = {
      ...bench.store,
      entries: async (one) =>
        (await bench.store.entries(one)).map((entry) => (entry.kind === "call-settled" ? { ...entry, sealed: forged.sealed } : entry)),
    };
    expect((await trail(store, bench.vault, { tenant: "acme", callId: "call-1", kind: "call-settled", limit: 1 })).at(-1)).toMatchObject({
      values: "altered",
      private: undefined,
    });
  });
});

describe("an export", () => {
  it("carries every text byte for byte, so that its hashes can be computed from the file", async () => {
    const bench = memoryBench();
    await recordCalls(bench, 4);
    await bench.store.writers();
    const lines = await collected(exportLines({ store: bench.store, limits: { verifyPageEntries: 3 } }));
    expect(lines).toHaveLength(8);
    const texts = lines.map((line) => line.slice('{"entry":'.length, -2));
    const [writer] = await bench.store.writers();
    const batches = await bench.store.batches({ writer: writer?.writer ?? "", epoch: 1, limit: 10 });
    for (const { firstSeq, count, root } of batches)
      expect(merkleRoot(texts.slice(firstSeq - 1, firstSeq - 1 + count).map(leafHash))).toBe(root);
    expect(lines.join("")).not.toContain("please refund");
  });

  it("adds private values only with the vault, and only of the tenant asked for", async () => {
    const bench = memoryBench();
    await recordCall(bench, "call-1", "acme");
    await recordCall(bench, "call-2", "other");
    const options = { store: bench.store, vault: bench.vault, tenant: "acme", limits: bench.limits };
    const before = await collected(exportLines(options));
    expect(before.map((line) => (JSON.parse(line) as { readonly private: unknown }).private)).toEqual([
      { arguments: { orderId: "call-1" }, said: "please refund" },
      { result: { refunded: true } },
    ]);
    await bench.vault.eraseTenant({ tenant: "acme", by: "ops" });
    const after = await collected(exportLines(options));
    expect(after.slice(0, 2).map((line) => (JSON.parse(line) as { readonly private: unknown }).private)).toEqual([null, null]);
    expect(after.join("")).not.toContain("call-2");
  });
});

describe("entries", () => {
  it("hold no private value, only what proves it", () => {
    const commitments = { arguments: sha256Hex("a") };
    const draft = callIntended({
      ...facts("call-1", 1),
      values: { sealed: new Uint8Array([1]), commitments, keyId: "k", algorithm: "plain" },
    });
    expect(draft.sealed).toEqual(new Uint8Array([1]));
    expect(draft.body).toMatchObject({
      values: { algorithm: "plain", commitments, keyId: "k" },
      reasoning: "not supplied",
      said: "not supplied",
    });
    expect(Object.keys(draft.body as object)).toEqual(Object.keys(draft.body as object).toSorted());
  });

  it("write their members in canonical order", () => {
    const settled = callSettled({
      place: facts("c", 1).place,
      tool: "t",
      outcome: "failed",
      effect: "none",
      code: "TOOL_FAILED",
      attemptsCount: 1,
      durationMs: 1,
      cutChars: 0,
      notices: [],
    });
    expect(Object.keys(settled.body as object)).toEqual(Object.keys(settled.body as object).toSorted());
    expect(JSON.parse(JSON.stringify(settled.body))).toEqual({
      attemptsCount: 1,
      code: "TOOL_FAILED",
      durationMs: 1,
      effect: "none",
      outcome: "failed",
      tool: "t",
    });
  });
});
