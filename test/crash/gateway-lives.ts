import { setTimeout as pause } from "node:timers/promises";
import { agentKey, leadKey } from "./credentials.ts";
import { startProcess, type Exit, type RunningProcess } from "./processes.ts";

/** What a gateway answered. */
export interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One thing to ask. */
export interface Question {
  readonly who: "agent" | "lead";
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
}

/** One gateway after another on the same store: clients ask whichever is up. */
export interface GatewayLives {
  /** How many have begun. */
  readonly count: number;
  /** Spawn to first answer of each life that came up, in milliseconds. */
  readonly startsMs: readonly number[];
  /** What gateways said was wrong with themselves. */
  readonly complaints: readonly string[];
  start(environment: Readonly<Record<string, string>>): Promise<StartedLife>;
  /** Asks the gateway that is up, or else the next one; sent again as long as the connection breaks. `brokenCount` says how often it did. */
  send(question: Question): Promise<Reply & { readonly brokenCount: number }>;
}

/** A life that began. */
export interface StartedLife {
  readonly process: RunningProcess;
  /** False when it was over before it could answer anything. */
  readonly isUp: boolean;
  readonly exited: Promise<Exit>;
}

/** A gateway that clients may ask, from its first answer to its end. */
interface Life {
  readonly address: PromiseWithResolvers<string>;
  readonly over: PromiseWithResolvers<void>;
}

const keys = { agent: agentKey, lead: leadKey };
const breaksMax = 200;
const answerMsMax = 20_000;
/** A connection that broke means that its process is ending; its end is noticed within this. */
const endMsMax = 250;

/** Lives of a gateway with this environment. */
export function gatewayLives(base: Readonly<Record<string, string>>): GatewayLives {
  const startsMs: number[] = [];
  const complaints: string[] = [];
  let count = 0;
  let current = newLife();

  async function start(environment: Readonly<Record<string, string>>): Promise<StartedLife> {
    count += 1;
    const startedAt = performance.now();
    const life = current;
    const child = startProcess("gateway-process.ts", { ...base, ...environment });
    const exited = child.exited.then((exit) => {
      if (current === life && isUp) current = newLife();
      life.over.resolve();
      complaints.push(
        ...child
          .complaints()
          .split("\n")
          .filter((line) => line !== ""),
      );
      return exit;
    });
    let isUp = false;
    const address = (await child.firstLine)?.["address"];
    if (typeof address === "string" && (await isAnswering(address))) {
      startsMs.push(performance.now() - startedAt);
      isUp = true;
      life.address.resolve(address);
    }
    return { process: child, isUp, exited };
  }

  async function send(question: Question): ReturnType<GatewayLives["send"]> {
    for (let brokenCount = 0; brokenCount < breaksMax; brokenCount += 1) {
      const life = current;
      const reply = await askOrBreak(await life.address.promise, question);
      if (reply !== undefined && !isStopping(reply)) return { ...reply, brokenCount };
      await Promise.race([life.over.promise, pause(endMsMax)]);
    }
    throw new Error(`${question.method} ${question.path} broke ${breaksMax} times`);
  }

  return {
    get count() {
      return count;
    },
    startsMs,
    complaints,
    start,
    send,
  };
}

function newLife(): Life {
  return { address: Promise.withResolvers<string>(), over: Promise.withResolvers<void>() };
}

/** It accepted nothing: neither the request, nor the call that it had read already. */
function isStopping({ body }: Reply): boolean {
  const outcome = body["outcome"] as { readonly error?: { readonly code: string } } | undefined;
  const { code } = outcome?.error ?? (body["error"] as { readonly code?: string } | undefined) ?? {};
  return code === "SHUTTING_DOWN";
}

/** Whether a gateway answers there, and is ready. */
export async function isAnswering(address: string): Promise<boolean> {
  const reply = await askOrBreak(address, { who: "agent", method: "GET", path: "/readyz" });
  return reply?.status === 200;
}

/** The answer; undefined when the connection broke before it was whole. */
export async function askOrBreak(address: string, { who, method, path, body }: Question): Promise<Reply | undefined> {
  const headers = { authorization: `Bearer ${keys[who]}`, ...(body !== undefined && { "content-type": "application/json" }) };
  try {
    const response = await fetch(`${address}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(answerMsMax),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  } catch (cause) {
    if (cause instanceof Error && cause.name === "TimeoutError")
      throw new Error(`no answer to ${method} ${path} within ${answerMsMax} ms`, { cause });
    return undefined;
  }
}
