import { canonicalJson } from "../base/canonical-json.ts";
import { cleanForPeople } from "../approvals/card.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { sha256Hex } from "../base/hash.ts";
import { ArgumentTexts } from "./argument-texts.ts";
import { stop } from "./endings.ts";
import { proceed, type Verdict } from "./verdict.ts";
import type { CallState } from "./runtime.ts";

/**
 * Arguments against the tool's schema. Safe repairs are recorded and said; everything downstream uses the one value that came out. The request's
 * digest is over the arguments as sent, the effective one over the arguments as they will run.
 */
export function validate(state: CallState): Verdict {
  const { runtime, registered, args } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const checked = runtime.validateArguments(tool, args);
  if (checked.kind === "invalid") {
    const first = checked.problems[0];
    const where =
      first === undefined
        ? ""
        : `: ${first.path === "" ? "the arguments" : `\`${cleanForPeople(first.path, fixedBounds.shownPathCharsMax)}\``} must be ${first.expected}`;
    const more = checked.problems.length > 1 ? ` (and ${checked.problems.length - 1} more, see fields)` : "";
    return stop("ARGUMENTS_INVALID", `the arguments of \`${tool.name}\` do not fit its schema${where}${more}`, {
      fields: checked.problems,
    });
  }
  if (checked.repairs.length === 0) {
    state.texts = new ArgumentTexts(args, { sentText: state.call.isRawWhole === true ? state.call.raw : undefined });
  } else {
    state.texts = new ArgumentTexts(checked.value, { requestDigest: sha256Hex(canonicalJson(args)) });
    state.repairs = checked.repairs;
    state.notices.push(
      ...checked.repairs.map((repair) => `argument \`${repair.path}\` was repaired (${repair.kind}); send it right next time`),
    );
    state.args = checked.value;
  }
  return proceed;
}
