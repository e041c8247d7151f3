import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { codeOf, shop, shopBox } from "../../test/support/box.ts";
import { verifies } from "../../test/verifies.ts";
import { tool } from "../registry/define.ts";
import { startTestServer, type TestServer } from "../store/postgres.fixture.ts";
import type { SignalboxOptions } from "./box/options.ts";
import type { CallRequest } from "./box/box-session.ts";

const racerCount = 100;
const limits = {
  rateBurstCalls: 10_000,
  sessionCallsMax: 10_000,
  sessionDenialsMax: 1_000,
  callsRunningMax: 1_000,
  toolConcurrentMax: 200,
  sourceConcurrentMax: 200,
};
const roles = { support: ["*"] };
const waived = { id: "waived", on: "order.refund", effect: "allow", waives: "tier" };

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), "signalbox-races-"));
beforeAll(async () => {
  server = await startTestServer();
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Stores, and how many boxes may be open on one of them at once. */
const kinds = [
  { kind: "SQLite", boxCount: 1, store: (name: string) => Promise.resolve(`sqlite:${join(folder, `${name}.db`)}`) },
  { kind: "PostgreSQL", boxCount: 3, store: () => server.newDatabase() },
] as const;

type Boxes = readonly Awaited<ReturnType<typeof shopBox>>[];

async function race(boxes: Boxes, racers: readonly CallRequest[]): Promise<readonly string[]> {
  const answers = await Promise.all(racers.map(async (request, index) => await boxes[index % boxes.length]?.turn.call(request)));
  return answers.map((answer) =>
    answer?.outcome.kind === "completed" ? "completed" : String(codeOf(answer as NonNullable<typeof answer>)),
  );
}

function tally(endings: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(endings, (ending) => ending)].map(([ending, each]) => [ending, each.length]));
}

describe.each(kinds)("racing calls on $kind", ({ kind, boxCount, store }) => {
  async function open(name: string, options: Partial<SignalboxOptions>): Promise<{ readonly boxes: Boxes; readonly refunds: unknown[] }> {
    const address = (await store(name)) as SignalboxOptions["store"] & string;
    const made = shop();
    const shared = { ...options, limits, store: address, keys: join(folder, `keys-${kind}-${name}`), shop: made };
    const boxes = [await shopBox(shared)];
    for (let count = 1; count < boxCount; count += 1) boxes.push(await shopBox({ ...shared, clock: (boxes[0] as Boxes[0]).clock }));
    return { boxes, refunds: made.refunds };
  }

  test.each([1, 17, 99])(
    verifies("AUTH-13", `of ${racerCount} calls that race for a sequence of at most %i exactly as many run`),
    async (max) => {
      const policy = { roles, rules: [waived], sequences: [{ id: "few", on: "order.refund", max, per: "24h" }] };
      const { boxes, refunds } = await open(`count-${max}`, { policy });
      const racers = Array.from({ length: racerCount }, (_, index) => ({
        tool: "order.refund",
        arguments: { orderId: `A-${1 + (index % 2)}`, amount: 1 + index },
        key: `k-${index}`,
      }));
      expect(tally(await race(boxes, racers))).toEqual({ completed: max, BUDGET_EXCEEDED: racerCount - max });
      expect(refunds).toHaveLength(max);
      await Promise.all(boxes.map(({ box }) => box.close()));
    },
    60_000,
  );

  test(
    verifies(
      "AUTH-08",
      `of ${racerCount} calls that race to bring classes of data together only those of the allowed number of classes run`,
    ),
    async () => {
      const sources = ["erp", "hr", "mail", "crm"];
      const read: string[] = [];
      const tools = sources.map((source) =>
        tool({
          name: `${source}.read`,
          tier: "read",
          source,
          description: `Read from ${source}.`,
          input: z.object({ id: z.string() }),
          run: ({ id }) => {
            read.push(source);
            return `${source} ${id}`;
          },
        }),
      );
      const classes = Object.fromEntries(sources.map((source) => [source, `source:${source}`]));
      const policy = { roles, separation: [{ id: "apart", classes, atMost: 2, keep: "24h" }] };
      const { boxes } = await open("separation", { policy, tools });
      const racers = Array.from({ length: racerCount }, (_, index) => ({
        tool: `${sources[index % sources.length] as string}.read`,
        arguments: { id: String(index) },
      }));
      const endings = await race(boxes, racers);
      expect(new Set(read).size).toBe(2);
      expect(tally(endings)).toEqual({ completed: racerCount / 2, PERMISSION_DENIED: racerCount / 2 });
      expect(read).toHaveLength(racerCount / 2);
      await Promise.all(boxes.map(({ box }) => box.close()));
    },
    60_000,
  );
});
