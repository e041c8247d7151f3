import { parseHttpDate } from "../base/http-date.ts";
import type { Random } from "../base/random.ts";

/**
 * Delay before a retry: full jitter over a capped exponential.
 *
 * @param retryNumber 1 for the first retry.
 * @returns whole milliseconds in [0, min(capMs, baseMs · 2^(retryNumber − 1))).
 * @see "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015.
 */
export function backoffMs(parts: {
  readonly retryNumber: number;
  readonly baseMs: number;
  readonly capMs: number;
  readonly random: Random;
}): number {
  const ceilingMs = Math.min(parts.capMs, parts.baseMs * 2 ** (parts.retryNumber - 1));
  return Math.floor(parts.random.sample() * ceilingMs);
}

const secondsPattern = /^\d{1,10}$/;

/**
 * Milliseconds that a `Retry-After` header asks to wait: whole seconds or an HTTP date (RFC 9110 section 10.2.3). A date that has passed is 0.
 *
 * @param nowMs wall time, to which a date is compared.
 * @returns undefined for anything else, so that a broken header counts as none.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  if (secondsPattern.test(text)) return Number(text) * 1_000;
  const atMs = parseHttpDate(text);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}
