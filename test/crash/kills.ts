import { setTimeout as pause } from "node:timers/promises";
import type { GatewayLives, StartedLife } from "./gateway-lives.ts";
import type { Seeded } from "./seeded.ts";

/** One planned death. */
export type Kill =
  /** At a point of the journey, once it has been passed `after` times. */
  | { readonly kind: "point"; readonly point: string; readonly after: number }
  /** By the outside world at its n-th effect, before it replies. */
  | { readonly kind: "effect"; readonly effects: number }
  | { readonly kind: "random"; readonly afterMs: number };

/** What came of a plan. */
export interface KillReport {
  /** Deaths by point; `random` and `effect-happened` among them. */
  readonly deaths: ReadonlyMap<string, number>;
  /** Deaths before the gateway could answer anything, in the middle of recovery. */
  readonly duringStart: number;
}

/** Points that every call passes, so that a life gets there many times. */
export const common = [
  "before-call-intended",
  "after-call-intended",
  "before-execute",
  "after-execute",
  "before-call-settled",
  "after-call-settled",
];
/** Points that only calls pass which wait for a person or a time, or that are planned. */
export const rare = ["call-parked", "approval-decided", "call-deferred", "plan-decided"].flatMap((kind) => [
  `before-${kind}`,
  `after-${kind}`,
]);
const timesEach = 2;
/**
 * The request is on its way, and nobody will be there to hear the reply: where an intent that is not on disk would be lost. Only over a connection
 * that stands already does it leave before the turn of the event loop ends, so not among the first calls of a life.
 */
const sharpest = "after-send";
const sharpestTimes = 6;
const effectTimes = 4;
/** On a busy machine a life begins slowly. */
const lifeMsMax = 6_000;
const missesMax = 10;

/** Fifty deaths or so in an order that the seed decides: every point twice, some at an effect, the rest at random moments. */
export function planKills(random: Seeded, killCount: number): readonly Kill[] {
  const kills: Kill[] = [];
  for (let time = 0; time < timesEach; time += 1) {
    // The first passages of a life belong to recovery, so a small number lets it die there.
    for (const point of common) kills.push({ kind: "point", point, after: time === 0 ? random.below(4) : 4 + random.below(40) });
    for (const point of rare) kills.push({ kind: "point", point, after: random.below(4) });
  }
  for (let time = 0; time < sharpestTimes; time += 1) kills.push({ kind: "point", point: sharpest, after: 5 + random.below(8) });
  for (let time = 0; time < effectTimes; time += 1) kills.push({ kind: "effect", effects: 1 + random.below(20) });
  while (kills.length < killCount) kills.push({ kind: "random", afterMs: 20 + random.below(500) });
  for (let last = kills.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    [kills[last], kills[other]] = [kills[other] as Kill, kills[last] as Kill];
  }
  return kills;
}

/** Starts one life after another and lets each die as planned. A point that a life does not reach in time is tried again. */
export async function carryOut(
  kills: readonly Kill[],
  lives: GatewayLives,
  arm: (pid: number, effects: number) => Promise<void>,
): Promise<KillReport> {
  const deaths = new Map<string, number>();
  const left = [...kills];
  let duringStart = 0;
  let misses = 0;
  for (let kill = left.shift(); kill !== undefined; kill = left.shift()) {
    const life = await lives.start(kill.kind === "point" ? { KILL_AT: kill.point, KILL_AFTER: String(kill.after) } : {});
    if (!life.isUp) duringStart += 1;
    if (life.isUp && kill.kind === "effect") await arm(life.process.pid, kill.effects);
    const isByItself = await dies(life, kill.kind === "random" ? kill.afterMs : lifeMsMax);
    const isMiss = !isByItself && kill.kind !== "random";
    if (isMiss) misses += 1;
    if (misses > missesMax) throw new Error(`too many lives never got to where they should die, the last to ${JSON.stringify(kill)}`);
    if (isMiss) left.push(kill);
    const name = kill.kind === "point" ? kill.point : kill.kind === "effect" ? "effect-happened" : "random";
    const counted = isMiss ? "random" : name;
    deaths.set(counted, (deaths.get(counted) ?? 0) + 1);
  }
  return { deaths, duringStart };
}

/** Whether it died by itself within the time; otherwise it is killed now. */
async function dies(life: StartedLife, withinMs: number): Promise<boolean> {
  const stop = new AbortController();
  const isByItself = await Promise.race([life.exited.then(() => true), pause(withinMs, false, { signal: stop.signal }).catch(() => true)]);
  stop.abort();
  if (!isByItself) life.process.signal("SIGKILL");
  const { signal, code } = await life.exited;
  if (signal !== "SIGKILL") throw new Error(`a gateway ended with code ${code} instead of being killed: ${life.process.complaints()}`);
  return isByItself;
}
