import { expect, test } from "vitest";
import { z } from "zod";
import { shopBox } from "../../../test/support/box.ts";
import { settled } from "../../../test/support/manual-clock.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import { tool } from "../../registry/define.ts";

/** A tool that hangs for one order. */
function sender(sent: string[]) {
  return tool({
    name: "mail.send",
    tier: "reversible",
    description: "Send a mail.",
    input: z.object({ to: z.string() }),
    run: async ({ to }) => {
      if (to === "slow") await new Promise(() => undefined);
      sent.push(to);
      return { sent: to };
    },
  });
}

test(
  verifies("AUTH-15", "of calls whose time has come at once, one whose tool hangs keeps no other waiting, up to `recoveryAtOnceMax`"),
  async () => {
    for (const [recoveryAtOnceMax, expected] of [
      [2, ["ann", "bob"]],
      [1, []],
    ] as const) {
      const sent: string[] = [];
      const rules = [{ id: "cool", on: "mail.send", effect: "defer", for: "10m" }];
      const policy = { roles: { support: ["mail.*"] }, rules };
      const { turn, clock } = await shopBox({ tools: [sender(sent)], policy, limits: { recoveryAtOnceMax } });
      for (const to of ["slow", "ann", "bob"])
        expect((await turn.call({ tool: "mail.send", arguments: { to } })).outcome.kind).toBe("pending");
      await clock.advance(600_000 + defaultLimits.upkeepIntervalMs);
      await settled();
      expect(sent).toEqual(expected);
    }
  },
);
