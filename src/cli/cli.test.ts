import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { environment, makeFolder, run, start, startShop, type Ran, type Shop, type Spawned } from "./cli.fixture.ts";

let shop: Shop;
let folder: string;
let remove: () => Promise<void>;
let serving: Spawned;
let url: string;
beforeAll(async () => {
  shop = await startShop();
  ({ folder, remove } = await makeFolder(shop.port));
  serving = start(folder, ["serve", "--json"]);
  url = (JSON.parse(await serving.firstLine) as { address: string }).address;
});
afterAll(async () => {
  serving.stop();
  await serving.ended;
  await shop.close();
  await remove();
});

const agent = (line: readonly string[]): Promise<Ran> =>
  run(folder, [...line, "--url", url, "--json"], { SIGNALBOX_KEY: environment.AGENT_KEY });
const lead = (line: readonly string[]): Promise<Ran> =>
  run(folder, [...line, "--url", url, "--json"], { SIGNALBOX_KEY: environment.LEAD_KEY });
const forAda = ["--user", "ada", "--role", "support"];

describe("a whole installation", () => {
  test("says where a backup cannot be written", async () => {
    const ran = await run(folder, ["backup", "absent/copy.db"]);
    expect(ran).toMatchObject({
      code: 2,
      err: expect.stringMatching(/the folder of `.*copy\.db` is not there or cannot be written/) as string,
    });
  });

  test("says what is missing in a call instead of failing inside", async () => {
    const missing = await agent(["call", "shop.get_order", "--args", "@absent.json", ...forAda]);
    expect(missing.code).toBe(2);
    expect(missing.err).toMatch(/--args: `.*absent\.json` cannot be read; name a file after the @/);
    const nobody = await run(folder, ["call", "shop.get_order", "--role", "support", "--url", url], {
      SIGNALBOX_KEY: environment.AGENT_KEY,
    });
    expect(nobody).toMatchObject({ code: 2, err: expect.stringContaining("add `--user NAME`, or name a session") as string });
    const misspelt = await run(folder, ["call", "shop.get_order", "--args", '{"order":"A-1"}', ...forAda, "--url", url], {
      SIGNALBOX_KEY: environment.AGENT_KEY,
    });
    expect(misspelt.out).toContain("  /orderId must be given: a string; `order` is not an argument here; rename it to `orderId`");
  });

  test("calls a system over HTTP, asks a person, acts once, and proves it afterwards", async () => {
    const read = await agent(["call", "shop.get_order", "--args", '{"orderId":"A-1"}', ...forAda]);
    expect(read).toMatchObject({ code: 0 });
    expect(JSON.parse(read.out)).toMatchObject({
      outcome: { kind: "completed", result: { value: { path: "/orders/A-1", method: "GET" } } },
    });
    expect((await agent(["call", "shop.get_order", "--args", "-", ...forAda])).out).toContain("/orders/A-9");

    const asked = await agent(["call", "shop.refund", "--args", '{"orderId":"A-1"}', "--key", "r-1", ...forAda]);
    expect(asked.code).toBe(3);
    const { callId, outcome } = JSON.parse(asked.out) as { callId: string; outcome: { waiting: { approvalId: string } } };
    expect(shop.refunds).toEqual([]);
    expect((await agent(["approvals", "approve", outcome.waiting.approvalId])).code).toBe(1);
    expect(JSON.parse((await lead(["approvals", "list"])).out)).toMatchObject({ approvals: [{ id: outcome.waiting.approvalId }] });
    expect(JSON.parse((await lead(["approvals", "show", outcome.waiting.approvalId])).out)).toMatchObject({
      arguments: { orderId: "A-1" },
      card: { user: "ada", arguments: [{ name: "orderId", value: '"A-1"' }] },
    });
    expect((await lead(["approvals", "approve", outcome.waiting.approvalId])).code).toBe(0);
    await expect.poll(() => shop.refunds.length).toBe(1);

    const explained = await run(folder, ["policy", "explain", callId]);
    expect(explained).toMatchObject({ code: 0, out: expect.stringContaining("tier:irreversible") as string });
    expect(explained.out).toMatch(
      /^shop\.refund@\S+ for ada \(support\) under the credential agent\n[\s\S]*call-parked[^\n]*waits for the approval apr_[\s\S]*asked one person of `approver`[\s\S]*policy [0-9a-f]{12}[\s\S]*approval-decided[^\n]*\(lead\) approved[\s\S]*call-intended[^\n]*under the approval[\s\S]*call-settled[^\n]*completed, effect applied/,
    );
    expect(await run(folder, ["policy", "simulate"])).toMatchObject({ code: 0, out: expect.stringContaining("none differs") as string });
    await writeFile(
      join(folder, "tried.yaml"),
      "roles: { support: [shop.refund] }\nrules: [{ id: never, on: shop.refund, effect: deny }]\n",
    );
    const tried = await run(folder, ["policy", "simulate", "--since", "1h", "--policy", "tried.yaml"]);
    expect(tried).toMatchObject({ code: 1, out: expect.stringMatching(/allow → deny {2}shop\.get_order {2}ada/) as string });
    expect(tried.out).toMatch(new RegExp(`ask → deny  shop.refund  ada  \\S+  ${callId}\n  was   ask of approver by tier:irreversible`));
    const tallied = await run(folder, ["policy", "simulate", "--policy", "tried.yaml", "--json"]);
    expect(JSON.parse(tallied.out.trim().split("\n").at(-1) as string)).toMatchObject({ kind: "summary", judgedCount: 3, differsCount: 3 });
    expect((await run(folder, ["policy", "simulate", "--since", "a week"])).err).toContain("`7d`");
    expect((await run(folder, ["audit", "trail", callId, "--private"])).out).toMatch(/call-intended[\s\S]*A-1[\s\S]*call-settled/);
    expect(await run(folder, ["audit", "trail", "call_none"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("no entry") as string,
    });

    serving.stop();
    expect((await serving.ended).code).toBe(0);
    expect(await run(folder, ["audit", "verify", "--values"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("ledger intact") as string,
    });
    const receipt = await run(folder, ["audit", "receipt", callId]);
    expect(receipt.code).toBe(0);
    await writeFile(join(folder, "receipt.json"), receipt.out);
    const [, key = ""] = (await run(folder, ["audit", "keys"])).out.split(/\s+/);
    expect((await run(folder, ["audit", "verify-receipt", "receipt.json", "--public-key", key])).code).toBe(0);
    await writeFile(join(folder, "receipt.json"), receipt.out.replaceAll("acme", "acne"));
    expect((await run(folder, ["audit", "verify-receipt", "receipt.json"])).code).toBe(5);
    const lines = (await run(folder, ["audit", "export"])).out.trim().split("\n");
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.every((line) => "entry" in (JSON.parse(line) as object))).toBe(true);

    expect((await run(folder, ["backup", "copy.db"])).code).toBe(0);
    expect((await run(folder, ["backup", "copy.db"])).code).toBe(2);
    expect((await run(folder, ["restore", "copy.db"])).code).toBe(78);
    expect(await run(folder, ["restore", "copy.db", "--overwrite"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("epoch") as string,
    });

    serving = start(folder, ["serve", "--json"]);
    url = (JSON.parse(await serving.firstLine) as { address: string }).address;
    serving.stop();
    expect((await serving.ended).code).toBe(0);
    expect(await run(folder, ["audit", "verify"])).toMatchObject({ code: 0, out: expect.stringContaining("restored") as string });
    const db = new DatabaseSync(join(folder, "box.db"));
    db.exec("update entries set text = replace(text, 'acme', 'acne')");
    db.close();
    expect((await run(folder, ["audit", "verify"])).code).toBe(5);
  });
});

describe("exit codes and words", () => {
  test.each([
    ["an unknown command", ["serv"], 2, "nearest: `serve`"],
    ["an unknown flag", ["serve", "--cofig", "x"], 2, "nearest: `--config`"],
    ["a flag without its value", ["serve", "--config"], 2, "needs a value"],
    ["a missing argument", ["policy", "explain"], 2, "needs CALL"],
    ["an argument too many", ["version", "x"], 2, "does not take"],
    ["an unknown error code", ["errors", "TOOL_TIMEOT"], 2, "nearest: `TOOL_TIMEOUT`"],
    ["no key for the gateway", ["call", "x"], 2, "SIGNALBOX_KEY"],
    ["no configuration", ["policy", "show", "--config", "absent.yaml"], 78, "signalbox init"],
  ])("says what is wrong with %s", async (_, line, code, words) => {
    const ran = await run(folder, line);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(words);
  });

  test("tells a gateway that is not there from a call that failed", async () => {
    expect((await run(folder, ["call", "x", "--session", "s", "--url", "http://127.0.0.1:1"], { SIGNALBOX_KEY: "k" })).code).toBe(69);
  });

  test("shows every problem of a configuration in place, and as JSON", async () => {
    await writeFile(join(folder, "bad.yaml"), "version: 1\nstore: postgres://x\nlistn: a\n");
    const shown = await run(folder, ["policy", "check", "--config", "bad.yaml"]);
    expect(shown.code).toBe(78);
    expect(shown.err).toMatch(/bad\.yaml:2:8: .*\n {2}2 \| store: postgres:\/\/x\n {4}\| {8}\^\n[\s\S]*bad\.yaml:3:1[\s\S]*2 problems/);
    expect(JSON.parse((await run(folder, ["policy", "check", "--config", "bad.yaml", "--json"])).out)).toMatchObject({
      problems: [
        { line: 2, column: 8 },
        { line: 3, column: 1 },
      ],
    });
  });

  test("init writes once and never over a file", async () => {
    expect((await run(folder, ["init", "--config", "new.yaml"])).code).toBe(0);
    expect((await run(folder, ["init", "--config", "new.yaml"])).code).toBe(78);
    expect(await readFile(join(folder, "new.yaml"), "utf8")).toContain("version: 1");
  });

  test(verifies("AUTH-12", "policy test runs a table and fails with it"), async () => {
    await writeFile(
      join(folder, "table.yaml"),
      "cases:\n  - { name: read, user: ada, roles: [support], tool: shop.get_order, args: { orderId: a }, expect: allow }\n  - { name: nobody, user: eve, roles: [], tool: shop.get_order, args: { orderId: a }, expect: deny }\n",
    );
    expect(await run(folder, ["policy", "test", "table.yaml"])).toMatchObject({
      code: 0,
      out: expect.stringContaining("2 passed, 0 failed") as string,
    });
    await writeFile(
      join(folder, "table.yaml"),
      "cases:\n  - { name: refund, user: ada, roles: [support], tool: shop.refund, args: { orderId: a }, expect: allow }\n",
    );
    expect(await run(folder, ["policy", "test", "table.yaml"])).toMatchObject({
      code: 1,
      out: expect.stringContaining("0 passed, 1 failed") as string,
    });
  });

  test("serve listens for being told to stop before it opens anything, and closes what it has opened then", async () => {
    const { folder, remove } = await makeFolder(1);
    const files: string[] = [];
    const stopped = (): Promise<void> => {
      files.push(...readdirSync(folder));
      return Promise.resolve();
    };
    expect(await run(folder, ["serve", "--json"], {}, stopped)).toMatchObject({
      code: 0,
      out: expect.stringContaining("address") as string,
    });
    expect(files).toEqual(["signalbox.yaml"]);
    expect(readdirSync(folder)).not.toContain("box.db-lock.pid");
    await remove();
  });

  test("the program itself hands codes to the shell and keeps colour from pipes", async () => {
    const [help, wrong] = await Promise.all([start(folder, []).ended, start(folder, ["audit", "verfy"]).ended]);
    expect(help).toMatchObject({ code: 0, err: "" });
    expect(help.out).toContain("approvals approve ID");
    expect(help.out).not.toContain("\u001b");
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("nearest: `audit verify`") as string });
  });
});
