/**
 * What one process tells the others of itself beside the store, as a text: calls that it let through, by rate limit and key, and breakers that opened or closed.
 * Whatever is not exactly that is no news: another program, or a newer one, may speak on the same channel.
 */

/** Calls let through, by rate limit and key. */
export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** One piece of news of one process. */
export interface ProcessNews {
  /** Id of the process. */
  readonly process: string;
  /** Counts up by one with each change; news with the number of the last is a sign of life, or the whole of it again. */
  readonly turn: number;
  /** Whether `rates` are all that it ever counted, rather than what came since the turn before. */
  readonly isWhole: boolean;
  readonly rates: Counts;
  /** Wall times in milliseconds. */
  readonly breakers: Readonly<Record<string, { readonly atMs: number; readonly untilMs: number }>>;
}

/** The text of it. */
export function writeNews(news: ProcessNews): string {
  return JSON.stringify(news);
}

/** What a text says; undefined for anything else, and for one of more than `bytesMax` UTF-16 units. */
export function readNews(text: string, bytesMax: number): ProcessNews | undefined {
  if (text.length > bytesMax) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Somebody else's text.
    return undefined;
  }
  return isNews(value) ? value : undefined;
}

function isNews(value: unknown): value is ProcessNews {
  if (!isRecord(value)) return false;
  const { process, turn, isWhole, rates, breakers } = value;
  return (
    typeof process === "string" &&
    Number.isSafeInteger(turn) &&
    typeof isWhole === "boolean" &&
    isRecord(rates) &&
    Object.values(rates).every((counts) => isRecord(counts) && Object.values(counts).every(isCount)) &&
    isRecord(breakers) &&
    Object.values(breakers).every((each) => isRecord(each) && Number.isFinite(each["atMs"]) && Number.isFinite(each["untilMs"]))
  );
}

/** A count below one would give a limit back that was used. */
function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
