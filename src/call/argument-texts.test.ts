import { expect, test, vi } from "vitest";
import { shopBox } from "../../test/support/box.ts";
import { ArgumentTexts } from "./argument-texts.ts";

test("of a plain read on a store that keeps nothing nobody works out text or digest of the arguments; of a write they do", async () => {
  const { turn } = await shopBox();
  const digest = vi.spyOn(ArgumentTexts.prototype, "effectiveDigest", "get");
  try {
    expect((await turn.call({ tool: "order.get", arguments: { orderId: "A-1" } })).outcome.kind).toBe("completed");
    expect(digest).not.toHaveBeenCalled();
    expect((await turn.call({ tool: "order.refund", arguments: { orderId: "A-1", amount: 20 } })).outcome.kind).toBe("completed");
    expect(digest).toHaveBeenCalled();
  } finally {
    digest.mockRestore();
  }
});
