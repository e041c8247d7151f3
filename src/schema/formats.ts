/**
 * Formats that are asserted, cheaply and in linear time. JSON Schema 2020-12 lets a validator treat `format` as a remark; for arguments that are acted
 * on, a date that is none should not get through. Names not in this table stay remarks.
 */

const datePattern = /^(\d{4})-(\d{2})-(\d{2})$/;
const timePattern = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):?[0-5]\d)$/i;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ipv4Pattern = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
const emailPattern = /^[^\s@<>()[\],;:\\"]+@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const hostPattern = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const uriPattern = /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`]*$/i;

/** The asserted formats by name, with an example for messages. */
export const formats: Readonly<Record<string, { readonly example: string; readonly holds: (text: string) => boolean }>> = {
  date: { example: "2026-03-31", holds: isDate },
  time: { example: "14:30:00Z", holds: (text) => timePattern.test(text) },
  "date-time": { example: "2026-03-31T14:30:00Z", holds: isDateTime },
  email: { example: "ada@example.com", holds: (text) => text.length <= 254 && isEmail(text) },
  uuid: { example: "6f1f2c1e-5b1d-4a39-9f0e-3c1f6a7b8c9d", holds: (text) => uuidPattern.test(text) },
  uri: { example: "https://example.com/a", holds: (text) => uriPattern.test(text) },
  ipv4: { example: "192.0.2.1", holds: (text) => ipv4Pattern.test(text) },
  ipv6: { example: "2001:db8::1", holds: isIpv6 },
  hostname: { example: "example.com", holds: (text) => text.length <= 253 && hostPattern.test(text) },
};

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDate(text: string): boolean {
  const match = datePattern.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const isLeap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month >= 1 && month <= 12 && day >= 1 && day <= (monthDays[month - 1] as number) + (isLeap ? 1 : 0);
}

function isDateTime(text: string): boolean {
  const separator = text[10];
  return (separator === "T" || separator === "t" || separator === " ") && isDate(text.slice(0, 10)) && timePattern.test(text.slice(11));
}

function isEmail(text: string): boolean {
  const local = text.slice(0, text.indexOf("@"));
  return emailPattern.test(text) && !local.startsWith(".") && !local.endsWith(".") && !local.includes("..");
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1) ?? "";
  const hasIpv4 = last.includes(".");
  if (hasIpv4 && (!ipv4Pattern.test(last) || text.endsWith("::"))) return false;
  const words = hasIpv4 ? groups.slice(0, -1) : groups;
  const wordCount = words.length + (hasIpv4 ? 2 : 0);
  return words.every((word) => /^[0-9a-f]{1,4}$/i.test(word)) && (halves.length === 2 ? wordCount <= 7 : wordCount === 8);
}
