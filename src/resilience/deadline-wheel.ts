/**
 * Deadlines of many attempts under one timer. A timer of its own per attempt costs more than the rest of the wrapper, and deadlines almost never
 * fire: so they hang in slots of a ring, adding and cancelling is relinking, and one coarse tick looks at the slots that have passed. A deadline
 * never fires early and at most about one slot late. The tick is armed only while something is pending, and keeps the process alive for as long: somebody waits.
 */
import type { Clock } from "../base/clock.ts";

/** What is told that its time is over. An object instead of a closure, so that scheduling allocates one link and nothing else. */
export interface Expiring {
  expire(): void;
}

/** A pending deadline, to be handed back to `cancel`. */
export interface WheelTimer {
  next: WheelTimer;
  previous: WheelTimer;
  readonly atMonotonicMs: number;
  readonly target: Expiring | undefined;
}

/** One timer for many deadlines. */
export interface DeadlineWheel {
  /** Calls `target.expire()` once the monotonic clock has reached `atMonotonicMs`, at most about one slot later. */
  schedule(atMonotonicMs: number, target: Expiring): WheelTimer;
  /** Forgets a deadline; harmless when it has fired or was cancelled before. */
  cancel(timer: WheelTimer): void;
  /** Milliseconds by which the next tick is overdue at `nowMonotonicMs`: how long something has held the event loop. 0 while nothing is pending. */
  overdueMs(nowMonotonicMs: number): number;
  /** What is pending from now on keeps the process alive no longer. */
  release(): void;
  /** Deadlines that are pending. */
  readonly pendingCount: number;
}

/** How a wheel is made. */
export interface WheelOptions {
  readonly clock: Clock;
  /** Width of a slot and time between two ticks. Default 16. */
  readonly slotMs?: number;
  /** Told at each tick that came late, with how late. */
  readonly onLag?: (lagMs: number) => void;
}

const slotCount = 512;

/** A wheel of 512 slots; deadlines beyond one turn stay in their slot and are passed over until their turn comes. */
export function createDeadlineWheel(options: WheelOptions): DeadlineWheel {
  return new Wheel(options.clock, options.slotMs ?? 16, options.onLag);
}

class Link implements WheelTimer {
  next: WheelTimer = this;
  previous: WheelTimer = this;
  readonly atMonotonicMs: number;
  readonly target: Expiring | undefined;

  constructor(atMonotonicMs: number, target: Expiring | undefined) {
    this.atMonotonicMs = atMonotonicMs;
    this.target = target;
  }
}

class Wheel implements DeadlineWheel {
  pendingCount = 0;
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #onLag: ((lagMs: number) => void) | undefined;
  readonly #slots: readonly Link[] = Array.from({ length: slotCount }, () => new Link(0, undefined));
  readonly #onTick = (): void => this.#tick();
  /** Number of the first slot that may still hold something due. */
  #cursor = 0;
  #isTicking = false;
  #holds: "process" | undefined = "process";
  #tickDueMs = 0;

  constructor(clock: Clock, slotMs: number, onLag: ((lagMs: number) => void) | undefined) {
    this.#clock = clock;
    this.#slotMs = slotMs;
    this.#onLag = onLag;
  }

  schedule(atMonotonicMs: number, target: Expiring): WheelTimer {
    if (!this.#isTicking) this.#start();
    // A deadline that has passed already goes to the slot that the next tick looks at.
    const slotNumber = Math.max(Math.floor(atMonotonicMs / this.#slotMs), this.#cursor);
    const head = this.#slots[slotNumber % slotCount] as WheelTimer;
    const timer = new Link(atMonotonicMs, target);
    timer.next = head;
    timer.previous = head.previous;
    head.previous.next = timer;
    head.previous = timer;
    this.pendingCount += 1;
    return timer;
  }

  cancel(timer: WheelTimer): void {
    if (timer.next === timer) return;
    timer.previous.next = timer.next;
    timer.next.previous = timer.previous;
    timer.next = timer;
    timer.previous = timer;
    this.pendingCount -= 1;
  }

  overdueMs(nowMonotonicMs: number): number {
    return this.#isTicking ? Math.max(0, nowMonotonicMs - this.#tickDueMs) : 0;
  }

  release(): void {
    this.#holds = undefined;
  }

  #start(): void {
    const nowMs = this.#clock.monotonic();
    this.#isTicking = true;
    this.#cursor = Math.floor(nowMs / this.#slotMs);
    this.#arm(nowMs);
  }

  #arm(nowMs: number): void {
    this.#tickDueMs = nowMs + this.#slotMs;
    this.#clock.after(this.#slotMs, this.#onTick, this.#holds);
  }

  #tick(): void {
    const nowMs = this.#clock.monotonic();
    const lagMs = nowMs - this.#tickDueMs;
    if (lagMs > 0) this.#onLag?.(lagMs);
    const current = Math.floor(nowMs / this.#slotMs);
    // After a pause longer than a turn every slot is visited once.
    const first = Math.max(this.#cursor, current - slotCount + 1);
    // The current slot stays in view, since it may hold deadlines later than now.
    this.#cursor = current;
    for (let slotNumber = first; slotNumber <= current; slotNumber += 1) {
      this.#expireSlot(this.#slots[slotNumber % slotCount] as Link, nowMs);
    }
    this.#isTicking = this.pendingCount > 0;
    if (this.#isTicking) this.#arm(nowMs);
  }

  #expireSlot(head: WheelTimer, nowMs: number): void {
    // What expires may cancel its neighbours, so the due ones are collected first.
    const due: WheelTimer[] = [];
    for (let timer = head.next; timer !== head; timer = timer.next) if (timer.atMonotonicMs <= nowMs) due.push(timer);
    for (const timer of due) {
      if (timer.next === timer) continue;
      this.cancel(timer);
      timer.target?.expire();
    }
  }
}
