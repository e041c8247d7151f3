import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSignalbox } from "../call/box/signalbox.ts";
import { run } from "./cli.fixture.ts";

const yaml = `version: 1
store: memory
credentials: {}
sources:
  mail:   # the mailbox
    http:
      url: https://mail.example.com
      tools:
        send:
          method: POST
          path: /send
          tier: reversible
          description: Send a letter.
          input:
            type: object
            properties:
              recipients: { type: array, items: { type: string } }
              replyBy: { type: string, format: date }
              x1: { type: string, description: The address of the second reader. }
              zz: { type: string }
              loud: { type: boolean }
              mode: { enum: [fast, slow] }
        pay:
          method: POST
          path: /pay
          tier: irreversible
          description: Pay.   # half declared
          input: { type: object, properties: { iban: { type: string }, amount: { type: number }, note: { type: string } } }
          arguments: { iban: target }
          labels: { "": trusted, /note: { confidentiality: confidential, categories: [personal] } }
policy: { roles: {} }
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "signalbox-roles-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("the roles of arguments are shown with who says so, and the lines that would declare the guesses", async () => {
  await writeFile(join(folder, "signalbox.yaml"), yaml);
  const shown = await run(folder, ["tools", "roles", "--json"]);
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(shown.out)).toEqual({
    tools: [
      {
        tool: "mail.send",
        source: "mail",
        arguments: [
          { name: "recipients", role: "target", from: "name", word: "recipients", confidence: "medium", now: "target" },
          { name: "replyBy", role: "date", from: "format", word: "date", confidence: "high", now: "date" },
          { name: "x1", role: "target", from: "description", word: "address", confidence: "low" },
          { name: "zz", from: "nothing", confidence: "none" },
        ],
      },
      {
        tool: "mail.pay",
        source: "mail",
        arguments: [
          { name: "iban", role: "target", from: "declared", confidence: "certain", now: "target" },
          { name: "amount", role: "amount", from: "name", word: "amount", confidence: "medium", now: "content" },
          { name: "note", role: "content", from: "name", word: "note", confidence: "medium", now: "content" },
        ],
      },
    ],
  });
  const text = (await run(folder, ["tools", "roles"])).out;
  expect(text).toMatch(/recipients +target +medium +name `recipients`/);
  expect(text).toMatch(/amount +amount +medium +name `amount` +counts as content now/);
  expect(text).toContain(`sources:
  mail:
    http:
      tools:
        send:
          arguments: { recipients: target, replyBy: date, x1: target }
        pay:
          arguments: { amount: amount, note: content }
`);
  expect((await run(folder, ["tools", "roles", "nobody"])).code).toBe(1);
  expect((await run(folder, ["tools", "roles", "--write"])).code).toBe(2);
});

test("what is written stands in the file with everything else as it was, and is then declared", async () => {
  await writeFile(join(folder, "signalbox.yaml"), yaml);
  expect((await run(folder, ["tools", "roles", "mail", "--write", "--json"])).out).toContain("mail.send");
  const after = await readFile(join(folder, "signalbox.yaml"), "utf8");
  expect(after).toContain("# the mailbox");
  expect(after).toContain("# half declared");
  expect(after).toContain("arguments: { iban: target, amount: amount, note: content }");
  expect((await run(folder, ["tools", "roles", "mail", "--write"])).out).toMatch(/^nothing to write/);
  await using box = await createSignalbox({ config: join(folder, "signalbox.yaml"), allowUnsafeMemory: true });
  const [pay, send] = box.tools();
  expect(send?.argumentRoles).toEqual({ "/recipients": "target", "/replyBy": "date", "/x1": "target" });
  expect(pay?.outputLabels).toEqual({
    "": { integrity: "trusted" },
    "/note": { confidentiality: "confidential", categories: ["personal"] },
  });
});

test("an operator's roles and labels of an MCP server's tools are read, and a role that does not exist is refused", async () => {
  const server = (role: string): string => `version: 1
store: memory
credentials: {}
sources:
  docs:
    mcp:
      command: [${JSON.stringify(process.execPath)}]
      tools: { write_file: { arguments: { path: ${role} }, asks: [save], labels: { "": directory } } }
policy: { roles: {} }
`;
  await writeFile(join(folder, "signalbox.yaml"), server("target"));
  expect((await run(folder, ["tools", "list"])).code).toBe(0);
  await writeFile(join(folder, "signalbox.yaml"), server("nothing"));
  const refused = await run(folder, ["tools", "list"]);
  expect(refused.code).not.toBe(0);
  expect(refused.err).toMatch(/signalbox\.yaml:8:/);
});
