import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { environment, makeFolder, run, start, startShop } from "./cli.fixture.ts";

test("a running gateway takes over a policy that is edited, names a broken one with its line, and reads again on SIGHUP", async () => {
  const shop = await startShop();
  const { folder, remove } = await makeFolder(shop.port);
  const serving = start(folder, ["serve", "--json"]);
  try {
    const url = (JSON.parse(await serving.firstLine) as { readonly address: string }).address;
    const file = join(folder, "signalbox.yaml");
    const sound = await readFile(file, "utf8");
    const code = async (): Promise<number> =>
      (
        await run(folder, ["call", "shop.get_order", "--args", '{"orderId":"A-1"}', "--user", "ada", "--role", "support", "--url", url], {
          SIGNALBOX_KEY: environment.AGENT_KEY,
        })
      ).code;
    expect(await code()).toBe(0);
    await writeFile(file, sound.replace("shop.get_order, shop.refund", "shop.refund"));
    await expect.poll(code, { timeout: 15_000 }).toBe(1);
    await writeFile(file, sound.replace("roles:", "rols:"));
    const line = sound.split("\n").findIndex((each) => each.includes("roles:")) + 1;
    await expect.poll(() => serving.errors(), { timeout: 15_000 }).toContain(`signalbox.yaml:${line}:`);
    expect(await code()).toBe(1);
    await writeFile(file, sound);
    serving.signal("SIGHUP");
    await expect.poll(code, { timeout: 15_000 }).toBe(0);
  } finally {
    serving.stop();
    expect((await serving.ended).code).toBe(0);
    await shop.close();
    await remove();
  }
}, 180_000);

test(
  verifies("AUTH-12", "a gateway that starts with a broken policy goes on with the last sound one, says so, and takes the mended one over"),
  async () => {
    const shop = await startShop();
    const { folder, remove } = await makeFolder(shop.port);
    const file = join(folder, "signalbox.yaml");
    const sound = await readFile(file, "utf8");
    const broken = sound.replace("roles:", "rols:");
    const refund = ["call", "shop.get_order", "--args", '{"orderId":"A-1"}', "--user", "ada", "--role", "support"];
    const codeAt = async (url: string): Promise<number> =>
      (await run(folder, [...refund, "--url", url], { SIGNALBOX_KEY: environment.AGENT_KEY })).code;
    const addressOf = async (line: Promise<string>): Promise<string> => (JSON.parse(await line) as { readonly address: string }).address;

    // A store that never had a policy has none to go on with.
    await writeFile(file, broken);
    const none = await start(folder, ["serve", "--json"]).ended;
    expect(none).toMatchObject({ code: 78, err: expect.stringContaining("the store holds none to go on with") as string });

    await writeFile(file, sound.replace("shop.get_order, shop.refund", "shop.refund"));
    const first = start(folder, ["serve", "--json"]);
    expect(await codeAt(await addressOf(first.firstLine))).toBe(1);
    first.stop();
    await first.ended;

    await writeFile(file, broken);
    const second = start(folder, ["serve", "--json"]);
    const url = await addressOf(second.firstLine);
    expect(await codeAt(url)).toBe(1);
    await expect.poll(() => second.errors(), { timeout: 15_000 }).toContain("policy-kept");
    expect(second.errors()).toContain("config-refused");
    await writeFile(file, sound);
    await expect.poll(() => codeAt(url), { timeout: 15_000 }).toBe(0);
    second.stop();
    await second.ended;
    await shop.close();
    await remove();
  },
  180_000,
);

test(
  verifies("SAFE-03", "a running gateway that is told of another key takes calls with it, and none with the one before"),
  async () => {
    const shop = await startShop();
    const { folder, remove } = await makeFolder(shop.port);
    const nextKey = "next-agent-key-000000000000";
    const serving = start(folder, ["serve", "--json"], { NEXT_KEY: nextKey });
    try {
      const url = (JSON.parse(await serving.firstLine) as { readonly address: string }).address;
      const line = ["call", "shop.get_order", "--args", '{"orderId":"A-1"}', "--user", "ada", "--role", "support", "--url", url];
      const codeWith = async (key: string): Promise<number> => (await run(folder, line, { SIGNALBOX_KEY: key })).code;
      expect([await codeWith(environment.AGENT_KEY), await codeWith(nextKey)]).toEqual([0, 1]);
      const file = join(folder, "signalbox.yaml");
      await writeFile(file, (await readFile(file, "utf8")).replace("env/AGENT_KEY", "env/NEXT_KEY"));
      await expect.poll(() => codeWith(nextKey), { timeout: 15_000 }).toBe(0);
      expect(await codeWith(environment.AGENT_KEY)).toBe(1);
    } finally {
      serving.stop();
      await serving.ended;
      await shop.close();
      await remove();
    }
  },
  180_000,
);
