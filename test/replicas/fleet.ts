import { setTimeout as pause } from "node:timers/promises";
import { askOrBreak, isAnswering, type GatewayLives, type Question, type Reply } from "../crash/gateway-lives.ts";
import { startProcess } from "../crash/processes.ts";

const breaksMax = 1_000;
const breakMs = 40;

/** Gateways that live at the same time on one store; clients ask one after the other, and another one where the first gave no answer. */
export function createFleet(base: Readonly<Record<string, string>>): GatewayLives & { stop(): Promise<readonly (number | null)[]> } {
  const startsMs: number[] = [];
  const complaints: string[] = [];
  const running = new Set<ReturnType<typeof startProcess>>();
  let up: readonly string[] = [];
  let count = 0;
  let next = 0;

  return {
    get count() {
      return count;
    },
    startsMs,
    complaints,
    async start(environment) {
      count += 1;
      const child = startProcess("gateway-process.ts", { ...base, ...environment });
      running.add(child);
      let address: string | undefined;
      const exited = child.exited.then((exit) => {
        running.delete(child);
        up = up.filter((other) => other !== address);
        complaints.push(
          ...child
            .complaints()
            .split("\n")
            .filter((line) => line !== ""),
        );
        return exit;
      });
      const told = (await child.firstLine)?.["address"];
      const isUp = typeof told === "string" && (await isAnswering(told));
      if (isUp && running.has(child)) up = [...up, (address = told)];
      return { process: child, isUp, exited };
    },
    async send(question) {
      for (let brokenCount = 0; brokenCount < breaksMax; brokenCount += 1) {
        next += 1;
        const address = up[next % Math.max(1, up.length)];
        const reply = address === undefined ? undefined : await askOrBreak(address, question);
        if (reply !== undefined && !isForLater(question, reply)) return { ...reply, brokenCount };
        await pause(breakMs);
      }
      throw new Error(`${question.method} ${question.path} broke ${breaksMax} times`);
    },
    async stop() {
      const stopping = [...running];
      for (const child of stopping) child.signal("SIGTERM");
      return await Promise.all(stopping.map(async (child) => (await child.exited).code));
    },
  };
}

/**
 * A gateway that stops, or whose database is away, says so, and that the same may be asked again under the same key. So it does of a call whose time ran
 * out before anything was sent.
 */
function isForLater({ method }: Question, { body }: Reply): boolean {
  const outcome = body["outcome"] as { readonly error?: { readonly code: string; readonly effect: string } } | undefined;
  const { code } = outcome?.error ?? (body["error"] as { readonly code?: string } | undefined) ?? {};
  const isTooLate = method === "POST" && code === "TOOL_TIMEOUT" && outcome?.error?.effect === "none";
  return isTooLate || code === "SHUTTING_DOWN" || code === "LEDGER_UNAVAILABLE";
}
