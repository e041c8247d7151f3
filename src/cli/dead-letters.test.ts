import { appendFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { environment, makeFolder, run, start, startShop, type Ran, type Shop, type Spawned } from "./cli.fixture.ts";

/** Ids of the notices that came, and the statuses that the next ones are answered with. */
const came: string[] = [];
const statuses: number[] = [];
const hook = createServer((request, response) => {
  came.push(String(request.headers["webhook-id"]));
  request.resume();
  response.writeHead(statuses.shift() ?? 204).end();
});

let shop: Shop;
let folder: string;
let remove: () => Promise<void>;
let serving: Spawned;
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => {
    hook.listen(0, "127.0.0.1", resolve);
  });
  const host = `127.0.0.1:${(hook.address() as AddressInfo).port}`;
  shop = await startShop();
  ({ folder, remove } = await makeFolder(shop.port));
  const notify = `notify: { url: "http://${host}/hook", secret: secret://env/WEBHOOK_KEY, allowPrivate: ["${host}"] }\n`;
  await appendFile(join(folder, "signalbox.yaml"), notify);
  serving = start(folder, ["serve", "--json"], { WEBHOOK_KEY: `whsec_${Buffer.alloc(32, 7).toString("base64")}` });
  url = (JSON.parse(await serving.firstLine) as { address: string }).address;
});
afterAll(async () => {
  serving.stop();
  await serving.ended;
  await shop.close();
  await remove();
  hook.closeAllConnections();
  hook.close();
});

const as = async (key: keyof typeof environment, line: readonly string[]): Promise<Ran & { readonly json: Record<string, unknown> }> => {
  const ran = await run(folder, [...line, "--url", url, "--json"], { SIGNALBOX_KEY: environment[key] });
  return { ...ran, json: ran.out === "" ? {} : (JSON.parse(ran.out) as Record<string, unknown>) };
};

async function letters(): Promise<readonly { readonly id: string }[]> {
  return (await as("LEAD_KEY", ["dead-letters", "list", "--kind", "undelivered"])).json["letters"] as readonly { readonly id: string }[];
}

async function refund(orderId: string): Promise<void> {
  const line = ["call", "shop.refund", "--args", JSON.stringify({ orderId }), "--user", "ada", "--role", "support"];
  expect((await as("AGENT_KEY", line)).json).toMatchObject({ outcome: { kind: "pending" } });
}

test(
  verifies(
    "EXEC-10",
    "a webhook that is gone leaves letters, which are read, sent again once it is back, or put away from the command line",
  ),
  async () => {
    statuses.push(410, 410);
    await refund("A-1");
    await expect.poll(letters).toHaveLength(1);
    const [{ id } = { id: "" }] = await letters();
    expect(id).toBe(came[0]);
    const plainly = { SIGNALBOX_KEY: environment.LEAD_KEY };
    const shown = await run(folder, ["dead-letters", "show", id, "--url", url], plainly);
    expect(shown.out).toMatch(/the notice of `approval apr_\w+` did not reach `webhook`: it answered with status 410/);
    expect(shown.out).toMatch(/then retry it/);
    expect((await as("AGENT_KEY", ["dead-letters", "retry", id])).code).toBe(1);

    // Still gone: the letter comes back.
    expect((await as("LEAD_KEY", ["dead-letters", "retry", id])).json).toEqual({});
    await expect.poll(() => came.length).toBe(2);
    await expect.poll(letters).toMatchObject([{ id }]);
    const retried = await run(folder, ["dead-letters", "retry", id, "--url", url], plainly);
    expect(retried).toMatchObject({ code: 0, out: "sent again; the letter comes back where it does not arrive\n" });
    await expect.poll(() => came).toEqual([id, id, id]);
    expect(await letters()).toEqual([]);

    statuses.push(410);
    await refund("A-2");
    await expect.poll(letters).toHaveLength(1);
    const other = String(came.at(-1));
    const resolve = ["dead-letters", "resolve", other, "--note", "told by telephone"];
    expect(await as("LEAD_KEY", [...resolve, "--happened"])).toMatchObject({ code: 1, json: { error: { code: "REQUEST_INVALID" } } });
    expect((await as("LEAD_KEY", resolve)).code).toBe(0);
    expect(await letters()).toEqual([]);
    expect((await run(folder, ["audit", "trail", other])).out).toContain("dead-letter-closed");
  },
);
