/**
 * Replays a public benchmark of customer service (a database, tools that ask nobody who is calling, right actions, and actions on other people's
 * records) through the product's own journey as a library with the memory store, under a policy that was written from the benchmark's written policy
 * (`bench/tau/<domain>.policy.yaml`). The customer confirms what the policy asks them to. Reports, against the bars that were set, what was denied
 * before the tool ran, and whether right actions had the results and left the database that they should.
 *
 * Does not measure: models, time, whether the customer would have confirmed.
 *
 * Run: node bench/tau/tau.ts --data DIR --domain retail [--json]
 */
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { canonicalJson } from "../../src/base/canonical-json.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import type { Signalbox } from "../../src/call/box/box.ts";
import { createSignalbox } from "../../src/call/box/signalbox.ts";
import type { Json, JsonObject } from "../../src/domain/json.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import type { Credential } from "../../src/domain/principal.ts";
import type { RegisteredTool } from "../../src/domain/tool.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";
import { airline } from "./airline.ts";
import { Refusal, type Database, type DataTool, type DomainPort } from "./domain.ts";
import { retail } from "./retail.ts";
import type { BoxSession } from "../../src/call/box/box-session.ts";

interface Action {
  readonly n: string;
  readonly a: JsonObject;
  readonly ok: boolean;
  readonly out: string;
}

interface Task {
  readonly id: string;
  readonly dom: string;
  readonly user: string | null;
  readonly actions: readonly Action[];
  readonly final: Readonly<Record<string, string>>;
}

interface Mutation {
  readonly id: string;
  readonly dom: string;
  readonly user: string | null;
  readonly rule: string;
  readonly n: string;
  readonly a: JsonObject;
  readonly expect: "deny" | "allow";
  readonly rawToolAccepts: boolean;
}

interface Row {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | undefined;
  readonly ok: boolean;
  readonly count: number;
}

interface Domain {
  readonly name: string;
  readonly database: Database;
  readonly tools: readonly DataTool[];
  readonly policy: unknown;
  readonly tasks: readonly Task[];
  readonly mutations: readonly Mutation[];
  readonly dataHash: string;
}

/** A box over a database that can be replaced, and the calls whose tool was reached. */
interface Stage {
  readonly box: Signalbox;
  readonly reached: Set<string>;
  /** Tools of the data that the port does not carry out: calls of them answer otherwise than they should. */
  readonly unknown: readonly string[];
  reset(): void;
  database(): Database;
}

const ports: Readonly<Record<string, DomainPort>> = { airline, retail };
const tenant = "shop";
/** Whoever nobody authenticated. It owns no record. */
const stranger = "nobody";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { data: { type: "string" }, domain: { type: "string", default: "retail" }, json: { type: "boolean", default: false } },
  });
  const port = Object.hasOwn(ports, values.domain) ? ports[values.domain] : undefined;
  if (values.data === undefined || port === undefined) {
    const known = Object.keys(ports).join(", ");
    process.stderr.write(`usage: node bench/tau/tau.ts --data DIR --domain NAME [--json]; domains with tools and a policy: ${known}\n`);
    process.exitCode = 2;
    return;
  }
  let stage: Stage;
  let domain: Domain;
  try {
    domain = readDomain(values.data, values.domain);
    stage = await open(domain, port);
  } catch (thrown) {
    process.stderr.write(
      `the data of ${values.domain} cannot be replayed: ${thrown instanceof Error ? thrown.message : "it is of another shape"}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const rows = [...(await goldRows(stage, domain)), ...(await mutationRows(stage, domain))];
  await stage.box.close();
  const meta = {
    command: `node bench/tau/tau.ts --data DIR --domain ${domain.name} --json`,
    versions: { node: process.version },
    machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    dataHash: domain.dataHash,
    policyHash: sha256Hex(canonicalJson(domain.policy as Json)),
    counts: { tasks: domain.tasks.length, mutations: domain.mutations.length, tools: domain.tools.length },
    toolsUnknown: stage.unknown,
    notMeasured: ["models", "time", "whether the customer would have confirmed"],
  };
  process.stdout.write(values.json ? `${JSON.stringify({ meta, rows })}\n` : table(rows));
  if (rows.some((row) => !row.ok)) process.exitCode = 1;
}

function readDomain(folder: string, name: string): Domain {
  const needed = [`${name}-db.json`, `${name}-tools.json`].map((file) => readFileSync(join(folder, file), "utf8"));
  const texts = [...needed, ...["tasks.jsonl", "authz-mutations.jsonl"].map((file) => orEmpty(join(folder, file)))];
  const [database = "", tools = "", tasks = "", mutations = ""] = texts;
  return {
    name,
    database: JSON.parse(database) as Database,
    tools: JSON.parse(tools) as DataTool[],
    policy: parse(readFileSync(join(import.meta.dirname, `${name}.policy.yaml`), "utf8")),
    tasks: lines<Task>(tasks).filter((task) => task.dom === name),
    mutations: lines<Mutation>(mutations).filter((mutation) => mutation.dom === name),
    dataHash: sha256Hex(texts.map(sha256Hex).join("")),
  };
}

/** Data may come without tasks, or without mutations. */
function orEmpty(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function lines<Line>(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Line);
}

async function open(domain: Domain, port: DomainPort): Promise<Stage> {
  const reached = new Set<string>();
  let database = structuredClone(domain.database);
  let implementations = port.tools(database);
  const unknown = domain.tools.map(({ name }) => name).filter((name) => !Object.hasOwn(implementations, name));
  const registered = [...domain.tools.filter(({ name }) => !unknown.includes(name)), ...port.lookups].map((said): RegisteredTool =>
    tool({
      name: said.name,
      description: said.description,
      input: said.parameters,
      tier: said.write ? "irreversible" : "read",
      source: domain.name,
      run: (args: unknown, { callId }) => {
        reached.add(callId);
        return carriedOut(implementations[said.name] as (args: never) => unknown, args);
      },
    }),
  );
  const box = await createSignalbox({
    tools: registered,
    policy: domain.policy,
    allowUnsafeMemory: true,
    // A replay asks far faster than the customers of the data did, also on a machine that is busy with other things.
    limits: { rateCallsPerMinute: 1_000_000, rateBurstCalls: 1_000_000, loopDelayMs: 600_000 },
  });
  return {
    box,
    reached,
    unknown,
    database: () => database,
    reset() {
      database = structuredClone(domain.database);
      implementations = port.tools(database);
    },
  };
}

function carriedOut(run: (args: never) => unknown, args: unknown): unknown {
  try {
    return structuredClone(run(args as never));
  } catch (thrown) {
    if (thrown instanceof Refusal) throw new ToolFailure({ kind: "rejected", message: thrown.message, effect: "none" });
    throw thrown;
  }
}

function sessionOf(stage: Stage, user: string | null): Promise<BoxSession> {
  return stage.box.session({ tenant, user: user ?? stranger, roles: ["customer"] });
}

/** Makes one call; where the policy asks the customer to confirm, they say yes. */
async function made(stage: Stage, session: BoxSession, action: { readonly n: string; readonly a: JsonObject }): Promise<Answer> {
  const answer = await session.turn().call({ tool: action.n, arguments: action.a });
  const { outcome } = answer;
  if (outcome.kind !== "pending" || outcome.waiting.kind !== "person" || outcome.waiting.gate !== "confirmation") return answer;
  const { user } = session.principal;
  const decided = await stage.box.approvals.decide(outcome.waiting.approvalId, { approve: true, by: user }, customerSaying(user));
  return decided.answer ?? answer;
}

function customerSaying(user: string): Credential {
  return {
    id: `customer-${user}`,
    tenant,
    actsFor: [],
    approves: ["self"],
    administers: false,
    words: "claimed",
    authenticatedAtMs: undefined,
  };
}

/** What the agent is given, in the form in which the data hashes it. The rest of a long result is read through its handle. */
async function outputHash(stage: Stage, session: BoxSession, answer: Answer): Promise<string> {
  const { outcome } = answer;
  if (outcome.kind !== "completed") return hash("error" in outcome ? outcome.error.message : "");
  const { value, handle } = outcome.result;
  if (value !== undefined || handle === undefined) return hash(value ?? null);
  let text = "";
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const page = await stage.box.readHandle(handle, session, { offset, limit: defaultLimits.handlePageCharsMax });
    text += page.text;
    offset = page.nextOffset;
  }
  return hash(JSON.parse(text));
}

function hash(value: unknown): string {
  return sha256Hex(typeof value === "string" ? value : canonicalJson(value as Json)).slice(0, 16);
}

async function goldRows(stage: Stage, { tasks, database }: Domain): Promise<readonly Row[]> {
  const actions = { count: 0, allowed: 0, equal: 0 };
  let finalsEqual = 0;
  for (const task of tasks) {
    stage.reset();
    const session = await sessionOf(stage, task.user);
    for (const action of task.actions) {
      const answer = await made(stage, session, action);
      actions.count += 1;
      const isSame = (await outputHash(stage, session, answer)) === action.out;
      // A right action that the tool itself refuses in the data, or that asks for a record that is not there, is refused in the very same words.
      if (isSame || (action.ok && answer.outcome.kind === "completed")) actions.allowed += 1;
      if (isSame) actions.equal += 1;
      else
        process.stderr.write(
          `${task.id}: ${action.n} answered otherwise (${answer.outcome.kind}${"error" in answer.outcome ? `: ${answer.outcome.error.message}` : ""})\n`,
        );
    }
    if (canonicalJson(changes(database, stage.database())) === canonicalJson(task.final)) finalsEqual += 1;
    else process.stderr.write(`${task.id}: the database is not what it should be\n`);
  }
  return [
    share("tau-gold-allowed", actions.allowed, actions.count, 100),
    share("tau-results-equal", actions.equal, actions.count, 100),
    share("tau-final-equal", finalsEqual, tasks.length, 100),
  ];
}

const baseHashes = new WeakMap<object, string>();

/** Hash of every record that differs from the base, by table and id. */
function changes(base: Database, now: Database): Record<string, string> {
  const changed: Record<string, string> = {};
  for (const [name, records] of Object.entries(now)) {
    for (const [id, record] of Object.entries(records)) {
      const after = hash(record);
      if (after !== hashOfBase(base[name]?.[id])) changed[`${name}/${id}`] = after;
    }
  }
  return changed;
}

/** The base never changes, so its hashes are made once. */
function hashOfBase(record: unknown): string | undefined {
  if (typeof record !== "object" || record === null) return record === undefined ? undefined : hash(record);
  let known = baseHashes.get(record);
  if (known === undefined) {
    known = hash(record);
    baseHashes.set(record, known);
  }
  return known;
}

interface Judged {
  readonly mutation: Mutation;
  readonly answer: Answer;
  readonly isReached: boolean;
  readonly isWithoutEffect: boolean;
}

async function mutationRows(stage: Stage, { mutations, database }: Domain): Promise<readonly Row[]> {
  const judged: Judged[] = [];
  stage.reset();
  for (const mutation of mutations) {
    // A conversation of its own for each, since repeated denials end one.
    const session = await sessionOf(stage, mutation.user);
    stage.reached.clear();
    const answer = await made(stage, session, mutation);
    const isReached = stage.reached.has(answer.callId);
    // Only a tool that was reached can have changed anything.
    const isWithoutEffect = !isReached || Object.keys(changes(database, stage.database())).length === 0;
    if (!isWithoutEffect) stage.reset();
    judged.push({ mutation, answer, isReached, isWithoutEffect });
  }
  const denials = judged.filter(({ mutation }) => mutation.expect === "deny");
  const accepted = denials.filter(({ mutation }) => mutation.rawToolAccepts);
  const allowed = judged.filter(({ mutation }) => mutation.expect === "allow");
  const isCompleted = ({ answer }: Judged): boolean => answer.outcome.kind === "completed";
  const isDenied = ({ answer, isReached }: Judged): boolean => answer.outcome.kind === "denied" && !isReached;
  const rules = [...new Set(denials.map(({ mutation }) => mutation.rule))].sort();
  return [
    share("tau-must-deny", accepted.filter(isDenied).length, accepted.length, 100),
    share(
      "tau-must-deny/with-what-the-tools-refuse",
      denials.filter((each) => !isCompleted(each) && each.isWithoutEffect).length,
      denials.length,
      100,
    ),
    share("tau-must-allow", allowed.filter(isCompleted).length, allowed.length, 100),
    ...rules.map((rule) => {
      const of = denials.filter(({ mutation }) => mutation.rule === rule);
      return share(
        `stopped-before-the-tool/${rule}`,
        of.filter((each) => !isCompleted(each) && !each.isReached).length,
        of.length,
        undefined,
      );
    }),
  ];
}

/** A share as a row. An empty population reaches every bar: data of the same shape may lack a kind. */
function share(id: string, right: number, count: number, bar: number | undefined): Row {
  const value = count === 0 ? 100 : (right / count) * 100;
  return { id, value: Math.floor(value * 1_000) / 1_000, unit: "%", bar, ok: bar === undefined || value >= bar, count };
}

function table(rows: readonly Row[]): string {
  const wide = Math.max(...rows.map((row) => row.id.length));
  const printed = rows.map(
    (row) =>
      `${row.ok ? "ok  " : "FAIL"}  ${row.id.padEnd(wide)}  ${`${row.value} ${row.unit}`.padStart(10)}  of ${String(row.count).padStart(6)}  ${row.bar === undefined ? "" : `bar ${row.bar}`}`,
  );
  return `${printed.join("\n")}\n`;
}

await main();
