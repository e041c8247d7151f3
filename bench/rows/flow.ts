/**
 * What flow costs: indexing what was read, per MB, with the longest time that it holds the event loop; and tracing a call in a session that has read
 * 1 MB, and 100 times as much. Text is made of words drawn from a skewed distribution, as in prose, with addresses in it.
 */
import { performance } from "node:perf_hooks";
import { labelReader } from "../../src/flow/labels.ts";
import { SessionKnowledge } from "../../src/flow/knowledge.ts";
import { Restrictions } from "../../src/flow/restrictions.ts";
import { traceCall } from "../../src/flow/trace.ts";
import { defaultLimits } from "../../src/base/limits.ts";
import { completeTool } from "../../src/registry/complete.ts";
import { atMost, isQuick, median, print, quantile, type Row } from "../measure.ts";

const megabyte = 1_000_000;
const bounds = { slotsMax: defaultLimits.flowSlotsMax, valuesMax: defaultLimits.flowValuesMax, circlesMax: defaultLimits.flowCirclesMax };

let state = 12_345;
function sample(): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  return state / 0x80000000;
}

/** A result of about one MB: letters of 2 KB each. */
function result(): { readonly id: string; readonly from: string; readonly body: string }[] {
  const letters: { readonly id: string; readonly from: string; readonly body: string }[] = [];
  for (let chars = 0; chars < megabyte;) {
    const words: string[] = [];
    for (let count = 0; count < 300; count += 1) words.push(`w${Math.floor(30_000 * sample() ** 3).toString(36)}en`);
    const letter = {
      id: `m-${letters.length}`,
      from: `p${letters.length}@example.com`,
      body: `${words.join(" ")} see https://example.org/${letters.length}`,
    };
    letters.push(letter);
    chars += letter.body.length + 40;
  }
  return letters;
}

const labels = labelReader({ source: "bench", outputLabels: {} });
const call = {
  tool: completeTool({
    name: "mail.send",
    tier: "reversible",
    isEgress: true,
    description: "Send a letter.",
    inputSchema: {
      type: "object",
      properties: { to: { type: "array" }, body: { type: "string" }, on: { type: "string" }, amount: { type: "number" } },
    },
    argumentRoles: { "/to/*": "target", "/body": "content", "/on": "date", "/amount": "amount" },
    asks: ["\\bsend\\b"],
  }),
  args: {
    to: ["p7@example.com", "ada@example.com"],
    body: "Dear Ada, the summary is at https://example.org/9 as you asked.",
    on: "2026-11-21",
    amount: 125.5,
  },
  isStanding: false,
  isStrict: false,
};

interface Indexed {
  readonly knowledge: SessionKnowledge;
  readonly cpuMsPerMegabyte: number;
  readonly stallMsMax: number;
}

/** Reads so many megabytes, one result each. */
async function read(megabytes: number): Promise<Indexed> {
  const knowledge = new SessionKnowledge(new Restrictions(99, bounds, 0), bounds);
  knowledge.words.add("Please send the summary to ada@example.com on 21 November", true);
  const results = Array.from({ length: Math.min(megabytes, 8) }, result);
  const stalls: number[] = [];
  const cpus: number[] = [];
  for (let index = 0; index < megabytes; index += 1) {
    const origin = { callId: `call_${index}`, sessionId: "s", tool: "mail.read", atMs: 0, isOutside: false, isNamed: false };
    knowledge.note({ origin, value: results[index % results.length] as never, given: [], labels, chars: megabyte, text: undefined });
    const before = process.cpuUsage();
    let sliceFrom = before;
    await knowledge.restrictions.settle(async () => {
      const slice = process.cpuUsage(sliceFrom);
      stalls.push((slice.user + slice.system) / 1_000);
      await new Promise((resolve) => setImmediate(resolve));
      sliceFrom = process.cpuUsage();
    });
    const used = process.cpuUsage(before);
    cpus.push((used.user + used.system) / 1_000);
  }
  return { knowledge, cpuMsPerMegabyte: median(cpus), stallMsMax: quantile(stalls, 0.99) };
}

function traceMicros(knowledge: SessionKnowledge): number {
  const samples: number[] = [];
  for (let count = 0; count < (isQuick ? 500 : 3_000); count += 1) {
    const startedMs = performance.now();
    traceCall(call, knowledge);
    samples.push((performance.now() - startedMs) * 1_000);
  }
  return median(samples.slice(samples.length / 5));
}

const warm = await read(2);
traceMicros(warm.knowledge);
const small = await read(1);
const many = await read(isQuick ? 20 : 100);
const [smallMicros, manyMicros] = [traceMicros(small.knowledge), traceMicros(many.knowledge)];
const rows: readonly Row[] = [
  atMost(
    "flow-index",
    many.cpuMsPerMegabyte,
    "ms CPU per MB",
    15,
    `the median over ${isQuick ? 20 : 100} results of 1 MB; tables hold ${Math.round(many.knowledge.restrictions.bytes / 1_024)} KiB`,
  ),
  atMost("flow-index-stall", many.stallMsMax, "ms CPU", 5, "the 99th percentile of one slice between two turns of the event loop"),
  atMost("flow-trace", smallMicros, "µs", 60, "the median of tracing a call with 5 values in a session that has read 1 MB"),
  atMost("flow-trace-growth", manyMicros / smallMicros, "× at 1 MB", 2, `${manyMicros.toFixed(1)} µs after ${isQuick ? 20 : 100} MB`),
];
print({ rows, notMeasured: ["text in other scripts than Latin, which is folded first"] });
