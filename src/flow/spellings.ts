/**
 * The ways in which people write a day or an amount, so that `January 11th`, `11.01.2025` and `2025-01-11` are found to be the same. Spellings are
 * made from the value of an argument when it is traced, not from every text that is read: there are few arguments and much text.
 */
import { fixedBounds } from "../base/fixed-bounds.ts";

const monthNames: readonly (readonly string[])[] = [
  ["january", "jan", "januar", "jänner", "janvier", "enero", "stycznia", "styczeń"],
  ["february", "feb", "februar", "février", "fevrier", "febrero", "lutego", "luty"],
  ["march", "mar", "märz", "maerz", "mars", "marzo", "marca", "marzec"],
  ["april", "apr", "avril", "abril", "kwietnia", "kwiecień"],
  ["may", "mai", "mayo", "maja", "maj"],
  ["june", "jun", "juni", "juin", "junio", "czerwca", "czerwiec"],
  ["july", "jul", "juli", "juillet", "julio", "lipca", "lipiec"],
  ["august", "aug", "août", "aout", "agosto", "sierpnia", "sierpień"],
  ["september", "sep", "sept", "septembre", "septiembre", "września", "wrzesień"],
  ["october", "oct", "oktober", "okt", "octobre", "octubre", "października", "październik"],
  ["november", "nov", "novembre", "noviembre", "listopada", "listopad"],
  ["december", "dec", "dezember", "dez", "décembre", "decembre", "diciembre", "grudnia", "grudzień"],
];

/** A calendar day. */
export interface Day {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

const isoDay = /(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)/;
const dottedDay = /(?<!\d)(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)/;
// In each of them a digit stands on both sides of a sign.
const anyDay = /\d[-./]\d/;
const slashedDay = /(?<!\d)(\d{1,2})\/(\d{1,2})\/(\d{4})(?!\d)/;

/** The day that an argument names: ISO 8601, `31.12.2025` or `12/31/2025`; undefined for anything else. */
export function dayOf(text: string): Day | undefined {
  if (!anyDay.test(text)) return undefined;
  const iso = isoDay.exec(text);
  if (iso !== null) return day(iso[1], iso[2], iso[3]);
  const dotted = dottedDay.exec(text);
  if (dotted !== null) return day(dotted[3], dotted[2], dotted[1]);
  const slashed = slashedDay.exec(text);
  return slashed === null ? undefined : (day(slashed[3], slashed[1], slashed[2]) ?? day(slashed[3], slashed[2], slashed[1]));
}

const months = new Map(monthNames.flatMap((names, index) => names.map((name) => [name, String(index + 1)] as const)));
const monthWords = [...months.keys()].sort((left, right) => right.length - left.length).join("|");
const numericDays = /(?<!\d)(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4})(?!\d)/g;
const dayFirst = new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th|\\.)?(?: of| de)? (${monthWords})\\.?,?(?: de)? (\\d{4})(?!\\d)`, "gu");
const monthFirst = new RegExp(`(?<!\\p{L})(${monthWords})\\.? (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, "gu");
const fourDigits = /\d{4}/;

/** Every day with its year that stands in a folded text, at most 100. */
export function daysIn(text: string): readonly Day[] {
  if (!fourDigits.test(text)) return [];
  const days = [
    ...[...text.matchAll(numericDays)].map(([found]) => dayOf(found)),
    ...[...text.matchAll(dayFirst)].map(([, dayOfMonth, name, year]) => day(year, months.get(name ?? ""), dayOfMonth)),
    ...[...text.matchAll(monthFirst)].map(([, name, dayOfMonth, year]) => day(year, months.get(name ?? ""), dayOfMonth)),
  ];
  return days.filter((found) => found !== undefined).slice(0, fixedBounds.daysInTextMax);
}

function day(year?: string, month?: string, dayOfMonth?: string): Day | undefined {
  const found = { year: Number(year), month: Number(month), day: Number(dayOfMonth) };
  return found.month >= 1 && found.month <= 12 && found.day >= 1 && found.day <= 31 ? found : undefined;
}

/** How the day may stand in a text, folded; with its year or without, names of months in five languages. */
export function spellingsOfDay({ year, month, day: dayOfMonth }: Day): readonly string[] {
  const [shortMonth, shortDay] = [String(month), String(dayOfMonth)];
  const [longMonth, longDay] = [shortMonth.padStart(2, "0"), shortDay.padStart(2, "0")];
  const spellings = [
    `${year}-${longMonth}-${longDay}`,
    `${year}-${shortMonth}-${shortDay}`,
    `${year}/${longMonth}/${longDay}`,
    `${longDay}.${longMonth}.${year}`,
    `${shortDay}.${shortMonth}.${year}`,
    `${longMonth}/${longDay}/${year}`,
    `${longDay}/${longMonth}/${year}`,
    `${shortMonth}/${shortDay}/${year}`,
  ];
  for (const name of monthNames[month - 1] ?? []) {
    for (const number of [shortDay, longDay, `${shortDay}${ordinal(dayOfMonth)}`, `${shortDay}.`]) {
      spellings.push(`${name} ${number}`, `${number} ${name}`, `${number} of ${name}`, `${number} de ${name}`);
    }
  }
  return [...new Set(spellings)];
}

function ordinal(number: number): string {
  if (number >= 11 && number <= 13) return "th";
  return ["th", "st", "nd", "rd"][number % 10] ?? "th";
}

// Small letters, and what is no digit throughout, are left of no amount.
const noAmount = /[a-z_]|^\D*$/;

/** The number that an argument names, such as `1,250.50`, `1250,5 €` or 1250.5; undefined where it names none. */
export function amountOf(value: string | number): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (noAmount.test(value)) return undefined;
  const plain = value.replace(/[\p{Sc}\s]|\b[A-Z]{3}\b/gu, "");
  if (!/^[+-]?\d[\d.,]*$/.test(plain)) return undefined;
  const lastComma = plain.lastIndexOf(",");
  const lastDot = plain.lastIndexOf(".");
  const isCommaDecimal = lastComma > lastDot && plain.length - lastComma - 1 !== 3;
  const normal = isCommaDecimal ? plain.replaceAll(".", "").replace(",", ".") : plain.replaceAll(",", "");
  const number = Number(normal);
  return Number.isFinite(number) ? number : undefined;
}

/** How the amount may stand in a text: with and without cents, in English and continental notation. */
export function spellingsOfAmount(amount: number): readonly string[] {
  const plain = String(Math.abs(amount));
  const [whole = "0", cents = ""] = plain.split(".");
  const twoCents = cents.padEnd(2, "0");
  const grouped = (separator: string): string => (whole.length < 4 ? whole : whole.replace(/\B(?=(\d{3})+(?!\d))/g, separator));
  const spellings = [plain];
  for (const [separator, point] of [
    ["", "."],
    ["", ","],
    [",", "."],
    [".", ","],
    [" ", ","],
    ["'", "."],
  ] as const) {
    const left = separator === "" ? whole : grouped(separator);
    if (cents === "") spellings.push(left);
    else spellings.push(`${left}${point}${cents}`);
    spellings.push(`${left}${point}${twoCents}`);
  }
  return [...new Set(spellings)];
}
