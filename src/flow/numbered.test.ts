import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { completeTool } from "../registry/complete.ts";
import { SessionKnowledge } from "./knowledge.ts";
import { saysNumbered } from "./numbered.ts";
import { Restrictions } from "./restrictions.ts";
import { traceCall } from "./trace.ts";
import { UserWords } from "./user-words.ts";

function gave(said: string, id: string, tool = "ticket.close", field = "ticket_id"): boolean {
  const words = new UserWords();
  words.add(said, true);
  return saysNumbered(id, { tool: { name: tool }, field }, words);
}

const shortId = fc.integer({ min: 0, max: 99 }).map(String);

describe("a short id that the user gave", () => {
  test("counts behind what it numbers, in any of the usual ways", () => {
    fc.assert(
      fc.property(shortId, (id) => {
        for (const said of [
          `Close ticket ${id}`,
          `please close tickets #${id}.`,
          `Schließe Ticket Nr. ${id}, bitte`,
          `ferme le no ${id}`,
          `close #${id}`,
        ])
          expect(gave(said, id), said).toBe(true);
      }),
    );
    expect(gave("Storniere die Rechnung 7", "7", "rechnung.storno", "nummer")).toBe(true);
    expect(gave("zamknij zgłoszenia numer 4, 15 i 9", "9")).toBe(true);
    expect(gave("close tickets 4, 5 and 19", "5")).toBe(true);
  });

  test("never counts where the number means something else, or is part of a longer one", () => {
    fc.assert(
      fc.property(shortId, (id) => {
        for (const said of [
          `close the ticket at ${id}`,
          `close the ${id} tickets`,
          `pay ${id} euros for the ticket`,
          `close ticket ${id}77`,
          `close ticket ${id}.5`,
          `the ticket ${id} pm show`,
          `Ticket ${id} Uhr`,
          `take ${id} % off each ticket ${id}%`,
        ])
          expect(gave(said, id), said).toBe(false);
      }),
    );
    expect(gave("close ticket 4, not my 5 other ones", "9")).toBe(false);
  });

  test("is no concern of longer ids, which are found as they are", () => {
    expect("1".repeat(fixedBounds.tracedCharsMin).length).toBeGreaterThan(2);
    expect(gave("close ticket 123", "123")).toBe(false);
    const noun = "q".repeat(fixedBounds.toolNounCharsMin);
    expect(gave(`close ${noun} 7`, "7", noun, "x")).toBe(true);
    expect(gave(`close ${noun.slice(1)} 7`, "7", noun.slice(1), "x")).toBe(false);
    expect(gave("close ticket 1", "")).toBe(false);
    expect(gave("close ticket .*", ".*")).toBe(false);
  });

  test(verifies("AUTH-09", "is what they named, and no other is"), () => {
    const close = completeTool({
      name: "ticket.close",
      description: "Close a ticket.",
      tier: "irreversible",
      inputSchema: { type: "object" },
      argumentRoles: { "/ticket_id": "ref" },
      asks: ["\\bclose\\b"],
    });
    const sizes = { slotsMax: 65_536, valuesMax: 100, circlesMax: 8 };
    const knowledge = new SessionKnowledge(new Restrictions(7, sizes, 0), sizes);
    knowledge.words.add("Please close ticket 42 for me", true);
    const effect = (id: number): string =>
      traceCall({ tool: close, args: { ticket_id: id }, isStanding: false, isStrict: false }, knowledge).effect;
    expect(effect(42)).toBe("allow");
    expect(effect(43)).toBe("ask");
  });
});
