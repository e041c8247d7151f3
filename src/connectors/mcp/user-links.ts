/**
 * Connections to one server behind HTTP for each of its users, each with that user's own credential and nothing else: what one of them is called with never
 * reaches the server under another's. A connection is listed before it is called, since a server may offer every user something else; it lives as long
 * as the credential it was made with. Bounded: the one that was not used for the longest time makes room, and one that is in use never does.
 */
import type { Clock } from "../../base/clock.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { Limits } from "../../base/limits.ts";
import type { Execution, Failure, Tool } from "../../domain/tool.ts";
import { HttpCredential } from "../http-credential.ts";
import type { HttpAuth } from "../http-options.ts";
import type { Lookup } from "../ssrf-guard.ts";
import { createHttpLink, type Proof } from "./http-link.ts";
import { LinkFailure, linkFailure, type Era, type Link } from "./link.ts";
import { readListing } from "./listing.ts";
import type { McpReach } from "./options.ts";
import { greet, listTools } from "./peer.ts";
import { failureOf } from "./result.ts";

/** What they are made with. */
export interface UserLinksParts {
  readonly reach: Extract<McpReach, { kind: "http" }>;
  readonly auth: HttpAuth;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly lookup: Lookup | undefined;
  /** Fires when the source is closed. */
  readonly ending: AbortSignal;
}

/** What the source knows of its server at this moment. */
export interface ServerNow {
  readonly era: Era;
  /** Counts its listings: a connection that was listed before the last of them is listed again. */
  readonly listing: number;
}

/** A user's connection, held for one call. */
export interface HeldLink {
  readonly kind: "held";
  readonly link: Link;
  readonly era: Era;
  /** Digests of the definitions that the server offers this user, by its names. */
  readonly digests: ReadonlyMap<string, string>;
  /** Takes note of how a call failed. What it means for the user, where it says more than the failure of any call. */
  failed(failure: LinkFailure): Promise<Failure | undefined>;
  release(): void;
}

interface Entry {
  readonly link: Link;
  /** Digest of the credential it was made with. */
  readonly proof: string;
  /** Calls that hold it. */
  uses: number;
  isRetired: boolean;
  ready: { readonly listing: number; readonly promise: Promise<Ready> };
}

interface Ready {
  readonly era: Era;
  readonly digests: ReadonlyMap<string, string>;
}

/** The connections of the users of one source. */
export class UserLinks {
  readonly credential: HttpCredential;
  readonly #parts: UserLinksParts;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** No longer given out, and still in use. */
  readonly #retired = new Set<Entry>();
  /** Links on their way out. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(parts: UserLinksParts) {
    this.#parts = parts;
    this.credential = new HttpCredential(parts.auth, parts);
  }

  /** The connection of the user behind a call, made where there is none. Rejects with a `LinkFailure` only when the call's signal fires. */
  async hold(execution: Execution, server: ServerNow): Promise<HeldLink | { readonly kind: "failure"; readonly failure: Failure }> {
    const proof = await this.credential.header(execution);
    if (proof.kind === "failure") return proof;
    const key = keyOf(execution);
    const entry = this.#entryFor(key, proof, server);
    if (entry === undefined) return { kind: "failure", failure: full(execution.tool) };
    entry.uses += 1;
    try {
      const { era, digests } = await unlessAborted(entry.ready.promise, execution.signal);
      const failed = async (failure: LinkFailure): Promise<Failure | undefined> => await this.#failed(key, entry, { failure, execution });
      return { kind: "held", link: entry.link, era, digests, failed, release: () => this.#release(entry) };
    } catch (thrown) {
      const failure = linkFailure(thrown);
      const meaning = await this.#failed(key, entry, { failure, execution });
      this.#release(entry);
      const result = failureOf(failure, execution.tool, false);
      return { kind: "failure", failure: meaning ?? (result.kind === "failure" ? result.failure : full(execution.tool)) };
    }
  }

  /** Gives all of them up, as those that are connected next may meet another program. Calls on their way end as they may. */
  drop(): void {
    for (const [key, entry] of this.#entries) this.#retire(key, entry);
  }

  async close(): Promise<void> {
    const all = [...this.#entries.values(), ...this.#retired];
    this.#entries.clear();
    this.#retired.clear();
    await Promise.all([...all.map(({ link }) => link.close()), ...this.#leaving]);
    await this.credential.close();
  }

  /** Undefined where as many as there may be are in use. */
  #entryFor(key: string, proof: Proof, server: ServerNow): Entry | undefined {
    const digest = sha256Hex(JSON.stringify([proof.name, proof.value]));
    const known = this.#entries.get(key);
    if (known !== undefined && known.proof === digest) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      if (known.ready.listing !== server.listing) {
        const promise = this.#relist(known);
        known.ready = { listing: server.listing, promise };
        promise.catch(() => this.#retire(key, known));
      }
      return known;
    }
    // Another credential may be another account: nothing that was agreed under the old one goes on.
    if (known !== undefined) this.#retire(key, known);
    if (!this.#makeRoom()) return undefined;
    const { reach, clock, limits, lookup } = this.#parts;
    const link = createHttpLink({ reach, proof, secret: noSecret, clock, limits, lookup });
    const promise = this.#within((signal) => open(link, server, limits, signal));
    const entry: Entry = { link, proof: digest, uses: 0, isRetired: false, ready: { listing: server.listing, promise } };
    this.#entries.set(key, entry);
    promise.catch(() => this.#retire(key, entry));
    return entry;
  }

  #makeRoom(): boolean {
    const { mcpUserLinksMax } = this.#parts.limits;
    if (this.#entries.size + this.#retired.size < mcpUserLinksMax) return true;
    for (const [key, entry] of this.#entries) {
      if (entry.uses > 0) continue;
      this.#retire(key, entry);
      return true;
    }
    return false;
  }

  #relist({ link, ready }: Entry): Promise<Ready> {
    return this.#within(async (signal) => {
      const { era } = await ready.promise;
      return { era, digests: await digestsOf(link, this.#parts.limits, signal) };
    });
  }

  /** Work for everybody who waits for a connection, so no single call ends it. */
  #within(work: (signal: AbortSignal) => Promise<Ready>): Promise<Ready> {
    const { clock, limits, ending } = this.#parts;
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    const timer = clock.after(limits.mcpConnectMs, stop);
    ending.addEventListener("abort", stop);
    return work(controller.signal).finally(() => {
      timer.cancel();
      ending.removeEventListener("abort", stop);
    });
  }

  async #failed(
    key: string,
    entry: Entry,
    { failure, execution }: { readonly failure: LinkFailure; readonly execution: Execution },
  ): Promise<Failure | undefined> {
    const { kind, status } = failure.parts;
    const isRefused = kind === "refused" && status === 401;
    if (isRefused || kind === "session-lost" || kind === "unreached") this.#retire(key, entry);
    return isRefused ? await this.credential.refused(execution) : undefined;
  }

  #retire(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    if (entry.isRetired) return;
    entry.isRetired = true;
    if (entry.uses === 0) this.#leave(entry);
    else this.#retired.add(entry);
  }

  #leave({ link }: Entry): void {
    const left = link.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #release(entry: Entry): void {
    entry.uses -= 1;
    if (entry.uses > 0 || !entry.isRetired) return;
    this.#retired.delete(entry);
    this.#leave(entry);
  }
}

function keyOf({ principal }: Execution): string {
  return JSON.stringify([principal.tenant, principal.user]);
}

function noSecret(): Promise<string> {
  return Promise.reject(new Error("a user's connection has its credential already"));
}

async function open(link: Link, { era }: ServerNow, limits: Limits, signal: AbortSignal): Promise<Ready> {
  const agreed = await greet(link, era.kind, signal);
  return { era: agreed, digests: await digestsOf(link, limits, signal) };
}

async function digestsOf(link: Link, limits: Limits, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const found = await listTools(link, limits, signal);
  return readListing(found, { carry: () => Promise.reject(new Error("listed to be compared")) }, limits).digests;
}

function full(tool: Tool): Failure {
  return {
    kind: "rate-limited",
    message: `too many users of the server of \`${tool.name}\` are being served; try again later`,
    effect: "none",
  };
}

async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const given = (): LinkFailure => new LinkFailure({ kind: "aborted", message: "given up while the server was being connected" });
  if (signal.aborted) throw given();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(given());
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
