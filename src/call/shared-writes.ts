/**
 * What the calls of this process may have changed, told to the other processes of a store with the pulse, so that these forget what they keep of it. Until a
 * process has heard all others a moment ago, and all of them tell, nothing that it keeps may stand for a look-up that decides.
 */
import { parseOwnJson } from "../base/own-json.ts";
import { matchesStars } from "../policy/glob.ts";
import type { CacheOrigin } from "../resilience/read-cache.ts";

/** What a write may have changed: everything of a source, what some tools read, or, with neither, everything of a tenant. */
export interface TouchedReads {
  readonly tenant: string;
  readonly source?: string;
  /** Globs over the names of tools. */
  readonly tools?: readonly string[];
}

/** What one process says of its writes. */
export interface WritesNews {
  /** How many there were since it started. */
  readonly count: number;
  /** Of the writes up to this one not all are in `latest`. */
  readonly missing: number;
  /** The number of the last write that touched something, by its JSON. */
  readonly latest: Readonly<Record<string, number>>;
}

/** What one process was heard to say. `writes` is undefined for a program that does not tell. */
export interface HeardWrites {
  readonly process: string;
  readonly writes: WritesNews | undefined;
}

/** The writes of one process and of those beside it. */
export interface SharedWrites {
  /** A write begins or has ended. */
  note(touched: TouchedReads): void;
  news(): WritesNews;
  /** What all the others say. `isWhole`: that nobody is missing. */
  hear(all: readonly HeardWrites[], how: { readonly isWhole: boolean; readonly nowMonotonicMs: number }): void;
  /** Whether what is kept may be relied on: all others were heard at most `holdsMs` ago. */
  isCurrent(nowMonotonicMs: number): boolean;
}

/** Whether what a write touched is where something came from. */
export function touches({ tenant, source, tools }: TouchedReads, origin: CacheOrigin): boolean {
  if (tenant !== origin.tenant) return false;
  if (tools !== undefined) return tools.some((glob) => matchesStars(glob, origin.tool));
  return source === undefined || source === origin.source;
}

/** Starts with nothing written and nobody heard. `forget` is told what others touched. At most `toldMax` different things are told at once. */
export function createSharedWrites(parts: {
  readonly forget: (isTouched: (origin: CacheOrigin) => boolean) => void;
  readonly holdsMs: number;
  readonly toldMax: number;
}): SharedWrites {
  const latest = new Map<string, number>();
  let count = 0;
  let missing = 0;
  let heard: ReadonlyMap<string, number> | undefined;
  let currentUntilMs = 0;

  /** Tells what of one process is new since it was heard to have made `seenCount` writes. */
  function forgetNew({ count: total, missing: lost, latest: said }: WritesNews, seenCount: number): void {
    if (total <= seenCount) return;
    if (lost > seenCount) {
      parts.forget(() => true);
      return;
    }
    const fresh = Object.entries(said).flatMap(([text, number]) => (number > seenCount ? [readTouched(text)] : []));
    parts.forget((origin) => fresh.some((touched) => touched === undefined || touches(touched, origin)));
  }

  return {
    note(touched) {
      const text = JSON.stringify([touched.tenant, touched.source ?? null, touched.tools ?? null]);
      count += 1;
      latest.delete(text);
      latest.set(text, count);
      if (latest.size <= parts.toldMax) return;
      const [oldest, number] = latest.entries().next().value as [string, number];
      latest.delete(oldest);
      missing = number;
    },
    news: () => ({ count, missing, latest: Object.fromEntries(latest) }),
    hear(all, { isWhole, nowMonotonicMs }) {
      for (const { process, writes } of all) if (writes !== undefined) forgetNew(writes, heard?.get(process) ?? 0);
      heard = new Map(all.flatMap(({ process, writes }) => (writes === undefined ? [] : [[process, writes.count]])));
      const tellAll = all.every(({ writes }) => writes !== undefined);
      currentUntilMs = isWhole && tellAll ? nowMonotonicMs + parts.holdsMs : 0;
    },
    isCurrent: (nowMonotonicMs) => nowMonotonicMs < currentUntilMs,
  };
}

/** Undefined for what cannot be read: it may be about anything. */
function readTouched(text: string): TouchedReads | undefined {
  try {
    const [tenant, source, tools] = parseOwnJson(text) as readonly [string, string | null, readonly string[] | null];
    return { tenant, ...(source !== null && { source }), ...(tools !== null && { tools }) };
  } catch {
    // Another program's form of it.
    return undefined;
  }
}
