import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";
import packageJson from "../../package.json" with { type: "json" };
import { defaultLimits } from "../../src/base/limits.ts";
import { commands } from "../../src/cli/commands.ts";
import { checkPolicy } from "../../src/policy/check.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { shop } from "../support/box.ts";

/** What the documents show must be so: their code runs, their commands exist, their links lead somewhere. */

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");

function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] as string);
}

const [example = ""] = blocks("ts");
const [policyText = ""] = blocks("yaml");

/** The example as a program: what it takes from around it is given before, and what came of it is printed after. */
function program(policy: unknown): string {
  const source = example
    .replace('from "signalbox"', `from ${JSON.stringify(pathToFileURL(join(root, "src/index.ts")).href)}`)
    .replace('from "zod"', `from ${JSON.stringify(import.meta.resolve("zod"))}`);
  return `const policy = ${JSON.stringify(policy)};
const refunds = [];
const shop = {
  async refund(orderId, amount, { key, signal }) {
    refunds.push({ orderId, amount, hasKey: typeof key === "string", hasSignal: signal instanceof AbortSignal });
    return { refunded: amount };
  },
};
const messages = [{ role: "user", content: "Please refund 20 euros of order A-1042" }];
const model = {
  async generate({ tools }) {
    const name = tools[0].function.name;
    const call = { id: "c1", type: "function", function: { name, arguments: JSON.stringify({ orderId: "A-1042", amount: 20 }) } };
    return { choices: [{ finish_reason: "tool_calls", message: { role: "assistant", tool_calls: [call] } }] };
  },
};
${source}
console.log(JSON.stringify({ refunds, messages }));
`;
}

async function runProgram(source: string): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-readme-"));
  try {
    await writeFile(join(folder, "example.ts"), source);
    const child = spawn(process.execPath, ["example.ts"], { cwd: folder, env: { PATH: "" } });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    return await new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("the example in TypeScript runs as it stands: the refund is made once and the model is answered", async () => {
  const { roles, rules } = parse(policyText) as { readonly roles: unknown; readonly rules: readonly { readonly when: string }[] };
  // The example declares no tool that could look up an order.
  const ran = await runProgram(program({ roles, rules: rules.filter(({ when }) => !when.includes("facts.")) }));
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse(ran.out)).toMatchObject({
    refunds: [{ orderId: "A-1042", amount: 20, hasKey: true, hasSignal: true }],
    messages: [{ role: "user" }, { role: "tool", tool_call_id: "c1", content: expect.stringContaining('"refunded":20') as string }],
  });
});

test("the policy in YAML is sound and fits tools of these names", () => {
  const parsed = parsePolicy(parse(policyText), defaultLimits);
  expect("problems" in parsed ? parsed.problems : []).toEqual([]);
  if (!("policy" in parsed)) return;
  const tools = shop().tools.map(({ tool }) => tool);
  expect(checkPolicy(parsed.policy, tools, defaultLimits)).toEqual([]);
});

test("every command that the README names exists", () => {
  const scripts = [...readme.matchAll(/\bnpm (start|test|run [\w:]+)/g)].map((match) => (match[1] as string).replace("run ", ""));
  expect(scripts).toContain("start");
  for (const script of scripts) expect(Object.keys(packageJson.scripts)).toContain(script);
  const names = new Set(commands.flatMap(({ name }) => [name, name.split(" ")[0] as string]));
  const named = [...readme.matchAll(/signalbox (init|doctor|serve|help)\b/g)].map((match) => match[1] as string);
  // Such as `policy check|test|explain`.
  const list = /lists the commands: (.*?);/s.exec(readme)?.[1] ?? "";
  for (const [, words = ""] of list.matchAll(/`([^`]+)`/g)) {
    const [family = "", members] = words.split(" ");
    named.push(...(members === undefined ? [family] : members.split("|").map((member) => `${family} ${member}`)));
  }
  expect(named.length).toBeGreaterThan(15);
  for (const name of named) expect(names).toContain(name);
});

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

test.each(documents)("every link of %s to a file leads to one", (document) => {
  const text = readFileSync(join(root, document), "utf8").replace(/^```.*?^```/gms, "");
  const links = [...text.matchAll(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g)].map((match) => match[1] as string);
  const files = links.filter((link) => !/^[a-z]+:/.test(link));
  for (const link of files) expect(existsSync(join(root, dirname(document), link)), link).toBe(true);
});

test("every file and folder that the architecture names exists", () => {
  const text = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const named = [...text.matchAll(/`((?:src|test|scripts|docs|examples|bench)\/[\w./-]*)`/g)].map((match) => match[1] as string);
  expect(named.length).toBeGreaterThan(20);
  for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
});

test("the README stays short enough to be read", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(120);
});
