/**
 * Tools that come from sources at run time. Every listing of a source is compared with what was admitted before (`registry/admission.ts`); only then is it
 * registered, and a call can reach it. What waits for review is known by name, so that a call of it is answered with the reason.
 */
import { cleanForPeople } from "../../approvals/card.ts";
import { canonicalJson } from "../../base/canonical-json.ts";
import { fixedBounds } from "../../base/fixed-bounds.ts";
import { sha256Hex } from "../../base/hash.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { SourceListing, SourceState, SourcedTool } from "../../domain/tool-source.ts";
import type { RegisteredTool, Tier, Tool } from "../../domain/tool.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { matchesStars } from "../../policy/glob.ts";
import { judgeDefinition, type AdmissionVerdict } from "../../registry/admission.ts";
import { completeTool } from "../../registry/complete.ts";
import { definitionProblems } from "../../registry/definition-problems.ts";
import type { SourceOptions, Trouble } from "./options.ts";
import { createPins, type Pin, type Pins } from "./pins.ts";
import { recordTool } from "./register-tools.ts";
import type { Runtime } from "../runtime.ts";

/** Where a tool of a source stands. */
export interface PinView {
  /** As calls name it. */
  readonly tool: string;
  readonly source: string;
  /** The tier that the operator gives it, whatever the definition says of itself. */
  readonly tier: Tier;
  /** `new` and `changed` wait for review; `refused` cannot be admitted as it is. */
  readonly state: "admitted" | "new" | "changed" | "refused";
  /** Digest of what the source offers now: what has to be named to admit it. */
  readonly digest: string;
  /** What the source offers now. Untrusted. */
  readonly definition: JsonObject;
  readonly admittedDigest: string | undefined;
  /** What was admitted, where it differs. */
  readonly admittedDefinition: JsonObject | undefined;
  readonly problems: readonly string[];
}

/** A source as people see it. */
export interface SourceView {
  readonly source: string;
  readonly state: SourceState;
  readonly toolCount: number;
  readonly waitingCount: number;
  /** What its last listing left out, and why. */
  readonly problems: readonly string[];
}

/** The sources of a box. */
export interface ToolSources {
  /** Starts every source and waits until each was listed once, or could not be, at most `mcpConnectMs`. */
  start(): Promise<void>;
  sources(): readonly SourceView[];
  pins(): readonly PinView[];
  /**
   * Admits what a source offers under this name, if it is still what was reviewed. `NOT_FOUND` for a name that no source offers, `APPROVAL_INVALID` for
   * another digest or a definition that cannot be admitted.
   */
  admit(request: { readonly tool: string; readonly digest: string; readonly by: string }): Promise<PinView>;
  close(): Promise<void>;
}

/** What sources are run with. */
export interface ToolSourceParts {
  readonly runtime: Pick<Runtime, "registry" | "store" | "clock" | "limits" | "secret">;
  readonly sources: readonly SourceOptions[];
  /** A store that forgets approvals and keys: tools whose calls cannot be undone are refused. */
  readonly isMemory: boolean;
  readonly trouble: (trouble: Trouble) => void;
}

/** One tool that a source offers now. */
interface Offered {
  readonly tool: Tool;
  readonly sourced: SourcedTool;
  readonly digest: string;
  readonly verdict: AdmissionVerdict;
  readonly pin: Pin;
}

// Tools that are defined in code say `local` of themselves, and our own begin with `signalbox`: nobody else may pass for them.
const reservedNames: readonly string[] = ["local", "signalbox"];

function checkNames(names: readonly string[]): void {
  const wrong = names.find((name, index) => reservedNames.includes(name.toLowerCase()) || names.indexOf(name) !== index);
  if (wrong !== undefined)
    throw toolCallError("CONFIG_INVALID", `no source can be called \`${cleanForPeople(wrong, 64)}\`: the name is taken; choose another`);
}

/** Makes them; nothing is connected before `start`. Throws `CONFIG_INVALID` for a name that is taken. */
export function createToolSources(parts: ToolSourceParts): ToolSources {
  checkNames(parts.sources.map(({ source }) => source.name));
  const { clock, limits } = parts.runtime;
  const pins = createPins({ store: parts.runtime.store, now: () => clock.now() });
  const running = parts.sources.map((options) => new RunningSource(options, parts, pins));
  return {
    async start() {
      for (const source of running) source.start();
      if (running.length === 0) return;
      const all = Promise.all(running.map((source) => source.settled()));
      await new Promise<void>((resolve) => {
        const timer = clock.after(limits.mcpConnectMs, resolve);
        void all.then(() => {
          timer.cancel();
          resolve();
        });
      });
    },
    sources: () => running.map((source) => source.view()),
    pins: () => running.flatMap((source) => source.pinViews()),
    async admit(request) {
      const owner = running.find((source) => source.offers(request.tool));
      if (owner === undefined) throw toolCallError("NOT_FOUND", `no source offers a tool \`${cleanForPeople(request.tool, 80)}\``);
      return await owner.admit(request);
    },
    async close() {
      await Promise.allSettled(running.map((source) => source.close()));
    },
  };
}

class RunningSource {
  readonly #options: SourceOptions;
  readonly #parts: ToolSourceParts;
  readonly #pins: Pins;
  #offered = new Map<string, Offered>();
  #problems: readonly string[] = [];
  /** Digests of the definitions under which our tools stand in the registry. */
  readonly #registered = new Map<string, string>();
  /** Listings and admissions one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: SourceOptions, parts: ToolSourceParts, pins: Pins) {
    this.#options = options;
    this.#parts = parts;
    this.#pins = pins;
  }

  start(): void {
    const { trouble, runtime } = this.#parts;
    this.#options.source.start({
      onListing: (listing) => this.#inTurn(() => this.#take(listing)),
      secret: runtime.secret,
      onTrouble: (note, cause) => trouble({ kind: "source", where: this.#options.source.name, note, cause }),
    });
  }

  settled(): Promise<void> {
    return this.#options.source.settled();
  }

  /** What was listed by then is still taken. */
  async close(): Promise<void> {
    await this.#options.source.close();
    await this.#queue;
  }

  offers(tool: string): boolean {
    return this.#offered.has(tool);
  }

  view(): SourceView {
    const offered = [...this.#offered.values()];
    const waitingCount = offered.filter(({ verdict }) => verdict.kind === "waits").length;
    const { name, state } = { name: this.#options.source.name, state: this.#options.source.state() };
    return { source: name, state, toolCount: offered.length, waitingCount, problems: this.#problems };
  }

  pinViews(): readonly PinView[] {
    return [...this.#offered.values()].map((offered) => viewOf(offered));
  }

  admit(request: { readonly tool: string; readonly digest: string; readonly by: string }): Promise<PinView> {
    return this.#inTurn(async () => {
      const offered = this.#offered.get(request.tool);
      if (offered?.digest !== request.digest)
        throw toolCallError(
          "APPROVAL_INVALID",
          `the definition of \`${cleanForPeople(request.tool, 80)}\` is another one by now; review it again`,
        );
      if (offered.verdict.kind === "refused")
        throw toolCallError(
          "APPROVAL_INVALID",
          `\`${cleanForPeople(request.tool, 80)}\` cannot be admitted: ${offered.verdict.problems.join("; ")}`,
        );
      const [pin = offered.pin] = await this.#pins.readAll([{ tool: offered.tool.name, source: offered.tool.source }]);
      const admitted = await this.#pins.admit(keyOf(offered.tool), pin, {
        digest: offered.digest,
        definition: offered.sourced.definition,
        by: request.by,
      });
      if (!admitted) throw toolCallError("APPROVAL_INVALID", "somebody else decided at the same moment; look again");
      const [after = pin] = await this.#pins.readAll([keyOf(offered.tool)]);
      const next: Offered = { ...offered, verdict: { kind: "admitted" }, pin: after };
      this.#offered.set(offered.tool.name, next);
      await this.#register(next);
      return viewOf(next);
    });
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #take(listing: SourceListing): Promise<void> {
    const allowed = listing.tools.filter(({ name }) => (this.#options.allow ?? ["*"]).some((glob) => matchesStars(glob, name)));
    const tools = allowed.map((sourced) => ({ sourced, tool: this.#complete(sourced) }));
    const found = await this.#pins.readAll(tools.map(({ tool }) => keyOf(tool)));
    const next = new Map<string, Offered>();
    const problems = [...listing.problems];
    for (const [index, { sourced, tool }] of tools.entries()) {
      const offered = await this.#settle(sourced, tool, found[index] as Pin);
      next.set(tool.name, offered);
      if (offered.verdict.kind === "refused") problems.push(`\`${cleanForPeople(tool.name, 80)}\`: ${offered.verdict.problems.join("; ")}`);
    }
    this.#withdraw(next);
    this.#offered = next;
    this.#problems = problems;
    for (const offered of next.values()) await this.#register(offered);
    await this.#recordWithdrawn(next);
    this.#report(next);
  }

  /** Judges one definition, and writes down what that changes. */
  async #settle(sourced: SourcedTool, tool: Tool, read: Pin): Promise<Offered> {
    const digest = sha256Hex(canonicalJson(sourced.definition));
    const { definition } = sourced;
    let pin = read;
    for (let attempt = 0; attempt < fixedBounds.racesMax; attempt += 1) {
      const { admitted, waiting, isWithdrawn } = pin.body;
      const verdict = judgeDefinition({
        policy: this.#options.admit ?? "review",
        tier: tool.tier,
        digest,
        admittedDigest: admitted?.digest,
        problems: this.#problemsOf(tool),
      });
      const offered: Offered = { tool, sourced, digest, verdict, pin };
      let isWritten = true;
      if (verdict.kind === "admit")
        isWritten = await this.#pins.admit(keyOf(tool), pin, { digest, definition, by: `policy:${this.#options.admit ?? "review"}` });
      else if (verdict.kind === "waits" && waiting?.digest !== digest)
        isWritten = await this.#pins.quarantine(keyOf(tool), pin, { digest, definition });
      else if (verdict.kind === "admitted" && (waiting !== null || isWithdrawn)) isWritten = await this.#pins.restore(keyOf(tool), pin);
      if (isWritten) return verdict.kind === "admit" ? { ...offered, verdict: { kind: "admitted" } } : offered;
      // Another replica wrote first; what it wrote is judged.
      [pin = pin] = await this.#pins.readAll([keyOf(tool)]);
    }
    return { tool, sourced, digest, pin, verdict: { kind: "waits", why: "changed" } };
  }

  #problemsOf(tool: Tool): readonly string[] {
    const { runtime, isMemory } = this.#parts;
    const problems = [...definitionProblems(tool, runtime.limits)];
    if (isMemory && (tool.tier === "irreversible" || tool.tier === "privileged"))
      problems.push(`it is ${tool.tier}, and a memory store forgets its approvals and keys; use \`sqlite:<path>\``);
    return problems;
  }

  #complete(sourced: SourcedTool): Tool {
    const { source, tiers = [], tier = "irreversible", isEgress = false, runsAs = "service", timeoutMs, tools = {} } = this.#options;
    const tiered = tiers.find(([glob]) => matchesStars(glob, sourced.name))?.[1] ?? tier;
    return completeTool(
      {
        name: `${source.name}.${sourced.name}`,
        source: source.name,
        title: sourced.title,
        description:
          sourced.description.trim() === ""
            ? `The tool ${sourced.name} of ${source.name}; its server describes it with no word.`
            : sourced.description,
        inputSchema: sourced.inputSchema,
        outputSchema: sourced.outputSchema,
        tier: tiered,
        isEgress,
        runsAs,
        isForeign: true,
        ...(Object.hasOwn(tools, sourced.name) && tools[sourced.name]),
        ...(timeoutMs !== undefined && { timeouts: { attemptMs: timeoutMs } }),
      },
      this.#parts.runtime.limits,
    );
  }

  /** Makes the registry say what the verdict says. */
  async #register(offered: Offered): Promise<void> {
    const { registry } = this.#parts.runtime;
    const { tool, verdict, sourced } = offered;
    if (verdict.kind !== "admitted") {
      this.#remove(tool.name);
      if (verdict.kind === "waits" || offered.pin.body.admitted !== null) registry.quarantine(tool);
      return;
    }
    registry.release(tool.name);
    // A connector knows the definition it was made for, so the one that stands there stays for as long as that does.
    if (this.#registered.get(tool.name) !== offered.digest) this.#remove(tool.name);
    const registered: RegisteredTool = { tool, connector: sourced.connector };
    const added = registry.add(registered);
    if (added.kind === "refused") {
      this.#offered.set(tool.name, { ...offered, verdict: { kind: "refused", problems: added.problems } });
      this.#problems = [...this.#problems, `\`${cleanForPeople(tool.name, 80)}\`: ${added.problems.join("; ")}`];
      return;
    }
    this.#registered.set(tool.name, offered.digest);
    await recordTool(this.#parts.runtime, tool);
  }

  /** Takes a tool of ours from the registry; one of another source that has the same name stays. */
  #remove(name: string): void {
    const { registry } = this.#parts.runtime;
    if (this.#registered.delete(name)) registry.remove(name);
  }

  #withdraw(next: ReadonlyMap<string, Offered>): void {
    const { registry } = this.#parts.runtime;
    for (const name of this.#offered.keys()) {
      if (next.has(name)) continue;
      this.#remove(name);
      registry.release(name);
    }
  }

  async #recordWithdrawn(next: ReadonlyMap<string, Offered>): Promise<void> {
    const source = this.#options.source.name;
    for (const { tool, pin } of await this.#pins.ofSource(source)) {
      // A replica that is faster has written it already.
      if (!next.has(tool) && !pin.body.isWithdrawn) await this.#pins.withdraw({ tool, source }, pin);
    }
  }

  #report(next: ReadonlyMap<string, Offered>): void {
    const waiting = [...next.values()].filter(({ verdict }) => verdict.kind === "waits").length;
    if (waiting === 0) return;
    const where = this.#options.source.name;
    this.#parts.trouble({ kind: "source", where, note: `${waiting} tools of \`${where}\` wait for review; see \`signalbox tools pins\`` });
  }
}

function keyOf(tool: Tool): { readonly tool: string; readonly source: string } {
  return { tool: tool.name, source: tool.source };
}

function viewOf({ tool, sourced, digest, verdict, pin }: Offered): PinView {
  const { admitted } = pin.body;
  const isDifferent = admitted !== null && admitted.digest !== digest;
  return {
    tool: tool.name,
    source: tool.source,
    state: verdict.kind === "waits" ? verdict.why : verdict.kind === "refused" ? "refused" : "admitted",
    digest,
    tier: tool.tier,
    definition: sourced.definition,
    admittedDigest: verdict.kind === "admitted" ? digest : admitted?.digest,
    admittedDefinition: isDifferent && verdict.kind !== "admitted" ? admitted.definition : undefined,
    problems: verdict.kind === "refused" ? verdict.problems : [],
  };
}
