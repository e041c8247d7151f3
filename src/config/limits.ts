import { limitTable, resolveLimits, type Limits, type LimitRow } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import { plainObject } from "../policy/parse-values.ts";
import { nearestHint } from "../policy/problem.ts";
import type { Report } from "./problem.ts";
import type { Shape } from "./shape.ts";

/** Changes to the table of limits, by name. */
export const limitsShape: Shape<JsonObject> = {
  schema: {
    type: "object",
    properties: Object.fromEntries(
      Object.entries(limitTable as Record<string, LimitRow>).map(([key, row]) => [
        key,
        { type: "integer", minimum: 1, default: row.value, description: `${row.about} (${row.unit})` },
      ]),
    ),
    additionalProperties: false,
  },
  read: (raw, report) => {
    const found = plainObject(raw);
    if (found === undefined) report.add("expected an object from limits to whole numbers");
    return found as JsonObject | undefined;
  },
};

/** The limits with the changes that a file makes; unknown names and bad values are reported. */
export function readLimits(raw: JsonObject | undefined, report: Report): Limits {
  for (const [key, value] of Object.entries(raw ?? {})) {
    if (!Object.hasOwn(limitTable, key))
      report
        .at(key)
        .addAtName(
          `no limit is named \`${key.slice(0, 60)}\`${nearestHint(key, Object.keys(limitTable))}`,
          "the table is in docs/limits.md",
        );
    else if (resolveLimits({ [key]: value }).problems.length > 0) report.at(key).add("expected a whole number of at least 1");
  }
  return resolveLimits(raw ?? {}).limits;
}
