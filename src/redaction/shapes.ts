/**
 * Secrets that are known by their shape. Every pattern is linear: repetitions are bounded or consume what they look at, and a look-behind lets a
 * match begin only where a run of its characters begins.
 */

import { NeedleFilter } from "./needle-filter.ts";

/** One kind of secret and how it is found. */
export interface Shape {
  readonly kind: string;
  readonly pattern: RegExp;
  /** What is kept of a match; default nothing. `undefined` means that it is no secret after all. */
  readonly replace?: (match: readonly (string | undefined)[], marker: string) => string | undefined;
}

/** True when a text may hold a secret of a known shape. It may be wrong, but never misses what a shape would find. */
export function mayHoldShape(text: string): boolean {
  return beginnings.mayHold(text) && hint.test(text);
}

// Looking at a third of a text for what shapes begin with is several times cheaper than an expression that looks at every character. Short ones are
// given together with each character that can follow or precede them.
const alphanumerics = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
const beginnings = new NeedleFilter([
  "akia",
  "asia",
  "ghp_",
  "gho_",
  "ghu_",
  "ghs_",
  "ghr_",
  "github_pat_",
  "glpat-",
  "xapp-",
  "-----begin",
  "k_live_",
  "aiza",
  "npm_",
  "bearer",
  "basic",
  "api-key",
  "api_key",
  "apikey",
  "access-key",
  "access_key",
  "accesskey",
  "private-key",
  "private_key",
  "privatekey",
  "secret",
  "token",
  "passw",
  "passphrase",
  "credential",
  ...[`"`, "'", "\\", " ", "=", ":"].map((next) => `pwd${next}`),
  ...[...alphanumerics, "_", "-"].map((next) => `sk-${next}`),
  ...[...alphanumerics, "+", ".", "-"].map((last) => `${last}://`),
  ...[..."abcdeoprs"].map((type) => `xox${type}-`),
  // The first bytes of a JSON object whose first key begins with a letter, as every JOSE header does.
  ...[..."abcdefghijklmnopqrstuvwxyz"].map((letter) => Buffer.from(`{"${letter}`).toString("base64").toLowerCase()),
]);
const hint =
  /A[KS]IA[A-Z0-9]{16}|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|eyJ[\w-]{8}|-----BEGIN|(?<![A-Za-z0-9])sk-|k_live_|AIza|npm_|[Bb][Ee][Aa][Rr][Ee][Rr]\s|[Bb][Aa][Ss][Ii][Cc]\s|:\/\/[^\s/@]{0,256}:[^\s/@]{1,256}@|[Kk][Ee][Yy]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Pp][Aa][Ss][Ss][WwPp]|[Pp][Ww][Dd]|[Cc][Rr][Ee][Dd][Ee][Nn]/;

/** The name of a member or parameter whose value is a secret by its meaning. Tokens that only mark a place in a list are none. */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmlessName.test(name);
}

const nameText =
  "(?:[a-z0-9]{1,20}[-_. ]?){0,3}(?:api[-_]?key|secret(?:[-_]?key)?|access[-_]?key|private[-_]?key|token|password|passwd|passphrase|pwd|credentials?)";
const secretName = new RegExp(`^${nameText}$`, "i");
const harmlessName = /(?:next|prev(?:ious)?|page|paging|continuation|sync|cursor|cancel(?:lation)?)[-_]?(?:page[-_]?)?token$/i;

/** Whether a value looks made by a machine: long, of several kinds of characters, and without a pattern. */
export function looksRandom(value: string): boolean {
  if (value.length < 12 || value.length > 4_096 || /\s/.test(value)) return false;
  const kinds = Number(/[a-z]/.test(value)) + Number(/[A-Z]/.test(value)) + Number(/\d/.test(value)) + Number(/[^A-Za-z0-9]/.test(value));
  return kinds >= 2 && entropyBits(value) >= 3;
}

/** Shannon entropy in bits per character. */
function entropyBits(value: string): number {
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/** The shapes, the most particular first. */
export const secretShapes: readonly Shape[] = [
  {
    kind: "private-key",
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}(?:-----END [A-Z0-9 ]{0,60}-----)?/g,
  },
  { kind: "aws-key", pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g },
  { kind: "github-token", pattern: /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})/g },
  { kind: "gitlab-token", pattern: /(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,200}/g },
  { kind: "slack-token", pattern: /(?<![A-Za-z0-9])(?:xox[abcdeoprs]|xapp)-[A-Za-z0-9-]{10,250}/g },
  {
    kind: "api-key",
    pattern: /(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{20,250}|[sr]k_live_[A-Za-z0-9]{16,200}|AIza[A-Za-z0-9_-]{35}|npm_[A-Za-z0-9]{36})/g,
  },
  { kind: "jwt", pattern: /(?<![A-Za-z0-9_-])eyJ[h-z0-6][A-Za-z0-9_-]{7,16384}\.[A-Za-z0-9_-]{8,16384}\.[A-Za-z0-9_-]{8,16384}/g },
  {
    kind: "authorization",
    pattern: /(?<![A-Za-z0-9])(bearer|basic)(\s{1,5})([A-Za-z0-9._~+/-]{12,8192}={0,2})/gi,
    replace: (match, marker) => {
      const [, scheme = "", space = "", value = ""] = match;
      const isCredential = scheme.toLowerCase() === "basic" ? isBasicCredential(value) : /\d/.test(value);
      return isCredential ? `${scheme}${space}${marker}` : undefined;
    },
  },
  {
    kind: "url-password",
    pattern: /(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{1,20}:\/\/[^\s/:@"'\\]{0,256}:)([^\s/@"'\\]{1,256})@/g,
    replace: (match, marker) => `${match[1] ?? ""}${marker}@`,
  },
  {
    kind: "secret",
    pattern: new RegExp(`(?<![A-Za-z0-9])(${nameText})(\\\\?["']?\\s{0,5}[:=]\\s{0,5}\\\\?["']?)([^\\s"'\\\\,;&)}\\]]{12,4096})`, "gi"),
    replace: (match, marker) => {
      const [, name = "", separator = "", value = ""] = match;
      const isSecret = isSecretName(name) && looksRandom(value) && !value.startsWith("[redacted:") && !value.startsWith("secret://");
      return isSecret ? `${name}${separator}${marker}` : undefined;
    },
  },
];

function isBasicCredential(value: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]+$/.test(Buffer.from(value, "base64").toString("latin1"));
}
