import { describe, expect, test } from "vitest";
import { z } from "zod";
import { verifies } from "../../test/verifies.ts";
import type { Tool } from "../domain/tool.ts";
import { createSignalbox, tool, type Signalbox, type SignalboxOptions } from "../index.ts";

const who = { tenant: "acme", user: "ada", roles: ["user"] };
const letter = {
  tool: "mail.send",
  arguments: { to: "bob@acme.example", body: "His passport is C01X00T47" },
};
const words = "Please send bob@acme.example a note about the trip";

async function boxWith(options: SignalboxOptions = {}, outputLabels: Tool["outputLabels"] = {}, redacts?: "personal"): Promise<Signalbox> {
  const read = tool({
    name: "file.read",
    tier: "read",
    description: "Read a file.",
    input: z.object({}),
    outputLabels,
    ...(redacts !== undefined && { redacts }),
    run: () => ({
      text: "Passport: C01X00T47\nIBAN: DE89 3704 0044 0532 0130 00",
      employee: { taxId: 12345678901, mail: "ann@acme.example" },
    }),
  });
  const send = tool({
    name: "mail.send",
    tier: "reversible",
    isEgress: true,
    isRepeatable: true,
    description: "Send a letter.",
    input: z.object({ to: z.string(), body: z.string() }),
    run: () => "sent",
  });
  return await createSignalbox({ tools: [read, send], allowUnsafeMemory: true, policy: { roles: { user: ["*"] } }, ...options });
}

async function sent(box: Signalbox, said = words): Promise<{ readonly kind: string; readonly trail: string }> {
  const turn = (await box.session(who)).turn({ said });
  await turn.call({ tool: "file.read", arguments: {} });
  const { outcome, callId } = await turn.call(letter);
  const trail = JSON.stringify(await box.trail({ tenant: "acme", callId, limit: 5 }));
  await box.close();
  return { kind: outcome.kind, trail };
}

describe("personal data of a tool that nobody described", () => {
  test(verifies("SAFE-02", "AUTH-09", "waits for a person before it leaves, and the reason names no value"), async () => {
    const { kind, trail } = await sent(await boxWith());
    expect(kind).toBe("pending");
    expect(trail).toContain("flow:R4:/body");
    expect(trail).toContain("it holds what looks like a passport number that was read");
  });

  test("leaves where the user asked for it", async () => {
    const { kind } = await sent(await boxWith(), "Please send bob@acme.example my passport number");
    expect(kind).toBe("completed");
  });

  test("is the owner's to label, and the box's to leave alone", async () => {
    expect((await sent(await boxWith({}, { "": { confidentiality: "internal", integrity: "trusted" } }))).kind).toBe("completed");
    const declared = await sent(await boxWith({ flow: { mode: "standard", personalData: "declared" } }));
    expect(declared.trail).not.toContain("looks like");
  });

  test("is only reported where the rules only observe", async () => {
    const { kind, trail } = await sent(await boxWith({ flow: { mode: "observe" } }));
    expect(kind).toBe("completed");
    expect(trail).toContain("would ask");
  });
});

test(verifies("SAFE-02", "is taken out of the results of a tool that says so, and of no other"), async () => {
  const reading = async (redacts?: "personal"): Promise<string> => {
    const box = await boxWith({}, {}, redacts);
    const session = await box.session(who);
    const { outcome, callId } = await session.turn({}).call({ tool: "file.read", arguments: {} });
    const kept = JSON.stringify([outcome, await box.trail({ tenant: "acme", callId, limit: 5 })]);
    await box.close();
    return kept;
  };
  const redacted = await reading("personal");
  expect(redacted).toContain("Passport: [redacted:passport]\\nIBAN: [redacted:bank-account]");
  expect(redacted).toContain('{\\"taxId\\":\\"[redacted:tax-id]\\",\\"mail\\":\\"[redacted:email]\\"}');
  expect(redacted).not.toMatch(/C01X00T47|0532 0130|12345678901|ann@acme/);
  expect(await reading()).toContain("C01X00T47");
});
