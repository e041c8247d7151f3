/** A semantic version, taken apart. Build metadata does not order and is not kept. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Dot-separated identifiers after `-`; empty for a stable version. */
  readonly prerelease: readonly string[];
}

const versionPattern =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;
const rangePattern = /^([~^]?)(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?(?:\.(0|[1-9]\d{0,8}))?$/;

/** Reads `1.2.3` or `1.2.3-rc.1`; undefined for anything else. */
export function parseVersion(text: string): Version | undefined {
  const match = versionPattern.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]), prerelease: match[4]?.split(".") ?? [] };
}

/**
 * Order of precedence: negative when the left version is older.
 *
 * @see https://semver.org section 11.
 */
export function compareVersions(left: Version, right: Version): number {
  const numbers = left.major - right.major || left.minor - right.minor || left.patch - right.patch;
  if (numbers !== 0) return numbers;
  if (left.prerelease.length === 0 || right.prerelease.length === 0) return right.prerelease.length - left.prerelease.length;
  for (let index = 0; index < Math.max(left.prerelease.length, right.prerelease.length); index += 1) {
    const order = compareIdentifiers(left.prerelease[index], right.prerelease[index]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareIdentifiers(left: string | undefined, right: string | undefined): number {
  if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? -1 : 1;
  const isLeftNumber = /^\d+$/.test(left);
  const isRightNumber = /^\d+$/.test(right);
  if (isLeftNumber && isRightNumber) return Number(left) - Number(right);
  if (isLeftNumber !== isRightNumber) return isLeftNumber ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * Whether a range asked for holds a version: `1`, `1.2` and `1.2.3` hold what begins so, `^1.2` what is compatible with it, `~1.2.3` its patches.
 * A pre-release is held only by its own exact text.
 *
 * @returns undefined when the text is no range.
 */
export function rangeHolds(range: string, version: string): boolean | undefined {
  if (range === version) return true;
  if (parseVersion(range)?.prerelease.length) return false;
  const match = rangePattern.exec(range);
  if (match === null) return undefined;
  const parsed = parseVersion(version);
  if (parsed === undefined || parsed.prerelease.length > 0) return false;
  const asked = [match[2], match[3], match[4]].map((part) => (part === undefined ? undefined : Number(part)));
  const actual = [parsed.major, parsed.minor, parsed.patch];
  return holds(match[1] ?? "", asked, actual);
}

function holds(operator: string, asked: readonly (number | undefined)[], actual: readonly number[]): boolean {
  // How many leading numbers must be equal; the rest must be at least what was asked for.
  let fixedCount = asked.filter((part) => part !== undefined).length;
  if (operator === "~") fixedCount = Math.min(fixedCount, 2);
  if (operator === "^") {
    const firstNonZero = asked.findIndex((part) => part !== 0);
    fixedCount = firstNonZero < 0 || asked[firstNonZero] === undefined ? fixedCount : firstNonZero + 1;
  }
  for (let index = 0; index < 3; index += 1) {
    const wanted = asked[index] ?? 0;
    const got = actual[index] as number;
    if (got !== wanted) return index >= fixedCount && got > wanted;
  }
  return true;
}
