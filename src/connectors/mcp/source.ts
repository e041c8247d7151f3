/**
 * An upstream MCP server as a source of tools, kept alive: connected, greeted, listed, listed again when it says that its tools changed and from time to
 * time, connected again with backoff when it is lost. No call goes through a connection whose tools have not been listed and compared, since the program
 * that comes back after a crash may be another one.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { Limits } from "../../base/limits.ts";
import type { Random } from "../../base/random.ts";
import type { SourceListing, SourceStart, SourceState, ToolSource } from "../../domain/tool-source.ts";
import type { ExecutionResult } from "../../domain/tool.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import type { Lookup } from "../ssrf-guard.ts";
import { createHttpLink } from "./http-link.ts";
import { LinkFailure, linkFailure, type Era, type Link } from "./link.ts";
import { readListing, type Carrier } from "./listing.ts";
import type { McpOptions } from "./options.ts";
import { headersOfArguments } from "./param-headers.ts";
import { greet, listen, listTools, probe, type Probed } from "./peer.ts";
import { failureOf, resultOf } from "./result.ts";
import { childEnvironment, startStdioLink } from "./stdio-link.ts";
import type { SourceCall } from "./source-call.ts";
import { UserLinks, type HeldLink } from "./user-links.ts";

/** What a source works with. */
export interface McpParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** Ours, of which a child gets the few variables that every program needs. */
  readonly environment: Environment;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
}

/** A source over an upstream server. Nothing happens before `start`. */
export function mcpSource(options: McpOptions, parts: McpParts): ToolSource {
  return new McpSource(options, parts);
}

interface Connection {
  readonly link: Link;
  readonly era: Era;
  /** Ends what lasts as long as the connection. */
  readonly ended: AbortController;
}

class McpSource implements ToolSource {
  readonly name: string;
  readonly #options: McpOptions;
  readonly #parts: McpParts;
  readonly #ending = new AbortController();
  readonly #settled: Promise<void>;
  #settle: () => void = () => undefined;
  #start: SourceStart | undefined;
  #state: SourceState = { kind: "connecting", note: "not started" };
  #connection: Connection | undefined;
  /** Resolves when the attempt to connect that is under way has ended, either way. */
  #connecting: Promise<void> = Promise.resolve();
  #digests: ReadonlyMap<string, string> = new Map();
  #listingsCount = 0;
  readonly #users: UserLinks | undefined;
  #failureCount = 0;
  #retryAtMs = 0;
  #relisting: Promise<void> | undefined;
  /** Links that were given up and have not ended yet. */
  readonly #leaving = new Set<Promise<void>>();
  #isChangeNoted = false;
  /** What the last probe has said; forgotten when it turns out wrong. */
  #known: Exclude<Probed, "ended"> | undefined;
  readonly #timers: { retry?: Timer; relist?: Timer; change?: Timer } = {};

  constructor(options: McpOptions, parts: McpParts) {
    this.name = options.name;
    this.#options = options;
    this.#parts = parts;
    this.#users = usersOf(options, parts, this.#ending.signal);
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  start(parts: SourceStart): void {
    if (this.#start !== undefined) return;
    this.#start = parts;
    this.#connect();
  }

  settled(): Promise<void> {
    return this.#settled;
  }

  state(): SourceState {
    return this.#state;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#state = { kind: "closed", note: "closed" };
    this.#settle();
    for (const timer of Object.values(this.#timers)) timer.cancel();
    this.#connection?.ended.abort();
    await this.#connection?.link.close();
    await this.#users?.close();
    await Promise.all([this.#connecting, this.#relisting, ...this.#leaving]);
  }

  /** Carries one call out. Never rejects. */
  async call(call: SourceCall): Promise<ExecutionResult> {
    const { execution } = call;
    const { tool } = execution;
    execution.mark?.("unsent");
    let isSent = false;
    let held: HeldLink | undefined;
    try {
      const connection = await this.#ready(execution.signal);
      if (this.#digests.get(call.name) !== call.digest) return changed(tool.name);
      const own = await this.#users?.hold(execution, { era: connection.era, listing: this.#listingsCount });
      if (own?.kind === "failure") return own;
      held = own;
      if (held !== undefined && held.digests.get(call.name) !== call.digest) return offeredOtherwise(tool.name);
      const { link, era } = held ?? connection;
      const answer = await link.request({
        method: "tools/call",
        params: { name: call.name, arguments: call.args },
        meta: { "signalbox/key": execution.key },
        ...(era.kind === "modern" && link.kind === "http" && { headers: headersOfArguments(call.headers, call.args) }),
        signal: execution.signal,
        onProgress: (message) => execution.progress(message),
        onSent: () => {
          isSent = true;
          execution.mark?.("sent");
        },
      });
      return resultOf(answer, tool, this.#options.errorEffect ?? "unknown");
    } catch (thrown) {
      const failure = linkFailure(thrown);
      const own = await held?.failed(failure);
      if (own !== undefined) return { kind: "failure", failure: own };
      const isGone = failure.parts.kind === "session-lost" || failure.parts.kind === "unreached";
      if (held === undefined && isGone) this.#lose(failure);
      return failureOf(failure, tool, isSent);
    } finally {
      held?.release();
    }
  }

  /** The connection, waited for while one is being made; a source that waits to try again fails at once and says for how long. */
  async #ready(signal: AbortSignal): Promise<Connection> {
    if (this.#connection !== undefined && this.#relisting === undefined) return this.#connection;
    if (this.#state.kind === "down" || this.#state.kind === "closed") throw this.#downFailure();
    await Promise.race([Promise.all([this.#connecting, this.#relisting]), aborted(signal)]);
    if (this.#connection === undefined) throw this.#downFailure();
    return this.#connection;
  }

  #downFailure(): LinkFailure {
    const waitMs = Math.max(0, Math.ceil(this.#retryAtMs - this.#parts.clock.monotonic()));
    return new LinkFailure({ kind: "unreached", message: this.#state.note, ...(waitMs > 0 && { retryAfterMs: waitMs }) });
  }

  #connect(): void {
    if (this.#ending.signal.aborted) return;
    this.#state = { kind: "connecting", note: "connecting" };
    this.#connecting = this.#attempt().finally(() => this.#settle());
  }

  async #attempt(): Promise<void> {
    const { clock, limits } = this.#parts;
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    const timer = clock.after(limits.mcpConnectMs, stop);
    this.#ending.signal.addEventListener("abort", stop);
    let link: Link | undefined;
    try {
      const met = await this.#meet(controller.signal, (opened) => (link = opened));
      await this.#list(met, controller.signal);
      if (this.#ending.signal.aborted) throw new LinkFailure({ kind: "aborted", message: "closed" });
      this.#connected(met);
    } catch (thrown) {
      this.#known = undefined;
      await link?.close();
      this.#failed(linkFailure(thrown));
    } finally {
      timer.cancel();
      this.#ending.signal.removeEventListener("abort", stop);
    }
  }

  /** Opens a link and agrees on an era. A child that ends over the question of the modern era, at once or after a while, is started once more. */
  async #meet(signal: AbortSignal, opened: (link: Link) => void): Promise<Connection> {
    const { clock, limits } = this.#parts;
    const link = await this.#open();
    opened(link);
    const found = this.#known ?? (await probe(link, { clock, limits, signal }));
    const known = found === "ended" ? "legacy" : found;
    const hasAsked = this.#known === undefined && link.kind === "stdio";
    try {
      const era = await greet(link, known === "legacy" ? "legacy" : "modern", signal);
      this.#known = known;
      return { link, era, ended: new AbortController() };
    } catch (thrown) {
      const { kind } = linkFailure(thrown).parts;
      if (!hasAsked || known !== "legacy" || (kind !== "lost" && kind !== "unreached")) throw thrown;
    }
    await link.close();
    const again = await this.#open();
    opened(again);
    const era = await greet(again, "legacy", signal);
    this.#known = "legacy";
    return { link: again, era, ended: new AbortController() };
  }

  async #open(): Promise<Link> {
    const { reach } = this.#options;
    const { clock, limits, environment, lookup } = this.#parts;
    const { secret } = this.#start as SourceStart;
    if (reach.kind === "http") return createHttpLink({ reach, secret, clock, limits, lookup });
    const configured: Record<string, string> = {};
    for (const [name, value] of Object.entries(reach.environment ?? {}))
      configured[name] = value.startsWith("secret://") ? await secret(value) : value;
    return startStdioLink({
      command: reach.command,
      folder: reach.folder,
      environment: childEnvironment(environment, configured),
      clock,
      limits,
      onToolsChanged: () => this.#noteChange(),
    });
  }

  async #list({ link }: Connection, signal: AbortSignal): Promise<void> {
    const found = await listTools(link, this.#parts.limits, signal);
    const { listing, digests } = readListing(found, this.#carrier(), this.#parts.limits);
    // Before anything of it may run: whoever calls now runs under the new definitions or not at all.
    this.#digests = digests;
    this.#listingsCount += 1;
    await (this.#start as SourceStart).onListing(listing satisfies SourceListing);
  }

  #carrier(): Carrier {
    const users = this.#users;
    return {
      carry: (call) => this.call(call),
      ...(users !== undefined && { lacks: (asked) => users.credential.lacks(asked) }),
    };
  }

  #connected(connection: Connection): void {
    const { clock, limits } = this.#parts;
    this.#connection = connection;
    this.#state = { kind: "ready", note: `connected (${connection.era.version})` };
    const upSinceMs = clock.monotonic();
    void connection.link.gone.then(() => {
      if (clock.monotonic() - upSinceMs >= limits.mcpSteadyMs) this.#failureCount = 0;
      this.#lose(new LinkFailure({ kind: "lost", message: "the server's process ended" }), connection);
    });
    if (connection.link.kind === "http") this.#failureCount = 0;
    this.#relistLater(connection);
    if (this.#known === "modern-announcing") void listen(connection.link, connection.ended.signal, () => this.#noteChange());
    if (this.#isChangeNoted) this.#noteChange();
  }

  #relistLater(connection: Connection): void {
    this.#timers.relist?.cancel();
    this.#timers.relist = this.#parts.clock.after(this.#parts.limits.mcpRelistMs, () => {
      if (this.#connection !== connection) return;
      this.#relist(connection);
      this.#relistLater(connection);
    });
  }

  /** The server says that its tools changed. Announcements that follow within a moment are one. */
  #noteChange(): void {
    const connection = this.#connection;
    this.#isChangeNoted = true;
    if (connection === undefined || this.#relisting !== undefined) return;
    this.#timers.change?.cancel();
    this.#timers.change = this.#parts.clock.after(this.#parts.limits.mcpChangeWaitMs, () => {
      if (this.#connection === connection && this.#isChangeNoted) this.#relist(connection);
    });
  }

  #relist(connection: Connection): void {
    if (this.#relisting !== undefined) return;
    this.#isChangeNoted = false;
    const controller = new AbortController();
    const timer = this.#parts.clock.after(this.#parts.limits.mcpConnectMs, () => controller.abort());
    this.#relisting = this.#list(connection, controller.signal)
      // A server that cannot say what it offers is not called.
      .catch((thrown: unknown) => this.#lose(linkFailure(thrown), connection))
      .finally(() => {
        timer.cancel();
        this.#relisting = undefined;
        if (this.#isChangeNoted) this.#noteChange();
      });
  }

  /** Gives the connection up and connects again later. */
  #lose(failure: LinkFailure, connection = this.#connection): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#isChangeNoted = false;
    connection.ended.abort();
    this.#leave(connection.link);
    this.#users?.drop();
    this.#failed(failure);
  }

  /** Without anybody waiting, but a source that closes: a child that hesitates to end has to be told again. */
  #leave(link: Link): void {
    const left = link.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #failed(failure: LinkFailure): void {
    if (this.#ending.signal.aborted) return;
    const { clock, limits, random } = this.#parts;
    this.#failureCount += 1;
    const waitMs = backoffMs({
      retryNumber: Math.min(this.#failureCount, 20),
      baseMs: limits.mcpRestartBaseMs,
      capMs: limits.mcpRestartCapMs,
      random,
    });
    this.#retryAtMs = clock.monotonic() + waitMs;
    this.#state = { kind: "down", note: failure.parts.message };
    this.#start?.onTrouble(`source \`${this.name}\`: ${failure.parts.message}; connecting again in ${waitMs} ms`, failure);
    this.#timers.retry = clock.after(waitMs, () => this.#connect());
  }
}

function changed(name: string): ExecutionResult {
  const message = `the definition of \`${name}\` changed and waits for review`;
  return { kind: "failure", failure: { kind: "failed", code: "TOOL_QUARANTINED", message, effect: "none" } };
}

function offeredOtherwise(name: string): ExecutionResult {
  const message = `the server does not offer \`${name}\` to this user as it was reviewed`;
  return { kind: "failure", failure: { kind: "rejected", message, effect: "none" } };
}

function usersOf({ reach }: McpOptions, { clock, limits, lookup }: McpParts, ending: AbortSignal): UserLinks | undefined {
  if (reach.kind !== "http" || reach.userAuth === undefined) return undefined;
  return new UserLinks({ reach, auth: reach.userAuth, clock, limits, lookup, ending });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(new LinkFailure({ kind: "unreached", message: "given up while the server was being connected" }));
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}
