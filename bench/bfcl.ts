/**
 * Replays function calls of a public benchmark (tools, right calls and mutated calls; see the README beside the data) through the same validation,
 * naming and codecs as the product. Reports what share is right, against the bars that were set. Nothing here knows a single case.
 *
 * Does not measure: models, policy, execution, time; arguments nested deeper than the data's.
 *
 * Run: node bench/bfcl.ts --data DIR [--json]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { canonicalJson } from "../src/base/canonical-json.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { defaultLimits } from "../src/base/limits.ts";
import { codecFor } from "../src/codec/codec.ts";
import { createNameMap } from "../src/codec/names.ts";
import type { JsonObject } from "../src/domain/json.ts";
import type { Form } from "../src/domain/tool-call.ts";
import type { Tool } from "../src/domain/tool.ts";
import type { FieldProblem } from "../src/errors/tool-call-error.ts";
import { completeTool } from "../src/registry/complete.ts";
import { createRegistry } from "../src/registry/registry.ts";
import { createArgumentValidator, type Validation } from "../src/schema/validate.ts";

interface DataTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
}

interface DataCall {
  readonly n: string;
  readonly a: JsonObject;
  /** 1 valid, 2 valid once a null is dropped, 0 the benchmark's own call violates its schema. */
  readonly v: 0 | 1 | 2;
}

interface DataCase {
  readonly id: string;
  readonly t: readonly number[];
  readonly calls: readonly DataCall[];
}

interface Mutation {
  readonly i: string;
  readonly k: string;
  readonly p: string;
  readonly a: JsonObject;
  readonly n?: string;
  readonly h?: string;
}

interface Row {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  /** The value to reach; undefined where none was set. */
  readonly bar: number | undefined;
  readonly ok: boolean;
  readonly count: number;
}

interface Judged {
  readonly mutation: Mutation;
  readonly gold: DataCall;
  readonly checked: Validation;
}

const validate = createArgumentValidator(defaultLimits);

function main(): void {
  const { values } = parseArgs({ options: { data: { type: "string" }, json: { type: "boolean", default: false } } });
  if (values.data === undefined) {
    process.stderr.write("usage: node bench/bfcl.ts --data DIR [--json]\n");
    process.exitCode = 2;
    return;
  }
  const texts = ["tools.json", "cases.jsonl", "mutations.jsonl"].map((name) => readFileSync(join(values.data as string, name), "utf8"));
  const tools = (JSON.parse(texts[0] as string) as DataTool[]).map(toTool);
  const cases = lines<DataCase>(texts[1] as string);
  const mutations = lines<Mutation>(texts[2] as string);
  const rows = [...goldRows(cases, tools), ...roundTripRows(cases, tools), ...mutationRows(mutations, cases, tools)];
  const meta = {
    command: "node bench/bfcl.ts --data DIR --json",
    versions: { node: process.version },
    machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    dataHash: sha256Hex(texts.map(sha256Hex).join("")),
    counts: { tools: tools.length, cases: cases.length, mutations: mutations.length },
    notMeasured: ["models", "policy", "execution", "time"],
  };
  process.stdout.write(values.json ? `${JSON.stringify({ meta, rows })}\n` : table(rows));
  if (rows.some((row) => !row.ok)) process.exitCode = 1;
}

function lines<Line>(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Line);
}

function toTool({ name, description, inputSchema }: DataTool): Tool {
  return completeTool({ name, description, inputSchema, tier: "read", source: "bfcl", isForeign: true });
}

/** A share as a row. An empty population reaches every bar: data of the same shape may lack a kind. */
function share(id: string, right: number, count: number, bar: number | undefined): Row {
  const value = count === 0 ? 100 : (right / count) * 100;
  return { id, value: Math.floor(value * 1_000) / 1_000, unit: "%", bar, ok: bar === undefined || value >= bar, count };
}

function toolOf(call: { readonly n: string }, wanted: DataCase, tools: readonly Tool[]): Tool {
  const index = wanted.t.find((candidate) => tools[candidate]?.name === call.n);
  if (index === undefined) throw new Error(`case ${wanted.id} calls ${call.n}, which is not among its tools`);
  return tools[index] as Tool;
}

function goldRows(cases: readonly DataCase[], tools: readonly Tool[]): readonly Row[] {
  const checked = cases.flatMap((wanted) => wanted.calls.map((call) => judge(call, toolOf(call, wanted, tools))));
  const of = (kind: number) => checked.filter(({ call }) => call.v === kind);
  // The data's `v` does not look at arguments that the schema does not declare. Refusing those is a rule of the product, so such gold calls are
  // counted apart, and nothing is hidden: the share over all of them is a row as well.
  const declared = checked.filter(({ call, schema }) => call.v === 1 && undeclared(call, schema).length === 0);
  const stray = checked.filter(({ call, schema }) => call.v === 1 && undeclared(call, schema).length > 0);
  const isPlain = (result: Validation) => result.kind === "valid" && result.repairs.length === 0;
  const isOnlyNulls = (result: Validation) => result.kind === "valid" && result.repairs.every((repair) => repair.kind === "null-left-out");
  return [
    share("gold-accepted", of(1).filter(({ result }) => isPlain(result)).length, of(1).length, 100),
    share("gold-accepted/declared-arguments-only", declared.filter(({ result }) => isPlain(result)).length, declared.length, 100),
    share("gold-undeclared-arguments-refused", stray.filter(({ result }) => result.kind === "invalid").length, stray.length, undefined),
    share("gold-accepted/null-left-out", of(2).filter(({ result }) => isOnlyNulls(result)).length, of(2).length, 100),
    share("gold-violating-refused", of(0).filter(({ result }) => result.kind === "invalid").length, of(0).length, undefined),
  ];
}

function judge(call: DataCall, tool: Tool): { readonly call: DataCall; readonly schema: JsonObject; readonly result: Validation } {
  return { call, schema: tool.inputSchema, result: validate(tool, call.a) };
}

function undeclared(call: DataCall, schema: JsonObject): readonly string[] {
  if (schema.additionalProperties !== undefined) return [];
  return Object.keys(call.a).filter((name) => !Object.hasOwn((schema.properties ?? {}) as object, name));
}

type Wire = (calls: readonly { readonly id: string; readonly name: string; readonly args: JsonObject }[]) => unknown;

/** The calls as each provider sends them. */
const wires: Readonly<Partial<Record<Form, Wire>>> = {
  "openai-chat": (calls) => ({
    choices: [
      {
        finish_reason: "tool_calls",
        message: {
          role: "assistant",
          content: null,
          tool_calls: calls.map(({ id, name, args }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(args) } })),
        },
      },
    ],
  }),
  "openai-responses": (calls) => ({
    status: "completed",
    output: calls.map(({ id, name, args }) => ({
      type: "function_call",
      id: `fc_${id}`,
      call_id: id,
      name,
      arguments: JSON.stringify(args),
      status: "completed",
    })),
  }),
  anthropic: (calls) => ({
    type: "message",
    role: "assistant",
    stop_reason: "tool_use",
    content: calls.map(({ id, name, args }) => ({ type: "tool_use", id, name, input: args })),
  }),
  gemini: (calls) => ({
    candidates: [
      {
        finishReason: "STOP",
        content: { role: "model", parts: calls.map(({ id, name, args }) => ({ functionCall: { id, name, args } })) },
      },
    ],
  }),
  mcp: (calls) => calls.map(({ id, name, args }) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } })),
};

function roundTripRows(cases: readonly DataCase[], tools: readonly Tool[]): readonly Row[] {
  return Object.entries(wires).map(([form, wire]) => {
    let right = 0;
    let count = 0;
    for (const wanted of cases) {
      const usable = wanted.calls.filter((call) => call.v === 1);
      const shown = [...new Map(wanted.t.map((index) => [(tools[index] as Tool).name, tools[index] as Tool])).values()];
      const names = createNameMap(shown, form as Form);
      const sent = usable.map((call, index) => ({ id: `call_${index}`, name: names.ofTool(toolOf(call, wanted, tools)), args: call.a }));
      if (sent.length === 0) continue;
      const { calls } = codecFor(form as Form).decode(JSON.parse(JSON.stringify(wire(sent))), names, defaultLimits);
      for (const [index, call] of usable.entries()) {
        count += 1;
        const decoded = calls[index];
        const isSame =
          decoded?.arguments.kind === "parsed" &&
          decoded.name === call.n &&
          canonicalJson(decoded.arguments.value) === canonicalJson(call.a);
        if (isSame && decoded.id === `call_${index}` && calls.length === usable.length) right += 1;
      }
    }
    return share(`round-trip/${form}`, right, count, 100);
  });
}

function mutationRows(mutations: readonly Mutation[], cases: readonly DataCase[], tools: readonly Tool[]): readonly Row[] {
  const byId = new Map(cases.map((wanted) => [wanted.id, wanted]));
  const find = (mutation: Mutation): { readonly wanted: DataCase; readonly gold: DataCall } => {
    const at = mutation.i.lastIndexOf("#");
    const wanted = byId.get(mutation.i.slice(0, at)) as DataCase;
    return { wanted, gold: wanted.calls[Number(mutation.i.slice(at + 1))] as DataCall };
  };
  const named = mutations.filter((mutation) => mutation.n !== undefined);
  const judged = mutations
    .filter((mutation) => mutation.n === undefined)
    .map((mutation): Judged => {
      const { wanted, gold } = find(mutation);
      return { mutation, gold, checked: validate(toolOf(gold, wanted, tools), mutation.a) };
    });
  return [...refusalRows(judged), ...repairRows(judged, cases, tools), ...nameRows(named, find, tools)];
}

function problemsOf({ checked }: Judged): readonly FieldProblem[] {
  return checked.kind === "invalid" ? checked.problems : [];
}

function refusalRows(judged: readonly Judged[]): readonly Row[] {
  const kinds = [...new Set(judged.filter(({ mutation }) => mutation.h !== "repairable").map(({ mutation }) => mutation.k))];
  const refusals = kinds.map((kind) => {
    const all = judged.filter(({ mutation }) => mutation.k === kind);
    return share(
      `refused/${kind}`,
      all.filter(({ checked }) => checked.kind === "invalid").length,
      all.length,
      kind === "extra_param" ? 99 : 100,
    );
  });
  const refused = judged.filter(({ checked }) => checked.kind === "invalid");
  const rightField = refused.filter((one) => problemsOf(one).some((problem) => problem.path === one.mutation.p));
  const renamed = judged.filter(({ mutation }) => mutation.k === "renamed_param");
  return [
    ...refusals,
    share("right-field", rightField.length, refused.length, 100),
    share("right-suggestion/renamed_param", renamed.filter(isFirstSuggestionRight).length, renamed.length, 95),
  ];
}

// The first thing suggested must lead from the name that was sent to the one that was meant.
function isFirstSuggestionRight(one: Judged): boolean {
  const { mutation } = one;
  const first = problemsOf(one).find((problem) => problem.hint !== undefined);
  const meant = mutation.p.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
  if (first?.hint === undefined) return false;
  if (first.path === mutation.p) return first.hint.startsWith(`\`${String(mutation.h)}\``);
  return first.path === `/${String(mutation.h)}` && first.hint.includes(`\`${meant}\``);
}

function repairRows(judged: readonly Judged[], cases: readonly DataCase[], tools: readonly Tool[]): readonly Row[] {
  const isGold = ({ gold, checked }: Judged) => checked.kind === "valid" && canonicalJson(checked.value) === canonicalJson(gold.a);
  const repairable = judged.filter(({ mutation }) => mutation.h === "repairable");
  const kinds = [...new Set(repairable.map(({ mutation }) => mutation.k))];
  const perKind = kinds.map((kind) => {
    const all = repairable.filter(({ mutation }) => mutation.k === kind);
    return share(`repaired/${kind}`, all.filter(({ checked }) => checked.kind === "valid").length, all.length, undefined);
  });
  const accepted = repairable.filter(({ checked }) => checked.kind === "valid");
  const golds = cases.flatMap((wanted) =>
    wanted.calls.filter((call) => call.v === 1).map((call) => validate(toolOf(call, wanted, tools), call.a)),
  );
  const onGold = golds.filter((checked) => checked.kind === "valid" && checked.repairs.length > 0).length;
  const wrong = judged.filter((one) => one.checked.kind === "valid" && !isGold(one)).length;
  const count = golds.length + judged.length;
  return [
    ...perKind,
    share("repaired-right", accepted.filter(isGold).length, accepted.length, 100),
    { id: "false-repairs", value: onGold + wrong, unit: "calls", bar: 0, ok: onGold + wrong === 0, count },
  ];
}

type Find = (mutation: Mutation) => { readonly wanted: DataCase; readonly gold: DataCall };

function nameRows(named: readonly Mutation[], find: Find, tools: readonly Tool[]): readonly Row[] {
  const connector = { kind: "none", execute: () => Promise.resolve({ kind: "value" as const, value: null }) } as const;
  const all = createRegistry({ limits: defaultLimits });
  for (const [index, tool] of tools.entries()) all.add({ tool: completeTool({ ...tool, version: `1.0.${index}` }), connector });
  let refused = 0;
  let nearestShown = 0;
  let nearestOfAll = 0;
  for (const mutation of named) {
    const { wanted, gold } = find(mutation);
    const shown = new Set(wanted.t.map((index) => (tools[index] as Tool).name));
    const ofShown = all.resolve(mutation.n as string, (tool) => shown.has(tool.name));
    const ofAll = all.resolve(mutation.n as string, () => true);
    if (ofShown.kind === "not-found") refused += 1;
    if (ofShown.kind === "not-found" && ofShown.nearest[0] === gold.n) nearestShown += 1;
    if (ofAll.kind === "not-found" && ofAll.nearest[0] === gold.n) nearestOfAll += 1;
  }
  return [
    share("refused/unknown_tool", refused, named.length, 100),
    share("right-suggestion/unknown_tool", nearestShown, named.length, 95),
    share("right-suggestion/unknown_tool-of-all", nearestOfAll, named.length, undefined),
  ];
}

function table(rows: readonly Row[]): string {
  const wide = Math.max(...rows.map((row) => row.id.length));
  const printed = rows.map(
    (row) =>
      `${row.ok ? "ok  " : "FAIL"}  ${row.id.padEnd(wide)}  ${`${row.value} ${row.unit}`.padStart(10)}  of ${String(row.count).padStart(6)}  ${row.bar === undefined ? "" : `bar ${row.bar}`}`,
  );
  return `${printed.join("\n")}\n`;
}

main();
