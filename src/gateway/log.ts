import { isoTime, type Clock } from "../base/clock.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";

/** One thing worth writing down. Never an argument, a result or a secret. */
export interface LogLine {
  readonly level: "info" | "warn" | "error";
  /** `noun-verb` in the past, such as `request-answered`. */
  readonly event: string;
  readonly [member: string]: string | number | boolean | undefined;
}

/** Where log lines go. */
export interface Logger {
  log(line: LogLine): void;
  /** Writes what waits. */
  flush(): void;
}

/**
 * JSON lines, written together: since a line is JSON, no line end or terminal sequence of a value can forge another. More than
 * `logLinesWaitingMax` waiting lines are dropped and counted.
 */
export function createJsonLogger(parts: {
  readonly write: (text: string) => void;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "logLinesWaitingMax">;
}): Logger {
  // Written at the flush, all in a row: a request does not wait for its line to be put into words.
  let waiting: { readonly line: LogLine; readonly atMs: number }[] = [];
  let droppedCount = 0;
  let isScheduled = false;
  function flush(): void {
    isScheduled = false;
    if (waiting.length === 0) return;
    if (droppedCount > 0)
      waiting.push({ line: { level: "warn", event: "log-lines-dropped", count: droppedCount }, atMs: parts.clock.now() });
    let text = "";
    for (const { line, atMs } of waiting) text += lineOf(line, atMs);
    waiting = [];
    droppedCount = 0;
    parts.write(text);
  }
  return {
    log(line) {
      if (waiting.length >= parts.limits.logLinesWaitingMax) {
        droppedCount += 1;
        return;
      }
      waiting.push({ line, atMs: parts.clock.now() });
      if (isScheduled) return;
      isScheduled = true;
      parts.clock.after(fixedBounds.logFlushMs, flush);
    },
    flush,
  };
}

function lineOf(line: LogLine, atMs: number): string {
  const text = JSON.stringify({ at: isoTime(atMs), ...line });
  const whole =
    text.length <= fixedBounds.logLineCharsMax
      ? text
      : JSON.stringify({ at: isoTime(atMs), level: line.level, event: line.event, isCut: true });
  // JSON leaves DEL and the C1 controls as they are; some terminals obey them.
  return `${whole.replace(/[\u007f-\u009f\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}

/** What may be said of an unexpected throw: its class and where in our code it was thrown. Its message may hold anything and is left out. */
export function causeFacts(cause: unknown): { readonly cause: string; readonly thrownAt: string | undefined } {
  if (!(cause instanceof Error)) return { cause: typeof cause, thrownAt: undefined };
  const frame = cause.stack?.split("\n").find((line) => /^\s+at /.test(line));
  const place = frame === undefined ? undefined : /([^/\\()]+:\d+):\d+\)?$/.exec(frame)?.[1];
  const name: unknown = cause.constructor.name;
  return { cause: String(name).slice(0, 80), thrownAt: place?.slice(0, 120) };
}
