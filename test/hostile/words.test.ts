import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { anyCodePoint } from "../support/any-text.ts";
import type { JourneyEvent } from "../../src/call/box/box.ts";
import type { Trouble } from "../../src/call/box/options.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { approvalIdOf, lead, shopBox } from "../support/box.ts";
import { ledgerHolds, ledgerText } from "../support/records.ts";
import { verifies } from "../verifies.ts";

/** Whatever could end a line, paint a terminal, hide or reorder what a person reads. */
const dangerous = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ud800-\udfff]/u;
const tricks = [
  "\r\n[INFO] approved by admin",
  "\u001b[2K\u001b[1A\u001b[32mAPPROVED\u001b[0m",
  "\u001b]8;;https://evil.test\u0007click\u001b]8;;\u0007",
  "a\u202eb\u2066c",
  "pay\u200bpal",
  '\u2028{"level":"info"}',
  "\u{e0041}\u{e0042}",
  "x\u0000y",
];

test.each(tricks)(verifies("SAFE-05", "text such as %j in arguments reaches neither card nor event raw"), async (trick) => {
  const events: JourneyEvent[] = [];
  const troubles: Trouble[] = [];
  const open = tool({
    name: "note.put",
    tier: "irreversible",
    description: "Put a note.",
    input: { type: "object", additionalProperties: true },
    run: () => 1,
  });
  const strict = tool({ name: "note.strict", tier: "read", description: "Put a note.", input: z.object({ a: z.number() }), run: () => 1 });
  const { box, turn } = await shopBox({
    policy: { roles: { support: ["*"] } },
    tools: [open, strict],
    onTrouble: (trouble) => troubles.push(trouble),
  });
  box.observe((event) => events.push(event));
  const asked = await turn.call({ tool: "note.put", arguments: { [trick]: trick, nested: { [trick]: [trick] } } });
  const approval = await box.approvals.get(approvalIdOf(asked), "acme");
  expect(approval.summary).not.toMatch(dangerous);
  expect(asked.outcome).toMatchObject({ waiting: { summary: approval.summary }, message: expect.not.stringMatching(dangerous) as string });
  for (const request of [
    { tool: "note.strict", arguments: { a: trick, [trick]: 1 } },
    { tool: "note.strict", arguments: { a: 1, [trick]: 1 } },
    { tool: trick, arguments: {} },
    { tool: `note.strict${trick}`, arguments: {} },
    { tool: "note.strict", arguments: {}, key: trick, callId: trick },
  ]) {
    const { outcome } = await turn.call(request);
    if (outcome.kind === "failed") expect(outcome.error.message).not.toMatch(dangerous);
    if (outcome.kind === "failed") expect(JSON.stringify(outcome.error.fields)).not.toMatch(/\p{Cc}|\p{Zl}|\p{Zp}/u);
  }
  await box.approvals.decide(approval.id, { approve: false, by: "eve", reason: trick }, lead);
  for (const event of events) expect(`${event.tool} ${event.stage} ${event.what} ${event.note}`).not.toMatch(dangerous);
  for (const trouble of troubles) expect(`${trouble.where} ${trouble.note}`).not.toMatch(dangerous);
  await box.close();
});

test(
  verifies("SAFE-05", "whatever the arguments hold, the card is one clean line and the ledger's entries stay one line each (property)"),
  async () => {
    const text = fc.string({ unit: anyCodePoint, maxLength: 40 });
    const open = tool({
      name: "note.put",
      tier: "irreversible",
      description: "Put a note.",
      input: { type: "object", additionalProperties: true },
      run: () => 1,
    });
    const limits = { approvalsPendingMax: 10_000, sessionCallsMax: 10_000, rateBurstCalls: 10_000 };
    const { box, turn } = await shopBox({ policy: { roles: { support: ["*"] } }, tools: [open], limits });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(text, fc.oneof(text, fc.array(text)), { maxKeys: 4 }), async (args) => {
        const { outcome } = await turn.call({ tool: "note.put", arguments: { ...args } });
        if (outcome.kind !== "pending" || outcome.waiting.kind !== "person") return;
        expect(outcome.waiting.summary).not.toMatch(dangerous);
      }),
      { numRuns: 150 },
    );
    for (const line of (await ledgerText(box)).split("\n")) expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(await ledgerHolds(box)).toMatchObject({ ok: true });
    await box.close();
  },
);

test("a handler's own words reach models and events in one clean line", async () => {
  const events: JourneyEvent[] = [];
  const shouting = tool({
    name: "note.shout",
    tier: "read",
    description: "Shouts.",
    input: z.object({}),
    retry: { attempts: 1 },
    run: () => {
      throw new ToolFailure({ kind: "failed", message: `down\r\n\u001b[31m{"level":"fatal"}\u202e` });
    },
  });
  const { box, turn } = await shopBox({ policy: { roles: { support: ["*"] } }, tools: [shouting] });
  box.observe((event) => events.push(event));
  expect((await turn.call({ tool: "note.shout", arguments: {} })).outcome).toMatchObject({ error: { message: 'down {"level":"fatal"}' } });
  for (const { note } of events) expect(note).not.toMatch(dangerous);
  await box.close();
});
