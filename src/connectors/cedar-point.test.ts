import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeOf, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import type { PointRequest } from "../domain/decision-point.ts";
import type { JsonObject } from "../domain/json.ts";
import { cedarDecisionPoint, type CedarPointOptions } from "./cedar-point.ts";

const refund = { tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } };

const policies = `
@id("support-refunds")
permit (principal in Role::"support", action == Action::"order.refund", resource == Tool::"order.refund")
when { context.args.amount <= 50 && principal in Tenant::"acme" && principal.tenant == resource.source };

@id("eu-only")
@reason("refunds stay in the region")
forbid (principal, action, resource)
when { context.facts has order && context.facts.order.region != principal.region };
`;
const permissive = policies.replace(" && principal.tenant == resource.source", "");

function request(args: JsonObject, changes: Partial<PointRequest> = {}): PointRequest {
  return {
    principal: { tenant: "acme", user: "ada", roles: ["support"], attributes: { region: "eu", tenant: "other" } },
    tool: { name: "order.refund", version: "1.0.0", tier: "irreversible", source: "acme" },
    args,
    sessionId: "ses_1",
    facts: {},
    ...changes,
  };
}

const parts = { signal: new AbortController().signal, secret: () => Promise.resolve("") };

async function asked(question: PointRequest, options: Partial<CedarPointOptions> = {}) {
  return await (await cedarDecisionPoint({ name: "cedar", policies, ...options })).decide(question, parts);
}

describe("what Cedar is asked", () => {
  test(
    verifies("AUTH-11", "Cedar decides by role, tenant, tool, arguments, facts and attributes, and says which policy forbade"),
    async () => {
      expect(await asked(request({ amount: 50 }))).toEqual({ kind: "allow" });
      expect(await asked(request({ amount: 51 }))).toEqual({ kind: "deny", reason: "no Cedar policy permits it" });
      const { principal } = request({});
      expect(await asked(request({ amount: 5 }, { principal: { ...principal, roles: ["reader"] } }))).toMatchObject({ kind: "deny" });
      expect(await asked(request({ amount: 5 }, { principal: { ...principal, tenant: "other" } }))).toMatchObject({ kind: "deny" });
      expect(await asked(request({ amount: 5 }, { facts: { order: { region: "us" } } }))).toEqual({
        kind: "deny",
        reason: "eu-only: refunds stay in the region",
      });
    },
  );

  test("a policy that breaks denies, also one that only forbids and that Cedar would skip", async () => {
    const breaking =
      'permit (principal, action, resource);\n@id("b") forbid (principal, action, resource) when { context.args.absent == 1 };';
    expect(await asked(request({ amount: 5 }), { policies: breaking })).toMatchObject({
      kind: "garbage",
      problem: expect.stringMatching(/^the policy `b` broke/) as string,
    });
  });

  test("a model cannot name entities or functions, and nulls are absent", async () => {
    const who = 'permit (principal, action, resource) when { !(context.args has note) || context.args.note != "x" };';
    expect(await asked(request({ note: null }), { policies: who })).toEqual({ kind: "allow" });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("__entity", "__extn", "__expr"),
        fc.array(fc.constantFrom("list", "record"), { maxLength: 4 }),
        async (name, wraps) => {
          const entity: JsonObject = { [name]: { type: "Role", id: "admin" } };
          const note = wraps.reduce<JsonObject | readonly JsonObject[]>(
            (inner, wrap) => (wrap === "list" ? ([inner] as readonly JsonObject[]) : { inner: inner as JsonObject }),
            entity,
          );
          expect(await asked(request({ note: note as JsonObject }), { policies: who })).toMatchObject({ kind: "garbage" });
        },
      ),
      { numRuns: 30 },
    );
  });

  test("whole numbers are longs, others are exact decimals, and what is neither is not asked about", async () => {
    const dear = 'permit (principal, action, resource) when { context.args.amount.lessThan(decimal("20.51")) };';
    expect(await asked(request({ amount: 20.5 }), { policies: dear })).toEqual({ kind: "allow" });
    expect(await asked(request({ amount: 20.52 }), { policies: dear })).toMatchObject({ kind: "deny" });
    for (const amount of [20, 0.00001, 1e300, [null]])
      expect(await asked(request({ amount }), { policies: dear })).toMatchObject({ kind: "garbage" });
  });
});

describe("policies that are not valid", () => {
  const schema = `
entity Tenant; entity Role;
entity User in [Role, Tenant] { user: String, tenant: String, region: String };
entity Tool { version: String, tier: String, source: String };
action "order.refund" appliesTo {
  principal: User, resource: Tool,
  context: { args: { amount: Long, orderId?: String }, facts: { order?: { region: String } }, session: { id: String } },
};`;

  test.each([
    ["what cannot be read", { policies: "permit (principal,\n action" }, /2:8 .*unexpected end of input/],
    [
      "an attribute that the schema does not know",
      { schema, policies: policies.replace("principal.region", "principal.regoin") },
      /eu-only.*regoin.*region/,
    ],
    ["a schema that cannot be read", { schema: "entity User in" }, /schema/],
    [
      "two of one id",
      { policies: '@id("a") permit (principal, action, resource); @id("a") forbid (principal, action, resource);' },
      /two policies have the id `a`/,
    ],
    ["a template", { policies: "permit (principal == ?principal, action, resource);" }, /templates/],
  ])("%s", async (_what, options, words) => {
    await expect(cedarDecisionPoint({ name: "cedar", policies, ...options })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(words) as string,
    });
  });

  test("with a schema, a question that does not fit it is not decided", async () => {
    expect(await asked(request({ amount: 5 }), { schema })).toEqual({ kind: "allow" });
    expect(await asked(request({ amount: "5" }), { schema })).toMatchObject({ kind: "garbage" });
  });
});

test(
  verifies("AUTH-11", "Cedar only narrows: its no denies and is recorded, its yes leaves the policy's question, broken denies"),
  async () => {
    const { box, turn, shop } = await shopBox({
      decisionPoints: [await cedarDecisionPoint({ name: "cedar", policies: permissive, on: ["order.refund"] })],
    });
    expect((await turn.call(refund)).outcome.kind).toBe("completed");
    const tooMuch = await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 51 } });
    expect(codeOf(tooMuch)).toBe("PERMISSION_DENIED");
    // A decimal is no long, so the rule cannot be decided.
    expect(codeOf(await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 20.5 } }))).toBe("DECISION_FAILED");
    expect(shop.refunds).toHaveLength(1);
    const [entry] = await box.trail({ tenant: "acme", callId: tooMuch.callId, limit: 1 });
    expect(JSON.stringify(entry?.body)).toContain('"rule":"point:cedar"');
    await box.close();
  },
);

test(verifies("AUTH-11", "a configuration names Cedar's files; what is wrong in them stops the start"), async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-cedar-"));
  const config = join(folder, "signalbox.yaml");
  const point = "decisionPoints: { corp: { protocol: cedar, policies: ./corp.cedar, on: [order.refund] } }";
  await writeFile(config, `version: 1\nstore: memory\n${point}\n`);
  await expect(shopBox({ config })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("corp.cedar") as string,
  });
  await writeFile(join(folder, "corp.cedar"), "permit (principal, action, resource) when { context.args.amonut };;");
  await expect(shopBox({ config })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await writeFile(join(folder, "corp.cedar"), permissive);
  const { box, turn } = await shopBox({ config });
  expect((await turn.call(refund)).outcome.kind).toBe("completed");
  expect(codeOf(await turn.call({ ...refund, arguments: { orderId: "A-1", amount: 51 } }))).toBe("PERMISSION_DENIED");
  await box.close();
  await rm(folder, { recursive: true });
});
