import { expect, test } from "vitest";
import { run } from "../../src/cli/cli.fixture.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import type { Credential } from "../../src/domain/principal.ts";
import { errorBody } from "../../src/errors/wire.ts";
import { keys, startGateway, type TestGateway } from "../../src/gateway/gateway.fixture.ts";
import { tool } from "../../src/registry/define.ts";
import { lead, shop, shopPolicy } from "../support/box.ts";
import { verifies } from "../verifies.ts";
import type { BoxSession } from "../../src/call/box/box-session.ts";

/**
 * The same calls through every face of the product. What a caller is told, what was decided and what the ledger holds must not depend on the door that
 * was used; only ids, times and what a face itself adds (a trace, a turn) may differ.
 */

const agent: Credential = { ...lead, id: "agent", actsFor: ["support"], approves: [], words: "attested" };
const said = "Please refund 20 and then 80 euros of the order A-1, and 5 of A-2; order B-1 as well, and pack A-1";

/** One call of the story. */
interface Wanted {
  readonly tool: string;
  readonly arguments: JsonObject;
  readonly key?: string;
  /** A person then answers the question. */
  readonly then?: "approve";
}

/** What a caller was told, whatever the form. */
interface Told {
  readonly kind: string;
  readonly effect?: Json | undefined;
  readonly value?: Json | undefined;
  readonly notices?: Json | undefined;
  readonly isReplay?: boolean;
  readonly error?: Json | undefined;
}

const story: Readonly<Record<string, Wanted>> = {
  "a completed read": { tool: "order.get", arguments: { orderId: "A-1" } },
  "a repaired argument": { tool: "order.refund", arguments: { orderId: "A-1", amount: "20" } },
  "a denied call": { tool: "order.refund", arguments: { orderId: "B-1", amount: 20 } },
  "a call that waits and is approved": { tool: "order.refund", arguments: { orderId: "A-1", amount: 80 }, then: "approve" },
  "a call under a key": { tool: "order.refund", arguments: { orderId: "A-2", amount: 5 }, key: "refund-5" },
  "the same key again": { tool: "order.refund", arguments: { orderId: "A-2", amount: 5 }, key: "refund-5" },
  "the same key with other arguments": { tool: "order.refund", arguments: { orderId: "A-2", amount: 6 }, key: "refund-5" },
  "the same meaning under another key": { tool: "order.refund", arguments: { orderId: "A-2", amount: 5 }, key: "refund-6" },
  "invalid arguments": { tool: "order.get", arguments: { order: 7 } },
  "an unknown tool": { tool: "order.gett", arguments: {} },
  "a read that takes too long": { tool: "order.slow", arguments: {} },
  "a write that takes too long": { tool: "order.pack", arguments: { orderId: "A-1" } },
};

/** A way in: makes one call, and lets a person answer one question. */
interface Face {
  call(wanted: Wanted): Promise<{ readonly told: Told; readonly approvalId: string | undefined }>;
  approve(approvalId: string): Promise<Told>;
}

interface Place {
  readonly box: Signalbox;
  readonly gateway: TestGateway;
  readonly sessionId: string;
}

const faces: Readonly<Record<string, (place: Place) => Promise<Face>>> = { library, calls, turns, "command line": commandLine };

async function library({ box, sessionId }: Place): Promise<Face> {
  const session: BoxSession = await box.resume(sessionId, agent);
  const toldOf = (answer: Answer): Told => {
    const { outcome } = answer;
    if (outcome.kind === "pending") return { kind: "pending" };
    if (outcome.kind === "completed") return completed({ ...outcome, value: outcome.result.value } as unknown as JsonObject);
    return failed(outcome.kind, JSON.parse(JSON.stringify(errorBody(outcome.error))) as JsonObject);
  };
  return {
    async call({ tool: name, arguments: args, key }) {
      const answer = await session.turn({ said }).call({ tool: name, arguments: args, ...(key !== undefined && { key }) });
      const { outcome } = answer;
      const waiting = outcome.kind === "pending" && outcome.waiting.kind === "person" ? outcome.waiting : undefined;
      return { told: toldOf(answer), approvalId: waiting?.approvalId };
    },
    approve: async (approvalId) => toldOf((await box.approvals.decide(approvalId, { approve: true, by: "lead" }, lead)).answer as Answer),
  };
}

async function calls({ gateway, sessionId }: Place): Promise<Face> {
  return {
    async call({ tool: name, arguments: args, key }) {
      const body = { session: sessionId, tool: name, arguments: args, turn: { said }, ...(key !== undefined && { key }) };
      return fromBody((await gateway.send("POST", "/v1/calls", { key: keys.agent, body })).json);
    },
    approve: (approvalId) => approveOverHttp(gateway, approvalId),
  };
}

async function turns({ gateway, sessionId }: Place): Promise<Face> {
  return {
    async call({ tool: name, arguments: args, key }) {
      const response = { tool: name, arguments: args, ...(key !== undefined && { key }) };
      const answered = await gateway.send("POST", "/v1/turns", {
        key: keys.agent,
        body: { session: sessionId, form: "plain", response, turn: { said } },
      });
      const [message] = (answered.json?.["messages"] ?? []) as unknown as readonly [JsonObject];
      const kind = message["outcome"] as string;
      if (kind === "pending") return { told: { kind }, approvalId: (message["pending"] as JsonObject)["approvalId"] as string };
      const told = kind === "completed" ? completed({ ...message, value: message["result"] as Json }) : failed(kind, message);
      return { told, approvalId: undefined };
    },
    approve: (approvalId) => approveOverHttp(gateway, approvalId),
  };
}

async function commandLine({ gateway, sessionId }: Place): Promise<Face> {
  const signalbox = async (key: string, line: readonly string[]): Promise<JsonObject> => {
    const ran = await run("/", [...line, "--url", gateway.gateway.address as string, "--json"], { SIGNALBOX_KEY: key });
    expect(ran.err).toBe("");
    return JSON.parse(ran.out) as JsonObject;
  };
  return {
    async call({ tool: name, arguments: args, key }) {
      const line = ["call", name, "--args", JSON.stringify(args), "--session", sessionId, "--said", said];
      return fromBody(await signalbox(keys.agent, key === undefined ? line : [...line, "--key", key]));
    },
    approve: async (approvalId) =>
      fromBody((await signalbox(keys.lead, ["approvals", "approve", approvalId]))["answer"] as JsonObject).told,
  };
}

async function approveOverHttp(gateway: TestGateway, approvalId: string): Promise<Told> {
  const answered = await gateway.send("POST", `/v1/approvals/${approvalId}/answer`, { key: keys.lead, body: { approve: true } });
  return fromBody(answered.json?.["answer"] as JsonObject).told;
}

function fromBody(body: Readonly<Record<string, unknown>> | undefined): { readonly told: Told; readonly approvalId: string | undefined } {
  const outcome = body?.["outcome"] as JsonObject;
  const kind = outcome["kind"] as string;
  const waiting = outcome["waiting"] as JsonObject | undefined;
  if (kind === "pending") return { told: { kind }, approvalId: waiting?.["approvalId"] as string };
  if (kind !== "completed") return { told: failed(kind, outcome), approvalId: undefined };
  return { told: completed({ ...outcome, value: (outcome["result"] as JsonObject)["value"] as Json }), approvalId: undefined };
}

function completed(outcome: JsonObject): Told {
  const notices = (outcome["notices"] ?? []) as Json;
  return { kind: "completed", effect: outcome["effect"], value: outcome["value"], notices, isReplay: outcome["isReplay"] === true };
}

function failed(kind: string, body: JsonObject): Told {
  return { kind, error: withoutIds(body["error"] as Json) };
}

/** Ids, times and hashes of random salt, by which two runs of the same story always differ. */
function withoutIds(value: Json): Json {
  return JSON.parse(
    JSON.stringify(value)
      .replace(/\b(call|apr|ses)_[0-9a-z]{20,}/g, "$1_")
      .replace(/within \d+ ms/g, "within some ms"),
    (name: string, member: Json) => (differing.has(name) ? undefined : member),
  ) as Json;
}

const differing = new Set(["commitments", "keyId", "traceId", "durationMs", "expiresAtMs", "asOfMs", "waitedSinceMs"]);

async function place(): Promise<Place & { readonly close: () => Promise<void> }> {
  const made = shop();
  const never = (): Promise<never> => new Promise(() => undefined);
  const timeouts = { attemptMs: 40, executeMs: 40 };
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    policy: {
      ...shopPolicy,
      rules: [...shopPolicy.rules, { id: "pack", on: "order.pack", when: "true", effect: "allow", waives: "tier" }],
    },
    tools: [
      ...made.tools,
      tool({
        name: "order.slow",
        tier: "read",
        description: "Never answers",
        input: { type: "object", properties: {} },
        timeouts,
        retry: { attempts: 1 },
        run: never,
      }),
      tool({
        name: "order.pack",
        tier: "irreversible",
        description: "Never answers",
        input: { type: "object", properties: { orderId: { type: "string" } } },
        timeouts,
        retry: { attempts: 1 },
        run: never,
      }),
    ],
  });
  const gateway = await startGateway({ box });
  const session = await box.session({
    tenant: "acme",
    user: "ada",
    roles: ["support"],
    attributes: { region: "eu" },
    conversationId: "chat-1",
    credential: agent,
  });
  return {
    box,
    gateway,
    sessionId: session.id,
    async close() {
      await gateway.close();
      await box.close();
    },
  };
}

interface Played {
  readonly told: Readonly<Record<string, readonly Told[]>>;
  readonly ledger: readonly Json[];
}

async function play(face: (place: Place) => Promise<Face>): Promise<Played> {
  const here = await place();
  try {
    const door = await face(here);
    const told: Record<string, Told[]> = {};
    for (const [name, wanted] of Object.entries(story)) {
      const answered = await door.call(wanted);
      told[name] = [answered.told];
      if (wanted.then === "approve") told[name].push(await door.approve(answered.approvalId as string));
    }
    const entries = await here.box.trail({ tenant: "acme", sessionId: here.sessionId, limit: 200 });
    const ledger = entries.map(({ entry, body, private: values }) => withoutIds({ kind: entry.kind, body, private: values ?? null }));
    return { told, ledger };
  } finally {
    await here.close();
  }
}

test(
  verifies("OPS-12", "library, HTTP calls, HTTP turns and the command line give the same outcome, decision and ledger for the same calls"),
  async () => {
    const played = await Promise.all(Object.entries(faces).map(async ([name, face]) => [name, await play(face)] as const));
    const [[, first], ...others] = played as [readonly [string, Played], ...(readonly [string, Played])[]];
    // What is the same everywhere is also what it should be.
    expect(
      Object.values(first.told).map((each) =>
        each.map(({ kind, error, isReplay }) => [kind, (error as JsonObject | undefined)?.["code"] ?? isReplay]),
      ),
    ).toEqual([
      [["completed", false]],
      [["completed", false]],
      [["denied", "PERMISSION_DENIED"]],
      [
        ["pending", undefined],
        ["completed", false],
      ],
      [["completed", false]],
      [["completed", true]],
      [["failed", "KEY_REUSED"]],
      [["pending", undefined]],
      [["failed", "ARGUMENTS_INVALID"]],
      [["failed", "TOOL_NOT_FOUND"]],
      [["failed", "TOOL_TIMEOUT"]],
      [["unknown", "TOOL_TIMEOUT"]],
    ]);
    expect(first.told["a repaired argument"]?.[0]?.notices).toEqual([expect.stringContaining("was repaired")]);
    expect(first.ledger.filter((entry) => JSON.stringify(entry).includes('"policyVersion"')).length).toBeGreaterThan(8);
    for (const [name, other] of others) {
      expect(other.told, name).toEqual(first.told);
      expect(other.ledger, name).toEqual(first.ledger);
    }
  },
);
