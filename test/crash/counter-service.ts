import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * The outside world, in a process of its own that is never killed: it counts effects. `/keyed` honours the idempotency key; `/looked` and `/opaque`
 * do not, so that every request to them is one more effect; what is ordered as `down-…` has none; `/lookup/<key>` tells what became of a key. `/arm` makes it kill a process at the moment
 * of an effect, before the reply. It prints its port, and answers `/report` with every effect that happened.
 */
interface EffectRow {
  readonly path: string;
  readonly key: string;
  readonly order: string;
}

const replyAfterMs = 5;
/** What orders that begin so are answered with, without an effect. */
const refusals: Readonly<Record<string, number>> = { "down-": 503 };
/** For orders that have `slow-` in their names. */
const slowReplyAfterMs = 1_500;
const effects: EffectRow[] = [];
const keys = new Set<string>();
let requests = 0;
let armed: { readonly pid: number; effectsLeft: number } | undefined;

/** Only the first request of a key has an effect at `/keyed`; repeats are answered as the first was. */
function takeEffect(effect: EffectRow): void {
  requests += 1;
  if (effect.path === "/keyed" && keys.has(effect.key)) return;
  keys.add(effect.key);
  effects.push(effect);
  if (armed === undefined) return;
  armed.effectsLeft -= 1;
  if (armed.effectsLeft > 0) return;
  const { pid } = armed;
  armed = undefined;
  process.kill(pid, "SIGKILL");
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>);
}

const server = createServer((request, response) => {
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const url = request.url ?? "";
  const serve = async (): Promise<void> => {
    const body = await bodyOf(request);
    if (url === "/report") return answer(200, { requests, effects });
    if (url.startsWith("/lookup/")) {
      const isKnown = keys.has(decodeURIComponent(url.slice("/lookup/".length)));
      return answer(isKnown ? 200 : 404, isKnown ? { found: true, result: { done: true } } : { error: "no such key" });
    }
    if (url === "/arm") {
      armed = { pid: Number(body["pid"]), effectsLeft: Number(body["effects"]) };
      return answer(200, {});
    }
    const refusal = refusals[/^[a-z]+-/.exec(String(body["order"]))?.[0] ?? ""];
    if (refusal !== undefined) return answer(refusal, {});
    takeEffect({ path: url, key: String(request.headers["idempotency-key"] ?? ""), order: String(body["order"]) });
    // A little later than at once, so that kills also fall between effect and reply.
    setTimeout(() => answer(200, { done: true }), String(body["order"]).includes("slow-") ? slowReplyAfterMs : replyAfterMs);
  };
  // A request that its sender did not live to finish has nobody to answer.
  serve().catch(() => response.destroy());
});

server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`));
// It ends with whoever started it, also when that one was killed.
process.stdin.on("end", () => process.exit(0)).resume();
