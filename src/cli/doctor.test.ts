import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { makeFolder, run } from "./cli.fixture.ts";

let folder: string;
let remove: () => Promise<void>;
let sound: string;
beforeAll(async () => {
  ({ folder, remove } = await makeFolder(9));
  sound = await readFile(join(folder, "signalbox.yaml"), "utf8");
});
afterAll(() => remove());

interface Found {
  readonly check: string;
  readonly status: string;
  readonly message: string;
  readonly mend: string;
}

async function examine(
  change: (text: string) => string,
  variables: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly found: readonly Found[] }> {
  await writeFile(join(folder, "changed.yaml"), change(sound));
  const ran = await run(folder, ["doctor", "--config", "changed.yaml", "--json"], variables);
  return { code: ran.code, found: (JSON.parse(ran.out) as { findings: Found[] }).findings };
}

test(verifies("OPS-05", "finds nothing wrong with a sound installation"), async () => {
  const { code, found } = await examine((text) => text);
  expect(found.filter((finding) => finding.status !== "ok")).toEqual([]);
  expect(code).toBe(0);
});

test.each([
  ["a configuration with a problem", "configuration", "fail", (text: string) => text.replace("listen:", "listn:"), {}],
  ["a memory store", "store", "warn", (text: string) => text.replace("sqlite:./box.db", "memory"), {}],
  ["a folder that is not there", "store", "fail", (text: string) => text.replace("./box.db", "./absent/box.db"), {}],
  ["a secret that does not resolve", "credentials", "fail", (text: string) => text.replace("AGENT_KEY", "ABSENT_KEY"), {}],
  ["a key that is too short", "credentials", "fail", (text: string) => text, { AGENT_KEY: "short" }],
  [
    "two credentials with one key",
    "credentials",
    "fail",
    (text: string) => text,
    { AGENT_KEY: "same-key-00000000000000", LEAD_KEY: "same-key-00000000000000" },
  ],
  [
    "a role that the policy does not have",
    "credentials",
    "warn",
    (text: string) => text.replace("actsFor: [support]", "actsFor: [suport]"),
    {},
  ],
  ["nobody who could approve", "approvals", "warn", (text: string) => text.replace("approves: [approver]", "approves: [others]"), {}],
  [
    "a role that names no tool",
    "policy",
    "warn",
    (text: string) => text.replace("[shop.get_order, shop.refund, shop.pickup]", "[shop.get_ordr]"),
    {},
  ],
  ["a module that is not there", "tools", "fail", (text: string) => `${text}tools: { modules: [./absent.ts] }\n`, {}],
  ["no anchor", "ledger", "warn", (text: string) => text.replace(/anchors:.*\n/, ""), {}],
] as const)("names %s", async (_, check, status, change, variables) => {
  const { code, found } = await examine(change, variables);
  expect(found.filter((finding) => finding.check === check && finding.status === status).length).toBeGreaterThan(0);
  expect(code).toBe(status === "fail" ? 1 : found.some((finding) => finding.status === "fail") ? 1 : 0);
  expect(JSON.stringify(found)).not.toContain("same-key-0000");
});

test(verifies("OPS-05", "names a key file that others can read, with the command that mends it"), async () => {
  await writeFile(join(folder, "box.keys"), "{}");
  await chmod(join(folder, "box.keys"), 0o644);
  const { found } = await examine((text) => text);
  await rm(join(folder, "box.keys"));
  expect(found.find((finding) => finding.check === "keys")).toMatchObject({
    status: "fail",
    mend: expect.stringMatching(/^chmod 600 /) as string,
  });
});

test("names an address that another program has", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { found } = await examine((text) => text.replace("127.0.0.1:0", `127.0.0.1:${(server.address() as AddressInfo).port}`));
  server.close();
  expect(found.find((finding) => finding.check === "address")).toMatchObject({ status: "warn" });
});

test("names the line of what a policy gets wrong, and does not miss tools that only a running gateway knows", async () => {
  const { found } = await examine((text) =>
    text
      .replace("[shop.get_order, shop.refund, shop.pickup]", "[shop.get_ordr, docs.*]")
      .replace("sources:\n", "sources:\n  docs: { mcp: { command: [no-such-program] } }\n"),
  );
  expect(found.filter(({ check }) => check === "policy")).toMatchObject([
    { status: "warn", message: expect.stringMatching(/changed\.yaml:\d+:\d+: `shop\.get_ordr` names no registered tool/) as string },
  ]);
});

test("says of a module why it does not load, but not what it throws itself", async () => {
  await writeFile(join(folder, "lost.mjs"), 'import "no-such-package";\n');
  await writeFile(join(folder, "broken.mjs"), 'throw new Error("the password is hunter2");\n');
  const of = async (module: string): Promise<string> =>
    JSON.stringify((await examine((text) => `${text}tools: { modules: [./${module}] }\n`)).found.filter(({ check }) => check === "tools"));
  expect(await of("absent.ts")).toMatch(/`tools\.modules` cannot be loaded: cannot find /);
  expect(await of("lost.mjs")).toMatch(/cannot be loaded: .*no-such-package/);
  const broken = await of("broken.mjs");
  expect(broken).toContain("cannot be loaded: it throws; run it with node to see what");
  expect(broken).not.toContain("hunter2");
});

test("says of a folder that it is no file, and of a tab nothing else", async () => {
  const folded = await run(folder, ["doctor", "--config", "."]);
  expect(folded.out).toContain("this is a folder");
  const { found } = await examine((text) => text.replace(/^ {2}(lead|operator)/gm, "\t$1"));
  expect(found.filter(({ check }) => check === "configuration").map(({ message }) => message.replace(/^.*: /, ""))).toEqual([
    "a tab is used for indentation",
    "a tab is used for indentation",
  ]);
});
