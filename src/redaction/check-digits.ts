/**
 * Numbers that belong to a person and carry their own proof: check digits, issuers, lengths of countries. What is decided here is arithmetic; how much
 * a match says on its own (a check digit alone lets every tenth number through) is decided by whoever asks.
 */

/** Characters of an IBAN by country, from the registry that ISO 13616 names. */
const ibanChars: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 " +
    "GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 " +
    "MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 " +
    "XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** ISO 13616: a country that has such accounts, its length, and moved to the end with letters as numbers the remainder modulo 97 is 1. Without spaces, capitals. */
export function isIban(text: string): boolean {
  if (ibanChars[text.slice(0, 2)] !== text.length || !/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(text)) return false;
  let remainder = 0;
  for (const char of text.slice(4) + text.slice(0, 4)) {
    const digits = Number.parseInt(char, 36);
    remainder = (remainder * (digits > 9 ? 100 : 10) + digits) % 97;
  }
  return remainder === 1;
}

/** ISO/IEC 7812-1: the weighted digit sum of a card number is a multiple of 10. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const weighted = index % 2 === 1 ? digit * 2 : digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return /^\d{12,19}$/.test(digits) && sum % 10 === 0;
}

// Beginnings and lengths that issuers of payment cards give out.
const issuers = new RegExp(
  `^(?:${[
    String.raw`4\d{12}(?:\d{3}){0,2}`, // Visa
    String.raw`(?:5[1-5]\d\d|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720))\d{12}`, // Mastercard
    String.raw`3[47]\d{13}`, // American Express
    String.raw`3(?:0[0-5]|[689]\d)\d{11}`, // Diners Club
    String.raw`35(?:2[89]|[3-8]\d)\d{12}`, // JCB
    String.raw`6(?:011|5\d\d|4[4-9]\d)\d{12}`, // Discover
    String.raw`62\d{14,17}`, // UnionPay
    String.raw`(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}`, // Maestro
  ].join("|")})$`,
);

/** A number that an issuer of payment cards may have given out: its beginning, its length and its check digit. Digits only. */
export function isCardNumber(digits: string): boolean {
  return issuers.test(digits) && isLuhn(digits);
}

/** Brazil: eleven digits, two of them check digits (CPF). */
export function isCpf(digits: string): boolean {
  if (!/^\d{11}$/.test(digits) || /^(\d)\1*$/.test(digits)) return false;
  return [9, 10].every((count) => {
    let sum = 0;
    for (let index = 0; index < count; index += 1) sum += Number(digits[index]) * (count + 1 - index);
    return ((sum * 10) % 11) % 10 === Number(digits[count]);
  });
}

/** France: sex, year, month, place and serial number with a key of two digits modulo 97 (NIR). */
export function isNir(digits: string): boolean {
  if (!/^[12]\d{2}(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d)\d{10}$/.test(digits)) return false;
  return 97 - (Number(digits.slice(0, 13)) % 97) === Number(digits.slice(13));
}

const oddItalian: readonly number[] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** Italy: sixteen characters of name, birth and place, the last a check letter (codice fiscale). Capitals. */
export function isCodiceFiscale(text: string): boolean {
  if (!/^[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]$/.test(text)) return false;
  let sum = 0;
  for (let index = 0; index < 15; index += 1) {
    const char = text[index] as string;
    const value = char >= "A" ? char.charCodeAt(0) - 65 : Number(char);
    sum += index % 2 === 0 ? (oddItalian[value] as number) : value;
  }
  return String.fromCharCode(65 + (sum % 26)) === text[15];
}

/** Spain: eight digits, or a letter and seven, with a check letter (DNI, NIE). Capitals. */
export function isDni(text: string): boolean {
  if (!/^[XYZ\d]\d{7}[A-Z]$/.test(text)) return false;
  const digits = Number(text.slice(0, 8).replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter))));
  return "TRWAGMYFPDXBNJZSQVHLCKE"[digits % 23] === text[8];
}

/** Poland: a date of birth, a serial number and a check digit (PESEL). */
export function isPesel(digits: string): boolean {
  if (!/^\d{11}$/.test(digits)) return false;
  const month = Number(digits.slice(2, 4)) % 20;
  const day = Number(digits.slice(4, 6));
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  const sum = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3].reduce((total, weight, index) => total + weight * Number(digits[index]), 0);
  return (10 - (sum % 10)) % 10 === Number(digits[10]);
}

/** Germany: eleven digits, one of the first ten occurs two or three times, with a check digit of ISO 7064 modulo 11,10 (Steuer-Identifikationsnummer). */
export function isSteuerId(digits: string): boolean {
  if (!/^[1-9]\d{10}$/.test(digits)) return false;
  const distinct = new Set(digits.slice(0, 10)).size;
  if (distinct !== 9 && distinct !== 8) return false;
  let product = 10;
  for (const digit of digits.slice(0, 10)) product = (((Number(digit) + product) % 10 || 10) * 2) % 11;
  return (11 - product) % 10 === Number(digits[10]);
}

/** Netherlands: nine digits whose weighted sum is a multiple of 11 (BSN). */
export function isBsn(digits: string): boolean {
  if (!/^\d{9}$/.test(digits) || /^0+$/.test(digits)) return false;
  const sum = [9, 8, 7, 6, 5, 4, 3, 2, -1].reduce((total, weight, index) => total + weight * Number(digits[index]), 0);
  return sum % 11 === 0;
}

/** Sweden: a date of birth, a serial number and a check digit (personnummer). Ten or twelve digits. */
export function isPersonnummer(digits: string): boolean {
  if (!/^(?:18|19|20)?\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]|[6-8]\d|9[01])\d{4}$/.test(digits)) return false;
  const short = digits.slice(-10);
  let sum = 0;
  for (let index = 0; index < 10; index += 1) {
    const weighted = Number(short[index]) * (index % 2 === 0 ? 2 : 1);
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

/** United Kingdom: two letters that are given out, six digits and a letter from A to D (National Insurance number). Capitals. */
export function isNationalInsurance(text: string): boolean {
  return /^(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]$/.test(text);
}

/** United States: an area, group and serial number that may have been given out (Social Security number). Nine digits; there is no check digit. */
export function isSocialSecurity(digits: string): boolean {
  return /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits);
}

/** India: twelve digits, the last by Verhoeff's scheme (Aadhaar). */
export function isAadhaar(digits: string): boolean {
  if (!/^[2-9]\d{11}$/.test(digits)) return false;
  let check = 0;
  for (let index = 0; index < 12; index += 1) {
    check = dihedral(check, permuted(index % 8, Number(digits[11 - index])));
  }
  return check === 0;
}

/** Product in the dihedral group of ten elements: turns 0 to 4, mirrored turns 5 to 9. */
function dihedral(left: number, right: number): number {
  if (left < 5) return right < 5 ? (left + right) % 5 : 5 + ((left + right) % 5);
  return right < 5 ? 5 + ((left - right + 5) % 5) : (left - right + 5) % 5;
}

/** Verhoeff's permutation, so many times. */
function permuted(times: number, digit: number): number {
  let value = digit;
  for (let count = 0; count < times; count += 1) value = "1576283094".charCodeAt(value) - 48;
  return value;
}

/** Any number of a person that has check digits, in the notation without separators. For text that a name beside it calls one. */
export function isPersonNumber(compact: string): boolean {
  const text = compact.toUpperCase();
  return (
    isPesel(text) ||
    isSteuerId(text) ||
    isBsn(text) ||
    isCpf(text) ||
    isNir(text) ||
    isDni(text) ||
    isPersonnummer(text) ||
    isAadhaar(text) ||
    isCodiceFiscale(text) ||
    isNationalInsurance(text)
  );
}
