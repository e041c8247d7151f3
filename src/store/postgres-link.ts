import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Clock } from "../base/clock.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { connect, databaseProblem, faultOf, type Connection, type DatabaseAddress } from "./postgres-driver.ts";
import { keepLease, prepareSession, releaseLease, renewLease, takeLease, type Lease, type LeaseOptions } from "./postgres-lease.ts";

/** What a link needs. */
export interface LinkOptions {
  readonly address: DatabaseAddress;
  readonly clock: Clock;
  /** Id for a writer, should no place be free. */
  readonly nextWriter: () => string;
}

/** How a write ended whose answer was lost. */
export type Fate = "written" | "not-written" | "unknown";

/** The connection that writes, and the lease under which it does. Mends itself: what breaks is made anew by whoever needs it next. */
export class PostgresLink {
  readonly #options: LinkOptions;
  #connection: Connection | undefined;
  #lease: Lease | undefined;
  #isFenced = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The lease as it was last known; `undefined` before the first, and after it was lost. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /**
   * A connection and a lease to write with. Tries for `storeReconnectMs` to connect; rejects with `LEDGER_UNAVAILABLE` when it cannot, and once after
   * the lease was lost, so that what was begun under it is not carried on as if nothing had been.
   */
  async ready(): Promise<{ readonly connection: Connection; readonly lease: Lease }> {
    const isConnected = this.#connection?.isAlive() === true;
    if (!isConnected || this.#lease === undefined) await this.#tryUntilReady();
    if (this.#isFenced) {
      this.#isFenced = false;
      throw leaseProblem();
    }
    return { connection: this.#connection as Connection, lease: this.#lease as Lease };
  }

  /** As `ready`, where nothing has to be waited for; `undefined` where it has. */
  standing(): { readonly connection: Connection; readonly lease: Lease } | undefined {
    const connection = this.#connection;
    if (this.#isFenced || connection?.isAlive() !== true || this.#lease === undefined) return undefined;
    return { connection, lease: this.#lease };
  }

  /** The chain moved on under this lease. */
  advance(lease: Lease): void {
    this.#lease = lease;
  }

  /** The connection is of no more use. */
  drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close().catch(() => undefined);
  }

  /** The database says that the place is another's. */
  loseLease(): void {
    this.#lease = undefined;
    this.#isFenced = true;
  }

  /** What became of a write under `lease` whose answer never came. Connects anew, which also bars the write from still happening. */
  async fateOf(lease: Lease): Promise<Fate> {
    this.drop();
    try {
      await this.#tryUntilReady();
    } catch {
      // The caller is told that nobody knows; why the database is away is told to whoever writes next.
      return "unknown";
    }
    if (this.#isFenced) return "unknown";
    return this.#lease?.writer === lease.writer && this.#lease.flush > lease.flush ? "written" : "not-written";
  }

  /** A sign of life. Trouble with it is left to the next write. */
  async beat(): Promise<void> {
    if (this.#connection?.isAlive() !== true || this.#lease === undefined) return;
    try {
      if (!(await keepLease(this.#leaseOptions(this.#connection), this.#lease))) this.loseLease();
    } catch {
      this.drop();
    }
  }

  /** Gives the place back and closes the connection. */
  async close(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    // A place that cannot be given back becomes free when its lease is over.
    if (this.#lease !== undefined) await releaseLease(connection, this.#lease).catch(() => undefined);
    this.#connection = undefined;
    await connection.close().catch(() => undefined);
  }

  #leaseOptions(connection: Connection): LeaseOptions {
    return { connection, address: this.#options.address };
  }

  async #tryUntilReady(): Promise<void> {
    let waitedMs = 0;
    for (let delayMs = fixedBounds.storeRetryBaseMs; ; delayMs = Math.min(fixedBounds.storeRetryCapMs, delayMs * 2)) {
      try {
        await this.#makeReady();
        return;
      } catch (cause) {
        this.drop();
        const fault = faultOf(cause);
        if ((fault !== "lost" && fault !== "again") || waitedMs >= this.#options.address.limits.storeReconnectMs)
          throw databaseProblem(cause, this.#options.address);
      }
      const pauseMs = delayMs;
      await new Promise<void>((resolve) => this.#options.clock.after(pauseMs, resolve, "process"));
      waitedMs += pauseMs;
    }
  }

  async #makeReady(): Promise<void> {
    if (this.#connection?.isAlive() !== true) {
      this.#connection = await connect(this.#options.address, { isPipelined: true });
      await prepareSession(this.#connection, this.#options.address.limits);
      if (this.#lease !== undefined) {
        const renewed = await renewLease(this.#leaseOptions(this.#connection), this.#lease);
        if (renewed === undefined) this.loseLease();
        else this.#lease = renewed;
      }
    }
    if (this.#lease !== undefined) return;
    this.#lease = await takeLease(this.#leaseOptions(this.#connection), this.#options.nextWriter());
  }
}

function leaseProblem(): ToolCallError {
  return toolCallError(
    "LEDGER_UNAVAILABLE",
    "this process was silent for longer than its lease and another one took its place as a writer; nothing of this change holds, repeat it later",
  );
}
