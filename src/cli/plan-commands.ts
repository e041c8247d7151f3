import { isoTime } from "../base/clock.ts";
import type { JsonObject } from "../domain/json.ts";
import type { PlanCard, PlanStepCard } from "../domain/plan.ts";
import { jsonText } from "../gateway/json-text.ts";
import { argumentText } from "./approval-card.ts";
import { readArguments } from "./call-command.ts";
import { gatewayFlags, type Command, type Invocation } from "./command.ts";
import type { Ending } from "./exit-codes.ts";
import { gatewayClient, refused, type GatewayAnswer } from "./gateway-client.ts";
import { paint, plain, show, table, type Terminal } from "./terminal.ts";

const pathOf = (invocation: Invocation): string => `/v1/plans/${encodeURIComponent(invocation.positionals[0] as string)}`;

const list: Command = {
  name: "plans list",
  summary: "List plans that wait for a person, or are in another state",
  flags: { ...gatewayFlags, state: { value: "STATE", about: "proposed, approved, rejected, revoked or expired; default proposed" } },
  async run(invocation) {
    const state = invocation.texts["state"] ?? "proposed";
    const answer = await gatewayClient(invocation)("GET", `/v1/plans?state=${encodeURIComponent(state)}`);
    if (answer.status !== 200) return refused(invocation, answer);
    const plans = answer.body["plans"] as unknown as readonly JsonObject[];
    const rows = plans.map((plan) => [
      jsonText(plan["id"]),
      jsonText(plan["user"]),
      String((plan["steps"] as readonly unknown[]).length),
      isoTime(Number(plan["expiresAtMs"])),
      plain(jsonText(plan["goal"] ?? "(erased)")),
    ]);
    show(invocation, answer.body, () =>
      rows.length === 0 ? `no plans are ${state}\n` : table([["ID", "USER", "STEPS", "EXPIRES", "GOAL"], ...rows]),
    );
    return "ok";
  },
};

const showOne: Command = {
  name: "plans show",
  summary: "Show one plan: what each step may do, where its values came from, what it leaves open, what was used",
  takes: ["ID"],
  flags: gatewayFlags,
  async run(invocation) {
    const answer = await gatewayClient(invocation)("GET", pathOf(invocation));
    if (answer.status !== 200) return refused(invocation, answer);
    show(invocation, answer.body, () => planText(invocation.terminal, answer.body));
    return "ok";
  },
};

const propose: Command = {
  name: "plans propose",
  summary: "Propose a plan for a session, with the key of its agent",
  about: 'Such as --args \'{"goal":"…","steps":[{"tool":"order.refund","arguments":{"orderId":{"is":"A-1"},"amount":{"atMost":20}}}]}\'.',
  takes: ["SESSION"],
  flags: { ...gatewayFlags, args: { value: "JSON", about: "the plan: JSON, @FILE, or - for standard input" } },
  async run(invocation) {
    const path = `/v1/sessions/${encodeURIComponent(invocation.positionals[0] as string)}/plans`;
    return told(invocation, await gatewayClient(invocation)("POST", path, (await readArguments(invocation)) as JsonObject), 201);
  },
};

const reasonFlag = { reason: { value: "TEXT", about: "why, for the ledger" } } as const;

const approve: Command = {
  name: "plans approve",
  summary: "Say yes to a plan: calls that fit it then count as asked for by the user",
  takes: ["ID"],
  flags: { ...gatewayFlags, ...reasonFlag, digest: { value: "SHA256", about: "of the plan that you were shown" } },
  run: (invocation) => answer(invocation, true),
};

const reject: Command = {
  name: "plans reject",
  summary: "Say no to a plan",
  takes: ["ID"],
  flags: { ...gatewayFlags, ...reasonFlag, digest: { value: "SHA256", about: "of the plan that you were shown" } },
  run: (invocation) => answer(invocation, false),
};

const revoke: Command = {
  name: "plans revoke",
  summary: "Take a plan back at once",
  takes: ["ID"],
  flags: { ...gatewayFlags, ...reasonFlag },
  async run(invocation) {
    const { reason } = invocation.texts;
    return told(
      invocation,
      await gatewayClient(invocation)("POST", `${pathOf(invocation)}/revoke`, reason === undefined ? {} : { reason }),
      200,
    );
  },
};

async function answer(invocation: Invocation, isYes: boolean): Promise<Ending> {
  const { reason, digest } = invocation.texts;
  if (digest === undefined) {
    invocation.terminal.err(`look at it first: signalbox plans show ${plain(invocation.positionals[0] as string)}; then say --digest\n`);
    return "usage";
  }
  const body = { approve: isYes, digest, ...(reason !== undefined && { reason }) };
  return told(invocation, await gatewayClient(invocation)("POST", `${pathOf(invocation)}/answer`, body), 200);
}

function told(invocation: Invocation, answer: GatewayAnswer, status: number): Ending {
  if (answer.status !== status) return refused(invocation, answer);
  const { id, state, expiresAtMs } = answer.body;
  show(invocation, answer.body, () => `${jsonText(id)} is ${jsonText(state)}, until ${isoTime(Number(expiresAtMs))}\n`);
  return "ok";
}

function planText(terminal: Terminal, body: JsonObject): string {
  const plan = body["plan"] as JsonObject;
  const card = body["card"] as unknown as PlanCard | undefined;
  const used = plan["used"] as unknown as readonly { readonly calls: number; readonly total?: number }[];
  return [
    `${paint(terminal, "bold", plain(card?.goal ?? jsonText(plan["goal"] ?? "(erased)")))}\n`,
    table([
      ["state", `${jsonText(plan["state"])}, until ${isoTime(Number(plan["expiresAtMs"]))}`],
      ["user", jsonText(plan["user"])],
      ["agent", jsonText(plan["proposedBy"])],
      ["session", jsonText(plan["sessionId"])],
      ["holds", `${Math.ceil(Number(plan["holdsMs"]) / 1_000)} s from the yes on`],
    ]),
    ...(card === undefined ? [] : card.steps.map((step, index) => stepText(terminal, step, { index, used: used[index] }))),
    ...(plan["state"] === "proposed"
      ? [
          `\nsignalbox plans approve ${jsonText(plan["id"])} --digest ${jsonText(plan["digest"])}\nsignalbox plans reject ${jsonText(plan["id"])} --digest ${jsonText(plan["digest"])}\n`,
        ]
      : []),
  ].join("");
}

function stepText(
  terminal: Terminal,
  step: PlanStepCard,
  { index, used }: { readonly index: number; readonly used: { readonly calls: number; readonly total?: number } | undefined },
): string {
  const total = step.total === undefined ? "" : `; ${plain(step.total)}, used ${used?.total ?? 0}`;
  return [
    `\n${paint(terminal, "bold", `step ${index + 1}: ${plain(step.about)} (${plain(step.tool)}@${step.version})`)}\n`,
    `${step.tier ?? "unknown"}; undo: ${step.undo}\n`,
    `at most ${step.callsMax} calls, used ${used?.calls ?? 0}${total}\n`,
    ...(step.isToolChanged ? [`${paint(terminal, "red", "the tool's definition changed since: this step covers nothing")}\n`] : []),
    ...(step.notSaid.length === 0 ? [] : [`${paint(terminal, "yellow", `the user did not say: ${plain(step.notSaid.join(", "))}`)}\n`]),
    ...step.arguments.map((argument) => argumentText(terminal, argument)),
    ...(step.argumentsLeftOutCount === 0 ? [] : [`and ${step.argumentsLeftOutCount} more\n`]),
    ...(step.leftOpen.length === 0 ? [] : [`${paint(terminal, "yellow", `left open: ${plain(step.leftOpen.join(", "))}`)}\n`]),
  ].join("");
}

/** Commands of plans. */
export const planCommands: readonly Command[] = [list, showOne, propose, approve, reject, revoke];
