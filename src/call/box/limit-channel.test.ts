import { expect, test } from "vitest";
import { codeOf, shopBox } from "../../../test/support/box.ts";
import { world } from "../../../test/support/shared-world.ts";
import { verifies } from "../../../test/verifies.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { Trouble } from "./options.ts";

const read = { tool: "order.get", arguments: { orderId: "A-1" } };

test(
  verifies("EXEC-03", "while the Redis of `sharedLimits` is away limits are told through the store, calls go on, and health says so"),
  async () => {
    const troubles: Trouble[] = [];
    const shared = {
      ...world(),
      limits: { rateCallsPerMinute: 1, rateBurstCalls: 3 },
      sharedLimits: "redis://127.0.0.1:1" as const,
      onTrouble: (trouble: Trouble) => void troubles.push(trouble),
    };
    const first = await shopBox(shared);
    const second = await shopBox(shared);
    await shared.clock.advance(2 * defaultLimits.pulseMs);
    // `channelPulseMs` is faster than the store's pulse, or nobody would need it; the other bounds are `channelAwayMs` and the store's own.
    expect(defaultLimits.channelPulseMs).toBeLessThan(defaultLimits.pulseMs);
    for (let call = 0; call < 3; call += 1) expect((await first.turn.call(read)).outcome.kind).toBe("completed");
    await shared.clock.advance(2 * defaultLimits.pulseMs);
    expect(codeOf(await second.turn.call(read))).toBe("RATE_LIMITED");
    expect(first.box.health().problems).toEqual([]);
    await shared.clock.advance(2 * defaultLimits.channelAwayMs);
    expect(first.box.health()).toMatchObject({
      ready: true,
      problems: [`the Redis server \`127.0.0.1:1\` of \`sharedLimits\` cannot be reached; limits are told through the store`],
    });
    expect(troubles.map(({ where }) => where)).toEqual(["sharedLimits", "sharedLimits"]);
    await Promise.all([first.box.close(), second.box.close()]);
  },
);

test("an address may be a secret, and neither it nor its password is said", async () => {
  const address = "http://me:hunter2@127.0.0.1:1";
  const shared = { ...world(), environment: { REDIS_URL: address }, sharedLimits: "secret://env/REDIS_URL" as const };
  await expect(shopBox(shared)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: "the address of `sharedLimits` is not one of Redis; write `redis://host:6379`",
  });
});

test("`sharedLimits` beside a store that no other process can share is refused", async () => {
  await expect(shopBox({ sharedLimits: "redis://127.0.0.1:1" })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("use a `postgres://` store") as string,
  });
});
