import { result } from "../../standard-call.ts";

/** One turn of an agent that answers `done`: with a call of the tool before it, or without. Resolves with the model's last words. */
export type RunTurn = (index: number, hasCall: boolean) => Promise<string>;

/** What the parent asks a child to do: so many turns one after the other. */
export interface TurnsWanted {
  readonly from: number;
  readonly count: number;
  readonly hasCall: boolean;
}

/** What they took, each. */
export interface TurnsTaken {
  readonly wallMicros: number;
  readonly cpuMicros: number;
}

let ranCount = 0;

/** What the tool does in every framework. */
export function runTool(): unknown {
  ranCount += 1;
  return result;
}

/** The words of the user that begin every turn, and those of the model that end it. */
export const question = "Please refund the damaged order.";
export const lastWords = "done";

/** Stops the benchmark unless the model was shown the tool's result. */
export function expectShown(shown: unknown): void {
  const text = typeof shown === "string" ? shown : JSON.stringify(shown);
  if (!text.includes("refund line item processed by warehouse"))
    throw new Error(`the model was not shown the result: ${text.slice(0, 300)}`);
}

/** Answers the parent, which measures this framework beside others in turns. */
export function serveTurns(run: RunTurn): void {
  process.on("message", (message) => void answer(run, message as TurnsWanted));
  process.send?.("ready");
}

async function answer(run: RunTurn, { from, count, hasCall }: TurnsWanted): Promise<void> {
  const ranBefore = ranCount;
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  for (let index = from; index < from + count; index += 1) {
    const words = await run(index, hasCall);
    if (words !== lastWords) throw new Error(`the turn ended with: ${words.slice(0, 300)}`);
  }
  const wallMicros = ((performance.now() - startedMs) * 1_000) / count;
  const { user, system } = process.cpuUsage(cpu);
  if (ranCount - ranBefore !== (hasCall ? count : 0)) throw new Error(`the tool ran ${ranCount - ranBefore} times in ${count} turns`);
  process.send?.({ wallMicros, cpuMicros: (user + system) / count } satisfies TurnsTaken);
}
