import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parse } from "yaml";
import { isoTime } from "../base/clock.ts";
import { policyInForce } from "../call/box/policy-in-force.ts";
import { simulatePolicy, type Judgement, type SimulationItem, type SimulationSummary } from "../call/review/simulate.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { durationMs } from "../policy/duration.ts";
import { configFlag, type Command, type Invocation } from "./command.ts";
import { configuredTools } from "./installation.ts";
import { vaultOf, withLedger } from "./ledger-reader.ts";
import { paint, plain } from "./terminal.ts";

/** `signalbox policy simulate`: what a changed policy would have made of the recorded calls. */
export const simulateCommand: Command = {
  name: "policy simulate",
  summary: "Say which recorded decisions a changed policy would make differently",
  flags: {
    ...configFlag,
    since: { value: "TIME", about: "how far back, such as `24h` or `7d`; default `7d`" },
    policy: { value: "FILE", about: "the policy that is tried; default: the configuration's own" },
    tenant: { value: "TENANT", about: "only of this tenant" },
  },
  about:
    "Every recorded call is judged again with the arguments and facts of its time; nothing is called. What cannot be judged any more is named: values that were erased, facts that were not looked up, tools that are gone. With --json one line for each call and a last one with the counts. Exit code 1 when a decision would differ.",
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const sinceMs = invocation.clock.now() - spanOf(invocation);
      const { engine } = policyInForce(await triedPolicy(invocation, config.policyRaw), config.limits);
      const tools = (await configuredTools(config, invocation)).map((each) => each.tool);
      const vault = await vaultOf(config, store, invocation);
      const { limits } = config;
      let differsCount = 0;
      for await (const item of simulatePolicy({ store, vault, limits, engine, tools, tenant: invocation.texts["tenant"], sinceMs })) {
        if (item.kind === "differs") differsCount += 1;
        invocation.terminal.out(invocation.isJson ? `${JSON.stringify(item)}\n` : itemText(invocation, item));
      }
      return differsCount === 0 ? "ok" : "failed";
    }),
};

function spanOf({ texts }: Invocation): number {
  const span = durationMs(texts["since"] ?? "7d");
  if (span === undefined) throw toolCallError("REQUEST_INVALID", "--since takes a span of time such as `30m`, `24h` or `7d`");
  return span;
}

/** A file of its own, or a whole configuration whose policy is tried. */
async function triedPolicy({ texts, folder }: Invocation, configured: unknown): Promise<unknown> {
  const { policy } = texts;
  if (policy === undefined) return configured;
  const path = resolve(folder, policy);
  let read: unknown;
  try {
    read = parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw toolCallError("REQUEST_INVALID", `\`${path}\` cannot be read as YAML`, { cause });
  }
  return typeof read === "object" && read !== null && "policy" in read ? read.policy : read;
}

function itemText(invocation: Invocation, item: SimulationItem): string {
  const { terminal } = invocation;
  if (item.kind === "summary") return summaryText(invocation, item);
  const of = `${plain(item.tool)}  ${plain(item.user)}  ${isoTime(item.atMs)}  ${plain(item.callId)}`;
  if (item.kind === "unjudged") return `${paint(terminal, "dim", `not judged (${item.why})`)}  ${of}\n`;
  const { was, would, unheard } = item;
  const colour = would.effect === "deny" ? "red" : would.effect === "ask" ? "yellow" : "green";
  const more = unheard.length === 0 ? "" : `\n  not asked at the time, and may still refuse: ${unheard.join(", ")}`;
  return `${paint(terminal, colour, `${was.effect} → ${would.effect}`)}  ${of}\n  was   ${sideText(was)}\n  would ${sideText(would)}${more}\n`;
}

function sideText({ effect, rules, approvers, isOfEach }: Judgement): string {
  const people = approvers.length === 0 ? "" : ` of ${isOfEach === true ? "each of " : ""}${approvers.join(", ")}`;
  return plain(`${effect}${people} by ${rules.length === 0 ? "no rule" : rules.join(", ")}`);
}

function summaryText({ terminal }: Invocation, summary: SimulationSummary): string {
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(", ");
  const { differsCount, judgedCount, unjudgedCount } = summary;
  const differs = differsCount === 0 ? "none differs" : `${differsCount} would differ: ${listed(summary.changes)}`;
  const rest = unjudgedCount === 0 ? "" : `\n${unjudgedCount} could not be judged: ${listed(summary.unjudged)}`;
  const cut = summary.isComplete ? "" : "\nthere were more calls than one simulation judges; narrow it with --since or --tenant";
  return `${paint(terminal, "bold", `${judgedCount} calls judged`)} under policy ${summary.policyVersion.slice(0, 12)}; ${differs}${rest}${cut}\n`;
}
