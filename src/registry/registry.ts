import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { RegisteredTool, Tool } from "../domain/tool.ts";
import { nearest } from "../schema/nearest.ts";
import { definitionProblems } from "./definition-problems.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { nameSkeleton } from "./names.ts";
import { compareVersions, parseVersion, rangeHolds, type Version } from "./semver.ts";

/** What became of a registration. */
export type Addition =
  | { readonly kind: "added" }
  /** The very same definition was there already. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** What a name stands for. */
export type Resolution =
  | { readonly kind: "found"; readonly registered: RegisteredTool }
  /** `nearest`: visible names that are alike, best first, at most 3; `versions`: the visible versions when only the version was wrong. */
  | { readonly kind: "not-found"; readonly nearest: readonly string[]; readonly versions: readonly string[] };

/** Which tools somebody may see. What they may not see is never found and never suggested. */
export type Visibility = (tool: Tool) => boolean;

/** All tools of a box, several versions of each side by side. */
export interface Registry {
  /** Counts the changes: what was worked out from the registry holds while it stays the same. */
  readonly revision: number;
  /** Registers a tool. A name and version that is taken by another definition is refused: what changes gets a new version, or `remove` comes first. */
  add(registered: RegisteredTool): Addition;
  /** Takes a version away, or all versions of a name. Returns what was removed; its connectors are the caller's to close. */
  remove(name: string, version?: string): readonly RegisteredTool[];
  /**
   * Finds the tool for `order.refund` (the newest visible stable version, or the newest of all when none is stable), `order.refund@1`,
   * `order.refund@1.2`, `@1.2.3`, `@^1.2` or `@~1.2.3`.
   */
  resolve(name: string, isVisible: Visibility): Resolution;
  /** What `resolve` gives for every visible name, sorted by name. */
  list(isVisible: Visibility): readonly RegisteredTool[];
  /** Every version of every visible tool, sorted by name, newest first. */
  listVersions(isVisible: Visibility): readonly RegisteredTool[];
  /** Says that a tool exists which waits for review. It is neither found nor listed nor suggested; only who asks for it by name learns why. */
  quarantine(tool: Tool): void;
  /** Forgets that a name waits for review. */
  release(name: string): void;
  /** Whether a visible tool of this name (with or without a version) waits for review. */
  isQuarantined(name: string, isVisible: Visibility): boolean;
}

interface Entry {
  readonly registered: RegisteredTool;
  readonly version: Version;
}

/** Creates an empty registry. Lookups cost the same whatever the number of tools; only a name that is not found is compared with the others. */
export function createRegistry({ limits }: { readonly limits: Limits }): Registry {
  return new ToolRegistry(limits);
}

class ToolRegistry implements Registry {
  private readonly limits: Limits;
  // Maps, so that `__proto__` and `constructor` are names like any other. Entries of one name: newest first.
  private readonly byName = new Map<string, Entry[]>();
  private readonly bySkeleton = new Map<string, Set<string>>();
  private readonly waiting = new Map<string, Tool>();
  private toolCount = 0;
  revision = 0;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  add(registered: RegisteredTool): Addition {
    const { tool } = registered;
    const present = this.entryOf(tool);
    if (present?.registered.tool.fingerprint === tool.fingerprint) return { kind: "unchanged" };
    const problems = this.refusals(tool);
    if (problems.length > 0) return { kind: "refused", problems };
    const entries = this.byName.get(tool.name) ?? [];
    entries.push({ registered, version: parseVersion(tool.version) as Version });
    entries.sort((left, right) => compareVersions(right.version, left.version));
    this.byName.set(tool.name, entries);
    const skeleton = nameSkeleton(tool.name);
    this.bySkeleton.set(skeleton, (this.bySkeleton.get(skeleton) ?? new Set()).add(tool.name));
    this.toolCount += 1;
    this.revision += 1;
    return { kind: "added" };
  }

  remove(name: string, version?: string): readonly RegisteredTool[] {
    const entries = this.byName.get(name) ?? [];
    const removed = entries.filter((entry) => version === undefined || entry.registered.tool.version === version);
    const kept = entries.filter((entry) => !removed.includes(entry));
    this.toolCount -= removed.length;
    this.revision += 1;
    if (kept.length > 0) this.byName.set(name, kept);
    else if (this.byName.delete(name)) this.bySkeleton.get(nameSkeleton(name))?.delete(name);
    return removed.map((entry) => entry.registered);
  }

  resolve(asked: string, isVisible: Visibility): Resolution {
    const { entries, range } = look(this.byName, asked.slice(0, this.limits.toolNameCharsMax));
    const [only] = entries;
    // Most tools have one version, and no range to choose by.
    if (entries.length === 1 && only !== undefined && range === undefined && isVisible(only.registered.tool))
      return { kind: "found", registered: only.registered };
    const visible = entries.filter((entry) => isVisible(entry.registered.tool));
    const held = range === undefined ? visible : visible.filter((entry) => rangeHolds(range, entry.registered.tool.version) === true);
    const found = newest(held);
    if (found !== undefined) return { kind: "found", registered: found.registered };
    if (visible.length === 0)
      return { kind: "not-found", nearest: nearest(baseName(asked), this.visibleNames(isVisible), fixedBounds.namedMax), versions: [] };
    const versions = visible.map((entry) => entry.registered.tool.version);
    return {
      kind: "not-found",
      nearest: versions.slice(0, fixedBounds.namedMax).map((version) => `${baseName(asked)}@${version}`),
      versions,
    };
  }

  list(isVisible: Visibility): readonly RegisteredTool[] {
    return this.visibleNames(isVisible).map((name) => {
      const visible = (this.byName.get(name) as Entry[]).filter((entry) => isVisible(entry.registered.tool));
      return (newest(visible) as Entry).registered;
    });
  }

  listVersions(isVisible: Visibility): readonly RegisteredTool[] {
    return this.visibleNames(isVisible)
      .flatMap((name) => (this.byName.get(name) as Entry[]).map((entry) => entry.registered))
      .filter((registered) => isVisible(registered.tool));
  }

  quarantine(tool: Tool): void {
    this.waiting.set(tool.name, tool);
  }

  release(name: string): void {
    this.waiting.delete(name);
  }

  isQuarantined(asked: string, isVisible: Visibility): boolean {
    const tool = this.waiting.get(asked) ?? this.waiting.get(baseName(asked));
    return tool !== undefined && isVisible(tool);
  }

  private entryOf(tool: Tool): Entry | undefined {
    return this.byName.get(tool.name)?.find((entry) => entry.registered.tool.version === tool.version);
  }

  private visibleNames(isVisible: Visibility): readonly string[] {
    return [...this.byName]
      .filter(([, entries]) => entries.some((entry) => isVisible(entry.registered.tool)))
      .map(([name]) => name)
      .sort();
  }

  private refusals(tool: Tool): readonly string[] {
    const problems = [...definitionProblems(tool, this.limits)];
    if (tool.fingerprint !== fingerprintOf(tool)) problems.push("the fingerprint is not that of the definition");
    if (this.toolCount >= this.limits.toolsMax) problems.push(`there are ${this.limits.toolsMax} tools already (limit \`toolsMax\`)`);
    if (this.entryOf(tool) !== undefined)
      problems.push(`\`${tool.name}@${tool.version}\` is registered with another definition; give the change a new version`);
    const alike = this.shadowed(tool);
    if (alike !== undefined)
      problems.push(
        `the name \`${tool.name}\` of source \`${tool.source}\` looks like \`${alike.name}\` of source \`${alike.source}\`; rename one`,
      );
    return problems;
  }

  // A tool from outside must not pass for one of another source, neither by the same name nor by one that differs in case or separators only.
  private shadowed(tool: Tool): Tool | undefined {
    for (const name of this.bySkeleton.get(nameSkeleton(tool.name)) ?? []) {
      for (const { registered } of this.byName.get(name) ?? []) {
        const other = registered.tool;
        if (other.source !== tool.source && (other.isForeign || tool.isForeign)) return other;
      }
    }
    return undefined;
  }
}

// A name from outside may itself hold an `@`, so the whole text is tried first.
function look(
  byName: ReadonlyMap<string, Entry[]>,
  asked: string,
): { readonly entries: readonly Entry[]; readonly range: string | undefined } {
  const whole = byName.get(asked);
  if (whole !== undefined) return { entries: whole, range: undefined };
  const at = asked.lastIndexOf("@");
  if (at < 1) return { entries: [], range: undefined };
  return { entries: byName.get(asked.slice(0, at)) ?? [], range: asked.slice(at + 1) };
}

function baseName(asked: string): string {
  const at = asked.lastIndexOf("@");
  return at < 1 ? asked : asked.slice(0, at);
}

// Entries come newest first.
function newest(entries: readonly Entry[]): Entry | undefined {
  return entries.find((entry) => entry.version.prerelease.length === 0) ?? entries[0];
}
