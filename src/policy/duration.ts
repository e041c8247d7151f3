const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A span of time such as `30m`, `24h` or `7d`, in milliseconds; undefined where it is none. */
export function durationMs(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  const unitMs = unitsMs[unit];
  return unitMs === undefined ? undefined : Number(digits) * unitMs;
}
