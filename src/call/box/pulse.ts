/**
 * What the processes on a shared store tell each other, every `pulseMs` and apart from any call: how much of each rate limit they let through, which breakers
 * opened or closed, and which policy is in force. Each process writes one row of its own, so that none waits for another, and reads the others'. So a limit or a policy holds everywhere within
 * two pulses and a round trip, and no call pays for it. The pulse also tells whether the store can be reached. With a channel (`sharedLimits`) rates and breakers are
 * besides told on it, every `channelPulseMs`; the store's pulse goes on as before, so that nothing changes but the speed when the channel is away.
 */
import type { Timer } from "../../base/clock.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import type { Json } from "../../domain/json.ts";
import type { BreakerNews, SharedBreakers } from "../../resilience/shared-breakers.ts";
import { readNews, writeNews, type Counts } from "../../store/process-news.ts";
import type { Channel } from "../../store/redis-channel.ts";
import { isShared } from "../../store/shared.ts";
import type { Row, RowKey } from "../../store/store.ts";
import { createHeardRates, type HeardRates, type SharedRates } from "./heard-rates.ts";
import { createOwnCounts, type OwnCounts } from "./own-counts.ts";
import { activePolicyKey, takeOverPolicy } from "./policy-in-force.ts";
import type { Runtime } from "../runtime.ts";
import type { WritesNews } from "../shared-writes.ts";

/** The pulse of one process. */
export interface Pulse {
  /** Whether a look at the store came through within `storeAwayMs`. Always true where no other process shares the store. */
  readonly isWell: boolean;
  /** What is wrong with telling the others, for an operator; calls go on. */
  problems(): readonly string[];
  /** One exchange now. Never rejects. */
  beat(): Promise<void>;
  /** Tells and hears nothing more, and resolves once the exchange that is under way has ended. */
  stop(): Promise<void>;
}

/** Opens a channel on which processes hear each other sooner than through the store; `hear` is told what anybody says. */
export type OpenChannel = (hear: (text: string) => void) => Promise<Channel>;

/** What processes tell each other of. */
export interface PulseParts {
  readonly rates: SharedRates;
  readonly breakers: SharedBreakers | undefined;
  readonly openChannel: OpenChannel | undefined;
}

/** What a process writes in its row. */
interface Told {
  /** Undefined in the row of an older program. */
  readonly turn?: number;
  readonly rates?: Counts;
  readonly breakers?: Readonly<Record<string, BreakerNews>>;
  /** Undefined in the row of an older program. */
  readonly writes?: WritesNews;
}

const space = "pulse";

/** Starts it; nothing happens on a store that nobody shares. Rejects where the channel cannot be opened at all. */
export async function startPulse(runtime: Runtime, parts: PulseParts): Promise<Pulse> {
  if (!isShared(runtime.store)) return { isWell: true, problems: () => [], beat: () => Promise.resolve(), stop: () => Promise.resolve() };
  const pulse = new SharedPulse(runtime, parts);
  try {
    if (parts.openChannel !== undefined) pulse.speakOn(await parts.openChannel((text) => pulse.hear(text)));
    return pulse;
  } catch (error) {
    await pulse.stop();
    throw error;
  }
}

class SharedPulse implements Pulse {
  readonly #runtime: Runtime;
  readonly #breakers: SharedBreakers | undefined;
  readonly #own: RowKey;
  readonly #counts: OwnCounts;
  readonly #heard: HeardRates;
  #news: Readonly<Record<string, BreakerNews>> = {};
  #turn = 0;
  /** The turn that lies in the store, and the one of which the whole was last said on the channel. */
  #storedTurn = 0;
  /** How many writes of this process the store tells of. */
  #toldWrites = 0;
  #wholeTurn = 0;
  #timer: Timer | undefined;
  #beating: Promise<void> = Promise.resolve();
  #wellAtMs: number;
  #refusedPolicy: number | undefined;
  #isStopped = false;
  #channel: Channel | undefined;
  #channelTimer: Timer | undefined;
  /** When this process last heard itself on the channel. */
  #channelWellAtMs = 0;
  #wholeAtMs = 0;
  #isChannelAway = false;

  constructor(runtime: Runtime, { rates, breakers }: PulseParts) {
    const { clock, limits } = runtime;
    this.#breakers = breakers;
    this.#runtime = runtime;
    this.#counts = createOwnCounts(rates, { keysMax: limits.pulseKeysMax, keepMs: fixedBounds.silentPulsesMax * limits.pulseMs });
    this.#heard = createHeardRates(rates, { processesMax: limits.pulseProcessesMax });
    this.#wellAtMs = clock.monotonic();
    this.#own = { space, tenant: "", key: runtime.ids.next("process") };
    this.#beatLater();
  }

  get isWell(): boolean {
    const { clock, limits } = this.#runtime;
    return clock.monotonic() - this.#wellAtMs < limits.storeAwayMs;
  }

  problems(): readonly string[] {
    return [
      ...(this.isWell ? [] : ["the store cannot be reached"]),
      ...(this.#isChannelAway
        ? [`the Redis server \`${this.#channel?.name ?? ""}\` of \`sharedLimits\` cannot be reached; limits are told through the store`]
        : []),
    ];
  }

  async beat(): Promise<void> {
    try {
      await this.#tell();
      await this.#listen();
      this.#wellAtMs = this.#runtime.clock.monotonic();
    } catch (cause) {
      this.#runtime.reportFault("pulse", cause);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#channelTimer?.cancel();
    this.#channel?.close();
    await this.#beating;
  }

  /** Tells the others on it from now on, beside the store. */
  speakOn(channel: Channel): void {
    this.#channel = channel;
    this.#channelWellAtMs = this.#runtime.clock.monotonic();
    this.#speakLater();
  }

  /** What somebody said on the channel. */
  hear(text: string): void {
    const { limits, clock } = this.#runtime;
    const news = readNews(text, limits.channelMessageCharsMax);
    if (news === undefined || this.#isStopped) return;
    if (news.process === this.#own.key) {
      this.#channelWellAtMs = clock.monotonic();
      return;
    }
    this.#breakers?.hear(news.breakers);
    this.#heard.hear(news, clock.monotonic());
  }

  #beatLater(): void {
    this.#timer = this.#runtime.clock.after(this.#runtime.limits.pulseMs, () => {
      this.#beating = this.beat().finally(() => {
        if (!this.#isStopped) this.#beatLater();
      });
    });
  }

  #speakLater(): void {
    this.#channelTimer = this.#runtime.clock.after(this.#runtime.limits.channelPulseMs, () => {
      if (this.#isStopped) return;
      this.#gather();
      this.#speakWhole();
      this.#lookAtChannel();
      this.#speakLater();
    });
  }

  /** Takes a turn if something happened since the last, and says on the channel what. */
  #gather(): void {
    const changes = this.#counts.since(this.#runtime.clock.monotonic());
    const news = this.#breakers?.news();
    if (changes === undefined && news === undefined) return;
    this.#news = news ?? this.#news;
    this.#turn += 1;
    this.#say(false, changes ?? {}, news ?? {});
  }

  /** At least once in `pulseMs` all of it, so that who missed something knows it again; where nothing is new, a sign of life. */
  #speakWhole(): void {
    const { clock, limits } = this.#runtime;
    const nowMs = clock.monotonic();
    if (nowMs - this.#wholeAtMs < Math.min(limits.pulseMs, limits.channelAwayMs / 4)) return;
    this.#wholeAtMs = nowMs;
    const isNew = this.#wholeTurn !== this.#turn;
    this.#wholeTurn = this.#turn;
    this.#say(isNew, isNew ? this.#counts.all() : {}, isNew ? this.#news : {});
  }

  #say(isWhole: boolean, rates: Counts, breakers: Readonly<Record<string, BreakerNews>>): void {
    const text = writeNews({ process: this.#own.key, turn: this.#turn, isWhole, rates, breakers });
    // What is too long for it lies in the store at the next pulse.
    if (text.length <= this.#runtime.limits.channelMessageCharsMax) this.#channel?.say(text);
  }

  /** Said once when it goes away. */
  #lookAtChannel(): void {
    const { clock, limits } = this.#runtime;
    const isAway = clock.monotonic() - this.#channelWellAtMs >= limits.channelAwayMs;
    if (isAway && !this.#isChannelAway)
      this.#runtime.reportFault("sharedLimits", new Error(`the Redis server \`${this.#channel?.name ?? ""}\` cannot be reached`));
    this.#isChannelAway = isAway;
  }

  async #tell(): Promise<void> {
    const { clock, store, limits } = this.#runtime;
    this.#gather();
    const turn = this.#turn;
    const writes = this.#runtime.sharedWrites?.news();
    if (turn === this.#storedTurn && (writes?.count ?? 0) === this.#toldWrites) return;
    const body = { turn, rates: this.#counts.all(), breakers: this.#news, ...(writes !== undefined && { writes }) };
    const dueMs = clock.now() + fixedBounds.silentPulsesMax * limits.pulseMs;
    await store.commit({
      operations: [{ op: "put", key: this.#own, body: body as unknown as Json, dueMs }],
      entries: [],
      wait: "claimed",
    });
    this.#storedTurn = turn;
    this.#toldWrites = writes?.count ?? 0;
  }

  async #listen(): Promise<void> {
    const { store, limits, clock } = this.#runtime;
    const askedAtMs = clock.monotonic();
    const [rows, [policy]] = await Promise.all([
      store.scan({ space, tenant: "", limit: limits.pulseProcessesMax }),
      store.read([activePolicyKey]),
    ]);
    const others = rows.filter((row) => row.key !== this.#own.key);
    for (const row of others) this.#hearRow(row, clock.monotonic());
    this.#runtime.sharedWrites?.hear(
      others.map(({ key, body }) => ({ process: key, writes: (body as unknown as Told).writes })),
      { isWhole: rows.length < limits.pulseProcessesMax, nowMonotonicMs: askedAtMs },
    );
    this.#heard.begun();
    this.#heard.forget(clock.monotonic() - fixedBounds.silentPulsesMax * limits.pulseMs);
    await this.#followPolicy(policy);
  }

  #hearRow({ key: process, body }: Row, nowMs: number): void {
    const { turn, rates = {}, breakers = {} } = body as unknown as Told;
    this.#breakers?.hear(breakers);
    this.#heard.hear({ process, turn, isWhole: true, rates }, nowMs);
  }

  /** A policy that this program cannot read is reported once, and the one in force stays. */
  async #followPolicy(row: Row | undefined): Promise<void> {
    if (row === undefined || row.version === this.#refusedPolicy) return;
    try {
      await takeOverPolicy(this.#runtime, row);
    } catch (cause) {
      this.#refusedPolicy = row.version;
      this.#runtime.reportFault("policy", cause);
    }
  }
}
