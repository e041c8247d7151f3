import type { RuleDelay } from "./document.ts";
import { durationMs } from "./duration.ts";
import { conditionVariables, parseExpression } from "./expression.ts";
import { text } from "./parse-values.ts";
import type { Report } from "./problem.ts";
import type { RuleSurroundings } from "./rule-surroundings.ts";

/** Reads `until`, `for` and `expires` of a rule that defers. */
export function parseDelay(
  object: Readonly<Record<string, unknown>>,
  { limits, factNames }: RuleSurroundings,
  report: Report,
): RuleDelay | undefined {
  const expiresMs = object["expires"] === undefined ? undefined : span(object["expires"], limits.deferralMsMax, report.at("expires"));
  if ((object["until"] === undefined) === (object["for"] === undefined)) {
    report
      .at("effect")
      .add("a `defer` rule says what it waits for: exactly one of `until`, CEL for a time or a condition, and `for`, such as `10m`");
    return undefined;
  }
  if (object["for"] !== undefined) {
    const forMs = span(object["for"], limits.deferralMsMax, report.at("for"));
    if (forMs !== undefined && forMs >= (expiresMs ?? limits.deferralExpiryMs))
      report.at("for").add("the call would be denied before this is over; make `expires` longer (default `deferralExpiryMs`)");
    return forMs === undefined ? undefined : { wait: { kind: "for", forMs }, expiresMs };
  }
  const until = text(object["until"], limits.ruleCharsMax, report.at("until"));
  if (until === undefined) return undefined;
  const parsed = parseExpression(until, { variables: conditionVariables, factNames }, limits);
  if ("problem" in parsed) report.at("until").add(parsed.problem);
  return { wait: { kind: "until", until }, expiresMs };
}

function span(raw: unknown, mostMs: number, report: Report): number | undefined {
  const spanMs = typeof raw === "string" ? durationMs(raw) : undefined;
  if (spanMs === undefined) report.add("expected a span such as `90s`, `30m`, `24h` or `7d`");
  else if (spanMs > mostMs) report.add(`a call waits at most ${mostMs} ms (\`deferralMsMax\`)`);
  return spanMs;
}
